/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One action's view of the resource: what should be mounted, and what is. */
#ifndef RA_AGENTS_FILESYSTEM_SUBJECT_H
#define RA_AGENTS_FILESYSTEM_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/deadline.h"
#include "base/error.h"
#include "children.h"
#include "config.h"
#include "devices.h"
#include "gluster.h"
#include "mount/backend.h"
#include "runtime/action.h"
#include "state.h"

struct subject {
    const struct ra_context *context;
    const struct filesystem_config *config;
    const struct ra_mount_backend *mount;
    struct ra_mount_table *table;
    char *directory; /* canonical; NULL if neither a sound parameter nor the state tell it */
    bool has_spec;
    struct ra_error spec_error; /* what is wrong with the device parameter; kind 0: nothing */
    struct ra_mount_spec spec;
    struct ra_mount_memory memory;
    struct ra_gluster_source gluster; /* volume NULL: not glusterfs */
    bool has_state;
    struct state state;
    struct child_record *children; /* that have not been seen to end */
    size_t child_count;
    struct seen_mount *seen;
    size_t seen_count;
    bool resolve_failed;         /* the device parameter leads nowhere, or not in time */
    struct ra_error state_error; /* there is a state, but it cannot be used; kind 0: fine */
};

/* Where our mount is in the stack of mounts on the directory. */
struct layers {
    const struct ra_mount_entry *top; /* what a user of the directory sees mounted there, or NULL */
    enum ra_mount_match top_match;
    const struct ra_mount_entry *ours; /* the topmost mount of ours on the directory, or NULL */
    bool covered;                      /* ours is below another mount, or hidden with its parent */
    const struct ra_mount_entry *unclear; /* one that may be ours; only if `ours` is NULL */
};

/*
 * Load the mount library, read the state and the mount table, resolve the directory. Errors:
 * MISSING (library), TIMEOUT, SYSTEM. Parameters that are missing or wrong are no error here: the
 * state stands in for them. Without a directory from either nothing can be looked at; without a
 * device from either there is no specification, and no mount can be told ours or foreign.
 */
int subject_open(struct subject *subject, const struct ra_context *context, struct ra_error *err);
void subject_close(struct subject *subject);

/* Read the mount table again; entries of the old one are gone. */
int subject_refresh(struct subject *subject, struct ra_error *err);

/*
 * Look at the directory, or another one. The device is resolved only if the answer depends on it;
 * if it cannot be, mounts that might be ours are `unclear`.
 */
struct layers subject_look(struct subject *subject, const char *directory);

/* Where `force_unmount=move` puts the mount while it is being stopped; new memory. */
char *subject_moved_directory(const struct subject *subject);

/* Is the mount read-only though it was not asked to be? Returns the reason, or NULL. */
const char *subject_lost_write(const struct subject *subject, const struct ra_mount_entry *entry);

/* Is it a device or an image, by what the parameters say or by what the state says of them? */
bool subject_is_on_device(const struct subject *subject);

/*
 * True for a device that nobody else may have mounted while we have, or once we have stopped: not
 * for cluster file systems, btrfs, and what is mounted read-only. Of a start the parameters tell;
 * of what was mounted, the mount as this action has seen it, or the state.
 */
bool subject_is_exclusive(const struct subject *subject);

/* The same of one mount of ours. */
bool subject_is_mount_exclusive(const struct subject *subject, const struct ra_mount_entry *entry);

/*
 * A sign of life of a FUSE or network mount, nothing for others. Errors: UNREACHABLE with the
 * cause as far as it can be told, TIMEOUT.
 */
int subject_probe(const struct subject *subject, const struct ra_mount_entry *entry,
                  struct ra_deadline deadline, struct ra_error *err);

#endif
