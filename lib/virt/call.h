/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Calls into libvirt with a deadline.
 *
 * libvirt's client waits for its daemon without limit, and its keepalive finds a dead peer but not
 * a daemon that is stopped or stuck. So every call that may reach a daemon runs in a thread of its
 * own, and the caller waits for the thread no longer than its deadline. A call that has not ended
 * by then is abandoned: the thread stays blocked in libvirt, owns everything the call uses, and
 * frees it if the daemon ever answers; the caller goes on, which is what lets a stop fall back on
 * the emulator's process. A thread and not a child process, because a connection made by one call
 * is used by the next. No libvirt event loop is needed: nothing here waits for libvirt's events.
 *
 * Private to this backend.
 */
#ifndef RA_VIRT_CALL_H
#define RA_VIRT_CALL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/error.h"

/* The first member of a struct that also holds the call's arguments and results. */
struct ra_virt_call {
    /* Runs in the call's thread. Returns 0, or -1 with *err filled in. */
    int (*run)(struct ra_virt_call *call, struct ra_error *err);
    /* Releases the members of the struct, not the struct; in either thread, when both are done. */
    void (*release)(struct ra_virt_call *call);

    int result;
    struct ra_error err;
    pthread_t thread;
    bool started;
    int ended_fd; /* an eventfd, readable when `run` has returned */
    atomic_bool ended;
    atomic_int owners; /* the caller and, while it runs, the thread */
};

/* A zeroed struct of `size_bytes` that starts with a struct ra_virt_call. Never NULL. */
void *ra_virt_call_new(size_t size_bytes, int (*run)(struct ra_virt_call *, struct ra_error *),
                       void (*release)(struct ra_virt_call *));

/* Start the thread. Does not block. Errors: SYSTEM. */
int ra_virt_call_start(struct ra_virt_call *call, struct ra_error *err);

/*
 * Wait until the call has ended, the deadline has passed, or `cancel_fd` (-1: none) is readable.
 * True if it has ended; ra_virt_call_result() may be asked then, and the results read.
 */
bool ra_virt_call_wait(struct ra_virt_call *call, struct ra_deadline deadline, int cancel_fd);

/* What `run` returned. Blocks for the thread's last instructions only. */
int ra_virt_call_result(struct ra_virt_call *call, struct ra_error *err);

/*
 * Start, wait, result. A call that has not ended by the deadline is RA_ERROR_TIMEOUT: "timed out
 * while `what`"; `what` starts with a participle, and is the mark in the trace too.
 */
int ra_virt_call_run(struct ra_virt_call *call, struct ra_deadline deadline, struct ra_error *err,
                     const char *what, ...) __attribute__((format(printf, 4, 5)));

/* The caller is done with the call: free it, or leave it to its thread. NULL is allowed. */
void ra_virt_call_drop(struct ra_virt_call *call);

static inline void ra_cleanup_virt_call(void *pointer_to_pointer)
{
    ra_virt_call_drop(*(struct ra_virt_call **)pointer_to_pointer);
}
#define ra_auto_virt_call RA_CLEANUP(ra_cleanup_virt_call)

#endif
