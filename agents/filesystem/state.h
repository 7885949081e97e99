/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What one action leaves for the next ones of the same boot. */
#ifndef RA_AGENTS_FILESYSTEM_STATE_H
#define RA_AGENTS_FILESYSTEM_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "mount/table.h"

struct subject;

/* What start leaves for later actions. The texts are owned; NULL if not known. */
struct state {
    char *device;         /* parameters as they were at the start */
    char *parameter;      /* directory */
    char *directory;      /* canonical */
    dev_t block;          /* the block device's number; 0: it is none, or not known */
    char *block_identity; /* what the number meant, see mount/device.h */
    char *image;          /* canonical path of a file that is mounted by a loop device */
    dev_t image_devno;
    ino_t image_inode;
    bool was_mounted; /* the rest is filled in */
    dev_t devno;
    char *identity;
    char *root;
    char *fstype;
    char *source;
    bool read_only;
};

/*
 * The state: read it, write it, remove it. Written before the mount exists it lacks what only the
 * mount tells. A state that is damaged or cannot be read is a state_error: a start was made, and
 * of what, nobody can tell. Only the mount table may then prove that the resource runs; nothing
 * proves that it does not.
 */
void subject_recall(struct subject *subject);
void subject_free_state(struct subject *subject);
int subject_remember(struct subject *subject, const struct ra_mount_entry *entry,
                     struct ra_error *err);
void subject_forget(struct subject *subject);

/*
 * Our mount as it was found: if the state says something else of it, because somebody has mounted
 * it by hand since, write the state afresh. Costs a healthy mount a look into sysfs.
 */
void subject_update(struct subject *subject, const struct ra_mount_entry *entry);

/*
 * For how long the mount has been silent, in milliseconds, counting from the first call since
 * subject_end_silence(). Survives in a state file of its own.
 */
int64_t subject_note_silence(const struct subject *subject);
void subject_end_silence(const struct subject *subject);

#endif
