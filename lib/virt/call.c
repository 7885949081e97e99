/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "virt/call.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/log.h"

void *ra_virt_call_new(size_t size_bytes, int (*run)(struct ra_virt_call *, struct ra_error *),
                       void (*release)(struct ra_virt_call *))
{
    struct ra_virt_call *call = calloc(1, size_bytes);

    if (call == NULL)
        abort();
    call->run = run;
    call->release = release;
    call->ended_fd = -1;
    atomic_init(&call->ended, false);
    atomic_init(&call->owners, 1);
    return call;
}

static void disown(struct ra_virt_call *call)
{
    if (atomic_fetch_sub(&call->owners, 1) != 1)
        return;
    call->release(call);
    if (call->ended_fd >= 0)
        (void)close(call->ended_fd);
    free(call);
}

static void *thread_main(void *argument)
{
    struct ra_virt_call *call = argument;
    const uint64_t one = 1;

    call->result = call->run(call, &call->err);
    atomic_store(&call->ended, true);
    while (write(call->ended_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        continue;
    disown(call);
    return NULL;
}

int ra_virt_call_start(struct ra_virt_call *call, struct ra_error *err)
{
    sigset_t all;
    sigset_t before;
    int rc;

    call->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (call->ended_fd < 0)
        return ra_error_set_errno(err, errno, "cannot create an eventfd");
    /* Signals are for the thread that waits. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    atomic_store(&call->owners, 2);
    rc = pthread_create(&call->thread, NULL, thread_main, call);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        atomic_store(&call->owners, 1);
        return ra_error_set_errno(err, rc, "cannot start a thread");
    }
    call->started = true;
    return 0;
}

bool ra_virt_call_wait(struct ra_virt_call *call, struct ra_deadline deadline, int cancel_fd)
{
    struct pollfd fds[] = { { .fd = call->ended_fd, .events = POLLIN },
                            { .fd = cancel_fd, .events = POLLIN } };

    while (!atomic_load(&call->ended)) {
        int count = poll(fds, 2, ra_deadline_remaining_int_ms(deadline));

        if (count == 0 || (count < 0 && errno != EINTR) || (count > 0 && fds[1].revents != 0))
            break;
        if (ra_deadline_expired(deadline))
            break;
    }
    return atomic_load(&call->ended);
}

int ra_virt_call_result(struct ra_virt_call *call, struct ra_error *err)
{
    (void)pthread_join(call->thread, NULL);
    call->started = false;
    if (call->result != 0 && err != NULL)
        *err = call->err;
    return call->result;
}

int ra_virt_call_run(struct ra_virt_call *call, struct ra_deadline deadline, struct ra_error *err,
                     const char *what, ...)
{
    char text[256];
    va_list args;

    va_start(args, what);
    (void)vsnprintf(text, sizeof(text), what, args);
    va_end(args);
    RA_LOG_CALL("%s", text);
    if (ra_virt_call_start(call, err) != 0)
        return -1;
    if (!ra_virt_call_wait(call, deadline, -1))
        return ra_error_set(err, RA_ERROR_TIMEOUT, "timed out while %s", text);
    return ra_virt_call_result(call, err);
}

void ra_virt_call_drop(struct ra_virt_call *call)
{
    if (call == NULL)
        return;
    if (call->started)
        (void)pthread_detach(call->thread);
    disown(call);
}
