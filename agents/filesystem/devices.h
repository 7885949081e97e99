/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The devices that our file system is or was on. */
#ifndef RA_AGENTS_FILESYSTEM_DEVICES_H
#define RA_AGENTS_FILESYSTEM_DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "mount/table.h"

struct subject;

/* A mount of ours that this action has seen, and takes away perhaps. */
struct seen_mount {
    dev_t devno;
    char *identity;
    bool is_exclusive;
    bool has_image; /* it is a loop device, and this is its file */
    char *image;
    dev_t image_devno;
    ino_t image_inode;
};

/* Keep what a mount of ours is on. */
void subject_note_mount(struct subject *subject, const struct ra_mount_entry *entry);
void subject_free_seen(struct subject *subject);

/*
 * The file that a mount's loop device is bound to: its path, new memory, and its numbers, inode 0
 * if they cannot be told within two seconds. False if there is none.
 */
bool subject_image_of(const struct subject *subject, const struct ra_mount_entry *entry,
                      char **ret_path, dev_t *ret_devno, ino_t *ret_inode);

/* Where does the device parameter lead now? False: nowhere, or not within two seconds. */
bool subject_resolve(struct subject *subject);

struct device {
    dev_t devno;
    /* False: the state's number, which may be another device's by now; it can be asked whether it
     * is free, but nothing that is mounted from it may be touched. */
    bool is_proven;
};

/* Initialise with { 0 }; release with devices_free(). */
struct devices {
    struct device *items;
    size_t count;
    bool is_known; /* false: of what the file system was on nothing at all is known */
};
void devices_free(struct devices *devices);

/* Errors: SYSTEM (whether a loop device is bound to the image cannot be told). */
int subject_find_devices(struct subject *subject, struct devices *ret_devices,
                         struct ra_error *err);

/* True if `entry` is on one of them and not on our directory. */
bool subject_is_elsewhere(const struct subject *subject, const struct devices *devices,
                          const struct ra_mount_entry *entry);

#endif
