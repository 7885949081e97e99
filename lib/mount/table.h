/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The mounts of this process's namespace, from /proc/self/mountinfo (proc_pid_mountinfo(5)) read
 * through libmount: exact texts, the device number, and the `root` field that tells one bind or
 * btrfs subvolume from another. Nothing here touches the mounted file systems, so nothing here
 * can hang on one of them.
 */
#ifndef RA_MOUNT_TABLE_H
#define RA_MOUNT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"

struct ra_mount_table;

/* One mount. Belongs to its table. The texts are never NULL. */
struct ra_mount_entry {
    int id;
    int parent_id;
    dev_t devno;             /* of the superblock, st_dev of what is inside */
    const char *root;        /* the directory of that file system which is mounted */
    const char *target;      /* the mount point */
    const char *fstype;      /* "ext4", "fuse.glusterfs" */
    const char *source;      /* as its mounter wrote it */
    const char *vfs_options; /* of this mount: "rw,noatime" */
    const char *fs_options;  /* of the superblock: "ro,errors=remount-ro" */
};

/*
 * Read the table; `path` NULL means /proc/self/mountinfo. The caller frees. Should a mount come or
 * go while the kernel's text is read in pieces, it is read again, up to ten times; on a node where
 * that happens all the time the last reading counts, which since Linux 5.8 has every mount that
 * was there from its beginning to its end.
 * A line that cannot be understood is an error (PROTOCOL), because a table with holes would prove
 * the absence of a mount that is there.
 */
int ra_mount_table_read(const char *path, struct ra_mount_table **ret_table, struct ra_error *err);

/* The same from a text of that form. */
int ra_mount_table_parse(const char *text, struct ra_mount_table **ret_table, struct ra_error *err);

/* NULL is allowed. */
void ra_mount_table_free(struct ra_mount_table *table);
static inline void ra_cleanup_mount_table(struct ra_mount_table **table)
{
    ra_mount_table_free(*table);
}
#define ra_auto_mount_table RA_CLEANUP(ra_cleanup_mount_table)

/* All mounts, in the kernel's order. */
size_t ra_mount_table_count(const struct ra_mount_table *table);
const struct ra_mount_entry *ra_mount_table_at(const struct ra_mount_table *table, size_t index);

/* The mount that `entry` was mounted on; NULL for the root of what we can see. */
const struct ra_mount_entry *ra_mount_table_parent(const struct ra_mount_table *table,
                                                   const struct ra_mount_entry *entry);

/*
 * The mount that a walk along the absolute, normalised `path` ends in, symbolic links aside: of
 * several mounts on one directory the topmost, and none that another mount hides. NULL only for
 * an empty table.
 */
const struct ra_mount_entry *ra_mount_table_visible(const struct ra_mount_table *table,
                                                    const char *path);

/* True if `entry` sits, directly or over others, on `ancestor`; a mount does not sit on itself. */
bool ra_mount_table_is_above(const struct ra_mount_table *table, const struct ra_mount_entry *entry,
                             const struct ra_mount_entry *ancestor);

#endif
