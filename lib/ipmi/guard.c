/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ipmi/guard.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A signal that arrives between two system calls interrupts nothing, so it is repeated. */
#define REPEAT_NS 5000000L

/* glibc 2.36 has no name for it; sigevent(7) calls it so. */
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static void interrupt(int signal_number)
{
    (void)signal_number; /* that a system call was interrupted is the whole effect */
}

int ra_ipmi_guard_create(struct ra_ipmi_guard *guard, struct ra_error *err)
{
    const int number = SIGRTMIN;
    struct sigaction action = { .sa_handler = interrupt }; /* no SA_RESTART */
    struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = number };
    sigset_t set;

    event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, number);
    if (sigaction(number, &action, NULL) != 0 || pthread_sigmask(SIG_UNBLOCK, &set, NULL) != 0 ||
        timer_create(CLOCK_MONOTONIC, &event, &guard->timer) != 0)
        return ra_error_set_errno(err, errno, "cannot make a timer");
    guard->exists = true;
    return 0;
}

void ra_ipmi_guard_destroy(struct ra_ipmi_guard *guard)
{
    if (guard->exists)
        (void)timer_delete(guard->timer);
    guard->exists = false;
}

void ra_ipmi_guard_arm(const struct ra_ipmi_guard *guard, struct ra_deadline deadline)
{
    /* An absolute time in the past fires at once; 0 would disarm. */
    struct itimerspec when = { .it_interval = { .tv_nsec = REPEAT_NS },
                               .it_value = { .tv_sec = (time_t)(deadline.at_ms / 1000),
                                             .tv_nsec =
                                                 (long)(deadline.at_ms % 1000) * 1000000L + 1 } };

    if (when.it_value.tv_sec < 0)
        when.it_value = (struct timespec){ .tv_nsec = 1 };
    (void)timer_settime(guard->timer, TIMER_ABSTIME, &when, NULL);
}

void ra_ipmi_guard_disarm(const struct ra_ipmi_guard *guard)
{
    struct itimerspec never = { .it_value = { 0 } };

    (void)timer_settime(guard->timer, 0, &never, NULL);
}
