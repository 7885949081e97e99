/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a resource mounts, and whether a given mount is that. A specification is made from the
 * administrator's device, type and options; resolving it finds the device number, or, for a bind,
 * the file system and directory that it shows. A mount is recognised by these, or by the exact
 * text of its source, never by parts of a text.
 */
#ifndef RA_MOUNT_SPEC_H
#define RA_MOUNT_SPEC_H

#include "base/deadline.h"
#include "mount/table.h"

enum ra_mount_class {
    RA_MOUNT_BLOCK, /* a block device: path or tag */
    RA_MOUNT_IMAGE, /* a file that is mounted through a loop device */
    RA_MOUNT_BIND,  /* a directory that is mounted a second time */
    RA_MOUNT_NAMED, /* anything else: known by the text of its source alone (network, tmpfs) */
};

enum ra_mount_match {
    RA_MOUNT_OURS,
    RA_MOUNT_FOREIGN, /* proven to be something else */
    RA_MOUNT_UNCERTAIN,
};

/*
 * How a mount looked when it was made; recognises it when its device can no longer be asked. It
 * only ever says that a mount is ours, never that one is not: names lead elsewhere in time.
 */
struct ra_mount_memory {
    dev_t devno;
    const char *identity; /* of the device, see mount/device.h; NULL: it had none */
    const char *root;     /* NULL: nothing is known of a mount */
    const char *fstype;
    const char *source;
    const char *image; /* IMAGE: canonical path of the file, or NULL */
    dev_t image_devno;
    ino_t image_inode; /* 0: not known */
};

struct ra_mount_spec {
    enum ra_mount_class class;
    char *source; /* for mount(2) and libmount: tags as "UUID=..." */
    char *fstype; /* NULL: let libmount find it */
    char *options;
    char *const *aliases; /* NULL-terminated, or NULL: further texts for the source; not owned */
    const struct ra_mount_memory *memory; /* or NULL; not owned */
    bool resolved;
    dev_t devno;      /* BLOCK: of the device. BIND: of the file system */
    char *root;       /* BIND: directory in that file system */
    char *path;       /* IMAGE: canonical; BLOCK: of the device */
    dev_t file_devno; /* IMAGE: the file's numbers */
    ino_t file_inode;
};

/*
 * Make a specification. Understood are paths, `-U`, `-L`, `--uuid`, `--label` with their value in
 * the same text, tags as in fstab(5), and anything else as a name. No I/O except, for a path whose
 * class neither type nor options tell, one stat(2). Errors: CONFIG (a device option without a
 * value). The caller releases with ra_mount_spec_free().
 */
int ra_mount_spec_make(const char *device, const char *fstype, const char *options,
                       struct ra_mount_spec *ret_spec, struct ra_error *err);
void ra_mount_spec_free(struct ra_mount_spec *spec);
#define ra_auto_mount_spec RA_CLEANUP(ra_mount_spec_free)

/*
 * Find the device number and the like. For a tag libblkid asks udev's links or the devices; for a
 * bind the source's path is resolved: both can block on storage that does not answer. An image's
 * path is resolved in a child, until the deadline. Errors: MISSING (no such device, directory or
 * file on this node), TIMEOUT, SYSTEM.
 */
int ra_mount_spec_resolve(struct ra_mount_spec *spec, const struct ra_mount_table *table,
                          struct ra_deadline deadline, struct ra_error *err);

/* True if this is the mount of spec->memory. Reads sysfs of the device at most. */
bool ra_mount_spec_remembers(const struct ra_mount_spec *spec, const struct ra_mount_entry *entry);

/*
 * Is this mount what the specification says? Its mount point is not looked at. UNCERTAIN only if
 * the specification is not resolved. Of a loop device that is bound to another path than the
 * image's the file's numbers are asked, which takes two seconds if it is silent.
 */
enum ra_mount_match ra_mount_spec_match(const struct ra_mount_spec *spec,
                                        const struct ra_mount_entry *entry);

#endif
