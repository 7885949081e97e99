/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * System calls that cannot be interrupted, in a process that can be left behind. mount(2),
 * umount2(2) and a look at a file system that does not answer may sleep where even SIGKILL waits;
 * so a child makes the call and the caller waits for it no longer than it has time.
 */
#ifndef RA_MOUNT_CHILD_H
#define RA_MOUNT_CHILD_H

#include "base/deadline.h"
#include "base/error.h"
#include "base/text.h"

/* Runs in the child; the result, 0..255, is its exit status. */
typedef int ra_mount_child_function(void *argument);

/*
 * Run `function` in a child that leads its own process group. With `output`, what it and its own
 * children print is collected there and its standard input is empty; without, it has no open
 * descriptor at all. Blocks until it ended or the deadline passed; then the group is killed, and
 * if it cannot be reaped at once it stays behind: 1 is returned. 0: it ended by itself with
 * *ret_status. -1: it could not be run (SYSTEM) or a signal ended it.
 */
int ra_mount_child_run(ra_mount_child_function *function, void *argument,
                       struct ra_deadline deadline, struct ra_text_buffer *output, int *ret_status,
                       struct ra_error *err);

#endif
