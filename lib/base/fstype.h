/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is known about types of file systems: a row for each type, and nothing about a type stands
 * anywhere else. A new type is a row in fstype.c. Pure.
 */
#ifndef RA_BASE_FSTYPE_H
#define RA_BASE_FSTYPE_H

#include <stdbool.h>

#include "base/export.h"

RA_EXPORT_BEGIN

enum ra_fstype_kind {
    RA_FSTYPE_LOCAL,   /* on a device that one node mounts at a time */
    RA_FSTYPE_CLUSTER, /* on a device that several nodes may mount at a time */
    RA_FSTYPE_NETWORK, /* a server has it, which may cease to answer */
    RA_FSTYPE_FUSE,    /* a process of this node serves it, which may cease to answer */
    RA_FSTYPE_PSEUDO,  /* no device of its own: memory, or directories of other file systems */
};

struct ra_fstype {
    const char *name; /* as an administrator writes it and, unless `kernel_name`, mountinfo */
    enum ra_fstype_kind kind;
    const char *kernel_name; /* types with the same one are shown for one another; NULL: name */

    bool named;          /* the source is a name, even if it looks like a path */
    bool shares_device;  /* several mounts of one device, subvolumes for example, are normal */
    bool clone_safe;     /* may be mounted on several nodes at a time, writable */
    bool clone_hostile;  /* mounting it changes the device, even read-only */
    bool needs_no_fsck;  /* has a journal, no device or no checker */
    bool read_only;      /* often cannot be written to, so a start may end read-only */
    bool constant;       /* can never be written to: no mount of it excludes another */
    bool needs_helper;   /* the kernel cannot mount it without the program mount.NAME */
    bool may_shut_down;  /* gives up after an error without saying so in the mount table */
    bool owns_daemon;    /* each mount has a FUSE daemon of its own, which ends with the mount */
    bool asks_elsewhere; /* even a question about an open file may wait for the server */
};

/*
 * The row for a type as configured or as in mountinfo; FUSE's "fuse.NAME" is the row of NAME where
 * there is one of a network. Never NULL: what is unknown, empty or NULL is a local file system of
 * which nothing else is known.
 */
const struct ra_fstype *ra_fstype_find(const char *name);

/* True if mounting `configured` can be what mountinfo shows as `kernel`. NULL, "", "auto" and
 * "none" can be anything. */
bool ra_fstype_matches(const char *kernel, const char *configured);

/* True for a type whose server or daemon may cease to answer. */
bool ra_fstype_is_remote(const struct ra_fstype *type);

/* True for a type that one mount at a time may have on its device. */
bool ra_fstype_is_exclusive(const struct ra_fstype *type);

RA_EXPORT_END

#endif
