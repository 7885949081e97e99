/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A block device by its number. A number alone means a device only as long as that exists: the
 * kernel hands the numbers of disks, mapped and loop devices out again within a boot. What it never
 * hands out again is the disk's sequence number (Linux 5.15), which a loop device changes with each
 * file that it is bound to; a mapped device has a UUID besides.
 */
#ifndef RA_MOUNT_DEVICE_H
#define RA_MOUNT_DEVICE_H

#include <stdbool.h>
#include <sys/types.h>

enum ra_mount_same {
    RA_MOUNT_SAME,       /* the number still means that device */
    RA_MOUNT_OTHER,      /* that device is gone: the number is another's, or nobody's */
    RA_MOUNT_SAME_MAYBE, /* cannot be told */
};

/*
 * What the number's device is called in this boot and will never be another's name: new memory, one
 * line; NULL if the kernel has no such device or no such name for it. Reads sysfs, does not block.
 */
char *ra_mount_device_identity(dev_t devno);

/* Is the number's device still the one that had this identity? NULL: it had none. */
enum ra_mount_same ra_mount_device_compare(dev_t devno, const char *identity);

/* The device's name below /dev, "loop3" or "8:16" if it has none; new memory. */
char *ra_mount_device_name(dev_t devno);

/* The node has no device of that number: the kernel lists those that it has. */
bool ra_mount_device_is_gone(dev_t devno);

/*
 * Open it as open(2), by the first of `paths` (NULL-terminated, or NULL) that leads to the number,
 * else by the kernel's name for it, else by a node of our own. -1 with errno. Blocks as long as the
 * device does not answer: for a child.
 */
int ra_mount_device_open(dev_t devno, const char *const *paths, int flags);

#endif
