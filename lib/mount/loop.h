/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Files that are mounted through loop devices: which file a loop device is bound to, and which loop
 * devices a file is bound to. A file has a path, which the kernel keeps up to date when it is
 * renamed, and the two numbers of stat(2), by which it is known under any other name: a hard link,
 * another mount of its file system.
 */
#ifndef RA_MOUNT_LOOP_H
#define RA_MOUNT_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "base/error.h"

struct ra_mount_image {
    const char *path; /* canonical */
    bool has_file;    /* the numbers are known */
    dev_t devno;
    ino_t inode;
};

/*
 * The path of the file that the loop device is bound to, new memory; NULL if it is bound to none,
 * is no loop device, or it cannot be told. Reads sysfs, does not block.
 */
char *ra_mount_loop_path(dev_t loop);

/*
 * The numbers of that file, from LOOP_GET_STATUS64 (loop(4)); false if the device does not tell
 * them before the deadline: the file system that holds the file may be silent.
 */
bool ra_mount_loop_numbers(dev_t loop, struct ra_deadline deadline, dev_t *ret_devno,
                           ino_t *ret_inode);

/*
 * The loop devices that are bound to the image, whoever bound them and by whichever name.
 * *ret_devices is new memory that the caller frees. A device that is bound to another path and does
 * not tell its file's numbers counts as another image's. Errors: SYSTEM, TIMEOUT.
 */
int ra_mount_image_find_loops(const struct ra_mount_image *image, struct ra_deadline deadline,
                              dev_t **ret_devices, size_t *ret_count, struct ra_error *err);

#endif
