/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The unmount ladder. */
#ifndef RA_AGENTS_FILESYSTEM_UNMOUNT_H
#define RA_AGENTS_FILESYSTEM_UNMOUNT_H

#include "base/error.h"
#include "subject.h"

/*
 * Take `directory`'s topmost mount away, which must be the one with this id, with everything that
 * is mounted inside it: the ladder of umount, TERM, KILL, MNT_FORCE. Waits for the end of a
 * glusterfs client, or kills it, and for the end of every umount(2) that was begun. Errors: BUSY
 * with the users' names, TIMEOUT, SYSTEM.
 */
int filesystem_unmount(struct subject *subject, int mount_id, struct ra_error *err);

#endif
