/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/fstype.h"

#include <stddef.h>
#include <string.h>

#include "base/text.h"

#define LOCAL    .kind = RA_FSTYPE_LOCAL
#define CLUSTER  .kind = RA_FSTYPE_CLUSTER
#define NETWORK  .kind = RA_FSTYPE_NETWORK, .named = true, .needs_no_fsck = true
#define PSEUDO   .kind = RA_FSTYPE_PSEUDO, .needs_no_fsck = true
#define JOURNAL  .needs_no_fsck = true
#define CONSTANT .read_only = true, .constant = true

/* clang-format off */
static const struct ra_fstype types[] = {
    { .name = "ext2", LOCAL },
    { .name = "ext3", LOCAL, JOURNAL, .clone_hostile = true },
    { .name = "ext4", LOCAL, JOURNAL, .clone_hostile = true },
    { .name = "ext4dev", LOCAL, JOURNAL, .clone_hostile = true },
    { .name = "xfs", LOCAL, JOURNAL, .clone_hostile = true, .may_shut_down = true },
    { .name = "jfs", LOCAL, JOURNAL, .clone_hostile = true },
    { .name = "reiserfs", LOCAL, JOURNAL, .clone_hostile = true },
    { .name = "reiser4", LOCAL, JOURNAL, .clone_hostile = true },
    { .name = "nss", LOCAL, JOURNAL },
    { .name = "vfat", LOCAL, .needs_no_fsck = true },
    { .name = "fat", LOCAL, .needs_no_fsck = true },
    { .name = "btrfs", LOCAL, .needs_no_fsck = true, .shares_device = true },
    { .name = "bcachefs", LOCAL, .shares_device = true },
    { .name = "zfs", LOCAL, .named = true, .needs_no_fsck = true, .shares_device = true },

    { .name = "iso9660", LOCAL, CONSTANT },
    { .name = "squashfs", LOCAL, CONSTANT },
    { .name = "erofs", LOCAL, CONSTANT },
    { .name = "cramfs", LOCAL, CONSTANT },
    { .name = "romfs", LOCAL, CONSTANT },
    { .name = "udf", LOCAL, .read_only = true },

    { .name = "gfs2", CLUSTER, .clone_safe = true, .needs_no_fsck = true, .shares_device = true },
    { .name = "ocfs2", CLUSTER, .clone_safe = true, .needs_no_fsck = true, .shares_device = true },
    { .name = "cvfs", CLUSTER, .clone_safe = true, .needs_no_fsck = true, .named = true },

    { .name = "nfs", NETWORK, .clone_safe = true, .needs_helper = true, .asks_elsewhere = true },
    { .name = "nfs4", NETWORK, .clone_safe = true, .needs_helper = true, .asks_elsewhere = true,
      .kernel_name = "nfs" },
    { .name = "efs", NETWORK, .clone_safe = true, .kernel_name = "nfs" },
    { .name = "aznfs", NETWORK, .clone_safe = true, .kernel_name = "nfs" },
    { .name = "cifs", NETWORK, .clone_safe = true, .needs_helper = true },
    { .name = "smbfs", NETWORK, .clone_safe = true, .kernel_name = "cifs" },
    { .name = "smb3", NETWORK, .clone_safe = true, .kernel_name = "cifs" },
    { .name = "ceph", NETWORK, .clone_safe = true },
    { .name = "lustre", NETWORK, .clone_safe = true },
    { .name = "glusterfs", NETWORK, .clone_safe = true, .needs_helper = true,
      .owns_daemon = true },
    { .name = "rozofs", NETWORK },
    { .name = "9p", NETWORK },
    { .name = "virtiofs", NETWORK },

    { .name = "fuse", .kind = RA_FSTYPE_FUSE },
    { .name = "fuseblk", .kind = RA_FSTYPE_FUSE },

    { .name = "none", PSEUDO, .clone_safe = true },
    { .name = "bind", PSEUDO, .clone_safe = true },
    { .name = "tmpfs", PSEUDO, .clone_safe = true, .named = true },
    { .name = "ramfs", PSEUDO, .named = true },
    { .name = "overlay", PSEUDO, .clone_safe = true, .named = true },
    { .name = "overlayfs", PSEUDO, .clone_safe = true, .named = true, .kernel_name = "overlay" },
};
/* clang-format on */

/* A FUSE file system that has no row: fuse.sshfs for example. */
static const struct ra_fstype other_fuse = { .name = "fuse.",
                                             .kind = RA_FSTYPE_FUSE,
                                             .named = true };

static const struct ra_fstype unknown = { .name = "", LOCAL };

static const struct ra_fstype *find_row(const char *name)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

const struct ra_fstype *ra_fstype_find(const char *name)
{
    bool is_fuse = name != NULL && ra_text_starts_with(name, "fuse.");
    const struct ra_fstype *row = find_row(name == NULL ? "" : is_fuse ? name + 5 : name);

    if (is_fuse && (row == NULL || row->kind != RA_FSTYPE_NETWORK))
        return &other_fuse;
    return row != NULL ? row : &unknown;
}

static const char *kernel_name(const char *name)
{
    const struct ra_fstype *row = find_row(name);

    return row != NULL && row->kernel_name != NULL ? row->kernel_name : name;
}

bool ra_fstype_matches(const char *kernel, const char *configured)
{
    if (ra_text_is_empty(configured) || strcmp(configured, "none") == 0 ||
        strcmp(configured, "auto") == 0 || strcmp(kernel, configured) == 0)
        return true;
    if (ra_text_starts_with(kernel, "fuse.") && strcmp(kernel + 5, configured) == 0)
        return true;
    return strcmp(kernel_name(kernel), kernel_name(configured)) == 0;
}

bool ra_fstype_is_remote(const struct ra_fstype *type)
{
    return type->kind == RA_FSTYPE_NETWORK || type->kind == RA_FSTYPE_FUSE;
}

bool ra_fstype_is_exclusive(const struct ra_fstype *type)
{
    return type->kind != RA_FSTYPE_CLUSTER && !type->shares_device && !type->constant;
}
