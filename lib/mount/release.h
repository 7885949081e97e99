/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Proof that no file system is active on a block device any more. The mount table of one namespace
 * does not give it: a container may have kept its copy of the mount, a lazy unmount goes on behind
 * the last user, and umount(2) takes a mount out of the table before it writes back. What does
 * give it is the kernel's claim on the device, asked for by number, because paths and links change.
 */
#ifndef RA_MOUNT_RELEASE_H
#define RA_MOUNT_RELEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/text.h"

/*
 * Is the device free? Opens it with O_EXCL, which the kernel refuses as long as a file system, a
 * device mapper, swap or fsck has it (open(2)). 0: nobody has it, and what was cached of it is
 * written back and dropped; or the node has no such device (any more). Blocks as long as the
 * device takes to write. `paths` as of ra_mount_device_open(). Errors: BUSY, TIMEOUT (the device
 * does not answer), SYSTEM (it cannot be told).
 */
int ra_mount_device_check_free(dev_t devno, const char *const *paths, struct ra_deadline deadline,
                               struct ra_error *err);

/* Does an exclusive open that failed with `errnum` show that nobody has claimed the device? */
bool ra_mount_open_proves_free(int errnum);

/*
 * Who keeps the device from being free, added to `text` with commas, nothing if none is found:
 * devices stacked on it; one process of each mount namespace that has it mounted; else the
 * processes that use it or files on it (fsck, or after a lazy unmount). Nothing is asked of the
 * file system. Stops at the deadline with what it has.
 */
void ra_mount_device_describe_users(dev_t devno, struct ra_deadline deadline,
                                    struct ra_text_buffer *text);

#endif
