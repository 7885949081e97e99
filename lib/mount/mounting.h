/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Mounting by libmount, unmounting by umount2(2), checking by fsck(8), and asking a mounted file
 * system for a sign of life: each in a child, so that the caller's deadline holds whatever the file
 * system does.
 */
#ifndef RA_MOUNT_MOUNTING_H
#define RA_MOUNT_MOUNTING_H

#include <stdbool.h>

#include "base/deadline.h"
#include "base/error.h"
#include "mount/child.h"

struct ra_mount_request {
    const char *source;     /* path, tag ("UUID=..."), network source */
    const char *target;     /* an existing directory */
    const char *fstype;     /* NULL: found out by libmount */
    const char *options;    /* as of mount(8) -o, or NULL */
    bool read_only_is_fine; /* a device that refuses writing may be mounted read-only instead */
};

/*
 * Mount as mount(8) would without looking at fstab: tags, loop devices, binds with options, and
 * the helpers /sbin/mount.TYPE with all that they start. What they leave behind stays if the mount
 * is there, and is ended if it is not. 0 means that libmount and the helper said so; only the mount
 * table proves it. After a TIMEOUT the mount may still come, unless `watch` (or NULL, see child.h)
 * was told that its process has ended. Errors: MISSING (device, helper or file system type not on
 * this node), PERMISSION (write- protected device), TIMEOUT, SYSTEM with libmount's sentence and
 * the helper's last words.
 */
int ra_mount_mount(const struct ra_mount_request *request, const struct ra_mount_child_watch *watch,
                   struct ra_deadline deadline, struct ra_error *err);

/*
 * Have fsck(8) repair the unmounted device at `path` without asking (-p). `fstype` may be NULL.
 * *ret_status is its exit status, or 128 + the signal that ended it; what it says is added to
 * `output`. It and the checkers that it runs may go on, and write, after a TIMEOUT, unless `watch`
 * was told that they have ended. Errors: MISSING (no fsck on this node), TIMEOUT, SYSTEM.
 */
int ra_mount_check(const char *path, const char *fstype, const struct ra_mount_child_watch *watch,
                   struct ra_deadline deadline, struct ra_text_buffer *output, int *ret_status,
                   struct ra_error *err);

/*
 * One umount2(target, UMOUNT_NOFOLLOW), with `force` MNT_FORCE too: FUSE and network file systems
 * then give up the requests they wait for. Takes the topmost mount of the directory away.
 * The kernel does that first and writes back afterwards: the table may be without the mount while
 * the call, and what `watch` is told of, goes on.
 * Errors: BUSY, TIMEOUT (the kernel is still at it: writing back, or waiting for a server),
 * NOT_FOUND (nothing is mounted there), SYSTEM.
 */
int ra_mount_unmount(const char *target, bool force, const struct ra_mount_child_watch *watch,
                     struct ra_deadline deadline, struct ra_error *err);

/*
 * Ask what is mounted at `target` for the attributes of its root directory, past every cache
 * (statx(2) with AT_STATX_FORCE_SYNC): on FUSE one request to its daemon, which glusterfs
 * answers only with a quorum of bricks; on NFS one to the server.
 * Errors: UNREACHABLE with the system's reason (ENOTCONN: daemon dead or quorum lost; ESTALE;
 * EIO), TIMEOUT (no answer until the deadline; the asking process is left behind if the kernel
 * cannot let it go).
 */
int ra_mount_probe(const char *target, struct ra_deadline deadline, struct ra_error *err);

/*
 * Create `directory` and what is missing above it, mode 0755, unless it is there. Errors: SYSTEM
 * with the part that failed, TIMEOUT.
 */
int ra_mount_make_directory(const char *directory, struct ra_deadline deadline,
                            struct ra_error *err);

/*
 * `path` with symbolic links resolved; of its last component only if it is no mount point's
 * name in the table, so that no mounted file system is asked. New memory for the caller. A
 * component that does not exist stays as it is. Errors: CONFIG (not absolute), TIMEOUT, SYSTEM.
 */
struct ra_mount_table;
int ra_mount_canonicalise(const struct ra_mount_table *table, const char *path,
                          struct ra_deadline deadline, char **ret_path, struct ra_error *err);

#endif
