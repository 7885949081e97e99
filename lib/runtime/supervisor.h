/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The supervisor runs an action in a worker process, because glfs_init, virConnectOpen, a dead
 * FUSE mount or a frozen NFS server cannot be cancelled. The parent loads no library and starts
 * no thread; it only listens: the worker sends what it is doing and, at last, its result. When
 * the worker does not end in time, it and everything in its session are killed; what cannot be
 * killed (a process in uninterruptible sleep) is not waited for.
 *
 * The worker dies with its parent (PR_SET_PDEATHSIG). Programs that made themselves daemons in a
 * session of their own, as a FUSE client does, are not touched.
 */
#ifndef RA_RUNTIME_SUPERVISOR_H
#define RA_RUNTIME_SUPERVISOR_H

#include "base/deadline.h"
#include "runtime/action.h"
#include "runtime/result.h"

/* The part of a timeout after which an action ends itself, and after which it is killed. */
#define RA_SUPERVISOR_ACTION_PERCENT 80
#define RA_SUPERVISOR_KILL_PERCENT   90

struct ra_supervisor_job {
    ra_action_function *run;
    const struct ra_context
        *context; /* its deadline is when a cancellable action is asked to end */
    struct ra_deadline kill_at;
    bool cancellable;
    bool quiet; /* warnings of the worker are not printed, only traced */
};

/*
 * Run the job and return its result; a worker that ended without one gives RA_ERR_GENERIC and a
 * reason that says what it was doing. Blocks until kill_at at the latest.
 */
struct ra_result ra_supervisor_run(const struct ra_supervisor_job *job);

#endif
