/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The process that serves a FUSE mount: the one that has the mount's /dev/fuse connection open.
 */
#ifndef RA_MOUNT_DAEMON_H
#define RA_MOUNT_DAEMON_H

#include <sys/types.h>

#include "base/deadline.h"
#include "base/error.h"
#include "mount/table.h"

struct ra_mount_daemon {
    pid_t pid; /* 0: there is none */
    int pidfd; /* of the caller; -1: there is no daemon, or it cannot be watched */
    char name[32];
};

/* True for FUSE mounts: what the other functions are for. */
bool ra_mount_is_fuse(const struct ra_mount_entry *entry);

/*
 * Find it: by the connection number that Linux 6.16 and later tell in fdinfo, before that by a
 * process with an open /dev/fuse that names the mount point among its arguments. pid 0 if there
 * is none. Walks /proc; does not block on the mount.
 */
struct ra_mount_daemon ra_mount_daemon_find(const struct ra_mount_entry *entry);

/*
 * After an unmount the daemon ends by itself. Wait until `patience` for that, then kill it, so
 * that it writes nothing more; wait until `deadline` for its end. Closes daemon->pidfd. Errors:
 * TIMEOUT (it cannot be killed), SYSTEM.
 */
int ra_mount_daemon_end(struct ra_mount_daemon *daemon, struct ra_deadline patience,
                        struct ra_deadline deadline, struct ra_error *err);

#endif
