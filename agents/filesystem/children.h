/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Processes that mount, unmount and check, which may outlive their action. */
#ifndef RA_AGENTS_FILESYSTEM_CHILDREN_H
#define RA_AGENTS_FILESYSTEM_CHILDREN_H

#include <stdbool.h>

#include "base/deadline.h"
#include "base/error.h"
#include "mount/child.h"

struct subject;

enum child_work { CHILD_MOUNTS, CHILD_UNMOUNTS, CHILD_CHECKS };

/* A process that works for us, of this action or an earlier one. */
struct child_record {
    enum child_work work;
    struct ra_mount_child_id id;
};

/* Read which ones earlier actions have left; damage is a state_error. */
void subject_recall_children(struct subject *subject);

/* For the mount library: writes down each process before it begins, until it has ended. */
struct ra_mount_child_watch subject_watch(struct subject *subject, enum child_work work);

/* Does one still run? Nothing is written. Errors: BUSY with its number. */
int subject_check_children(const struct subject *subject, struct ra_error *err);

/*
 * Kill those that are left, or those alone that mount, and wait for their end; the mount table is
 * to be read again then. Errors: BUSY with the number of one that does not end.
 */
int subject_await_children(struct subject *subject, bool mounts_only, struct ra_deadline deadline,
                           struct ra_error *err);

#endif
