/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mount/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

#define REAP_MS           200
#define OUTPUT_MOST_BYTES 16384

/*
 * The child holds the one writing end of its lifeline, so the reading end tells of its end. What
 * it executes does not get it, and so a daemon that it leaves behind does not keep us waiting.
 */
#define LIFELINE_FD 3

struct child {
    pid_t pid;
    int lifeline;
    int reader; /* -1 without output */
};

static void set_up_descriptors(int lifeline, int writer)
{
    int null = open("/dev/null", O_RDWR);

    (void)dup2(null, STDIN_FILENO);
    (void)dup2(writer >= 0 ? writer : null, STDOUT_FILENO);
    (void)dup2(writer >= 0 ? writer : null, STDERR_FILENO);
    if (lifeline != LIFELINE_FD)
        (void)dup3(lifeline, LIFELINE_FD, O_CLOEXEC);
    (void)syscall(SYS_close_range, LIFELINE_FD + 1U, ~0U, 0U);
}

__attribute__((noreturn)) static void run_in_child(ra_mount_child_function *function,
                                                   void *argument, int lifeline, int writer)
{
    sigset_t none;

    (void)setpgid(0, 0);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGPIPE, SIG_DFL);
    ra_log_set_sink(NULL);
    set_up_descriptors(lifeline, writer);
    _exit(function(argument) & 0xff);
}

static int start(ra_mount_child_function *function, void *argument, bool with_output,
                 struct child *child, struct ra_error *err)
{
    int lifeline[2], output[2] = { -1, -1 };

    if (pipe2(lifeline, O_CLOEXEC) != 0)
        return ra_error_set_errno(err, errno, "cannot make a pipe");
    child->lifeline = lifeline[0];
    if (with_output && pipe2(output, O_CLOEXEC | O_NONBLOCK) != 0) {
        (void)close(lifeline[1]);
        return ra_error_set_errno(err, errno, "cannot make a pipe");
    }
    child->reader = output[0];
    child->pid = fork();
    if (child->pid == 0) {
        /* Only our end is non-blocking. */
        if (with_output)
            (void)fcntl(output[1], F_SETFL, 0);
        run_in_child(function, argument, lifeline[1], output[1]);
    }
    (void)close(lifeline[1]);
    ra_cleanup_close(&output[1]);
    if (child->pid < 0)
        return ra_error_set_errno(err, errno, "cannot make a process");
    (void)setpgid(child->pid, child->pid);
    return 0;
}

static bool drain(int fd, struct ra_text_buffer *output)
{
    char chunk[4096];
    ssize_t count;

    while ((count = read(fd, chunk, sizeof(chunk))) > 0)
        if (output->used_bytes + (size_t)count <= OUTPUT_MOST_BYTES)
            ra_text_buffer_add_bytes(output, chunk, (size_t)count);
    return count < 0 && (errno == EAGAIN || errno == EINTR);
}

/* True when the child has ended, false when the deadline came first. */
static bool follow(const struct child *child, struct ra_deadline deadline,
                   struct ra_text_buffer *output)
{
    struct pollfd fds[] = { { .fd = child->lifeline, .events = POLLIN },
                            { .fd = child->reader, .events = POLLIN } };

    for (;;) {
        if (poll(fds, 2, ra_deadline_remaining_int_ms(deadline)) < 0 && errno != EINTR)
            return false;
        if (fds[1].revents != 0 && output != NULL && !drain(child->reader, output))
            fds[1].fd = -1;
        if (fds[0].revents != 0) {
            if (output != NULL)
                (void)drain(child->reader, output);
            return true;
        }
        if (ra_deadline_expired(deadline))
            return false;
    }
}

static void abandon(const struct child *child)
{
    struct pollfd ended = { .fd = child->lifeline, .events = POLLIN };

    (void)kill(-child->pid, SIGKILL);
    (void)kill(child->pid, SIGKILL);
    if (poll(&ended, 1, REAP_MS) > 0)
        (void)waitpid(child->pid, NULL, 0);
}

int ra_mount_child_run(ra_mount_child_function *function, void *argument,
                       struct ra_deadline deadline, struct ra_text_buffer *output, int *ret_status,
                       struct ra_error *err)
{
    struct child child = { .pid = -1, .lifeline = -1, .reader = -1 };
    int result = 1;
    int status;

    if (start(function, argument, output != NULL, &child, err) != 0)
        result = -1;
    else if (!follow(&child, deadline, output))
        abandon(&child);
    else if (waitpid(child.pid, &status, 0) != child.pid)
        result = ra_error_set_errno(err, errno, "cannot collect a process");
    else if (!WIFEXITED(status))
        result = ra_error_set(err, RA_ERROR_SYSTEM, "a helper process was ended by signal %d",
                              WTERMSIG(status));
    else {
        *ret_status = WEXITSTATUS(status);
        result = 0;
    }
    ra_cleanup_close(&child.lifeline);
    ra_cleanup_close(&child.reader);
    return result;
}
