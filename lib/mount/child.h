/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * System calls that cannot be interrupted, in a process that can be left behind. mount(2),
 * umount2(2) and a look at a file system that does not answer may sleep where even SIGKILL waits;
 * so a child makes the call and the caller waits for it no longer than it has time. What is left
 * behind then still does its work some day: whoever must know whether it has, keeps its id.
 */
#ifndef RA_MOUNT_CHILD_H
#define RA_MOUNT_CHILD_H

#include <stdint.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/text.h"

/* Runs in the child; the result, 0..255, is its exit status. */
typedef int ra_mount_child_function(void *argument);

/*
 * For such a function: kill what descends from this child and wait for its end, however long that
 * takes. As long as one of them is in the kernel, the child is there to tell of it.
 */
void ra_mount_child_end_descendants(void);

/*
 * A child as it can be found again, by this process or another of the same boot. It leads a session
 * and a process group of its own number, in which its own children are, so that the three together
 * name all that runs for it. A later process of the same number has another start time; as long as
 * it is there, nothing that runs is the child's, whatever group or session it is in.
 */
struct ra_mount_child_id {
    pid_t pid;
    pid_t session;
    uint64_t start_ticks; /* field 22 of /proc/PID/stat */
};

/*
 * Told of a child: `began` when it exists and before it does anything, so that whatever is written
 * down there is true even if this process is killed in the next moment; if it fails, the child
 * ends without having done anything. `ended` when the child has ended by itself with a status, or
 * when nothing of it runs any more; not called for one that is left behind.
 */
struct ra_mount_child_watch {
    int (*began)(void *argument, const struct ra_mount_child_id *id, struct ra_error *err);
    void (*ended)(void *argument, const struct ra_mount_child_id *id);
    void *argument;
};

/*
 * Run `function` in a child that leads its own process group. With `output`, what it and its own
 * children print is collected there and its standard input is empty; without, it has no open
 * descriptor at all. Blocks until it ended or the deadline passed; then the child is killed with
 * its group and everything else that descends from it, and if it cannot be reaped at once it stays
 * behind: 1 is returned. 0: it ended by itself with *ret_status. -1: it could not be run (SYSTEM,
 * or the error of watch->began) or a signal ended it. `watch` may be NULL.
 */
int ra_mount_child_run(ra_mount_child_function *function, void *argument,
                       const struct ra_mount_child_watch *watch, struct ra_deadline deadline,
                       struct ra_text_buffer *output, int *ret_status, struct ra_error *err);

/*
 * Does anything of the child still run? The number of such a process, or 0 with the proof that
 * there is none: neither the child nor a process of its group. If /proc cannot be read, that is
 * the child's number. Does not block.
 */
pid_t ra_mount_child_running(const struct ra_mount_child_id *id);

/*
 * Kill (SIGKILL) the child, its group and what descends from it, if the child is still there. What
 * its group has left without it is not touched: by its number alone it might be a stranger's.
 */
void ra_mount_child_kill(const struct ra_mount_child_id *id);

/* Wait for its end: 0, or the number of a process that still runs at the deadline. */
pid_t ra_mount_child_wait(const struct ra_mount_child_id *id, struct ra_deadline deadline);

#endif
