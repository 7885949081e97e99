/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the parts of the Filesystem agent share: its parameters, and one action's view of the
 * resource ("subject"): what should be mounted, and what is.
 */
#ifndef RA_AGENTS_FILESYSTEM_H
#define RA_AGENTS_FILESYSTEM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "gluster/backend.h"
#include "mount/backend.h"
#include "runtime/action.h"
#include "runtime/result.h"

enum fsck_mode { FSCK_AUTO, FSCK_FORCE, FSCK_NO };

/* Texts may be NULL in a stop or a monitor of a resource whose parameters are missing. */
struct filesystem_config {
    const char *device;
    const char *directory;
    const char *fstype;
    const char *options;
    const char *statusfile_prefix;
    int run_fsck; /* enum fsck_mode */
    bool fast_stop;
    bool force_clones;
    const char *force_unmount;
    const char *term_signals;
    const char *kill_signals;
    int64_t signal_delay_s;
};

/* --- filesystem_config.c: parameters that have a grammar of their own --- */

/* force_unmount taken apart. */
struct force_unmount {
    bool may_signal; /* the users of the file system */
    bool move;       /* the mount away from its directory first */
};
struct force_unmount filesystem_force_unmount(const struct filesystem_config *config);

/*
 * The signals of a list, 0 at the end; unknown ones are left out, and if none is left the list is
 * `otherwise` alone.
 */
#define FILESYSTEM_SIGNALS_MOST 16
void filesystem_signals(const char *list, int otherwise, const struct ra_mount_backend *mount,
                        int ret_signals[FILESYSTEM_SIGNALS_MOST + 1]);

/* The directory parameter alone: absolute, and not the root. NULL and "" are wrong, too. */
int filesystem_check_directory(const char *directory, struct ra_error *err);

/* Everything about the parameters that can be checked without looking at this node. */
int filesystem_check_config(const struct ra_context *context, const struct ra_mount_backend *mount,
                            struct ra_error *err);

/* Is the type one of a comma-separated list? NULL and "" are in none. */
bool filesystem_type_is_in(const char *fstype, const char *list);

/* --- filesystem_gluster.c: volumes --- */

/* "server,server:/volume/directory" and the options that concern it, taken apart. */
struct gluster_source {
    char *volume;
    char *directory; /* inside the volume, "" for its root; without slashes around it */
    char **servers;
    size_t server_count;
    int port;
    char *transport;
    char **sources; /* how the kernel may call the mount: every server with the volume */
};
int filesystem_gluster_parse(const char *device, const char *options,
                             struct gluster_source *ret_source, struct ra_error *err);
void filesystem_gluster_free(struct gluster_source *source);

/* The device for mount.glusterfs with the servers from number `first` on in front; new memory. */
char *filesystem_gluster_device(const struct gluster_source *source, size_t first);

/* Attach to the volume; *ret_server is the server that answered. */
int filesystem_gluster_attach(const struct gluster_source *source, struct ra_deadline deadline,
                              size_t *ret_server, struct ra_error *err);

/* Write, sync and read back `path`, or only look if `read_only`. */
int filesystem_gluster_check(const struct gluster_source *source, const char *path, bool read_only,
                             struct ra_deadline deadline, struct ra_error *err);

/* --- filesystem_subject.c: what should be mounted, and what is --- */

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

/* A mount of ours that this action has seen, and takes away perhaps. */
struct seen_mount {
    dev_t devno;
    char *identity;
    bool has_image; /* it is a loop device, and this is its file */
    char *image;
    dev_t image_devno;
    ino_t image_inode;
};

/* A process that mounts or unmounts for us, of this action or an earlier one. */
struct child_record {
    bool mounts;
    struct ra_mount_child_id id;
};

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
    struct gluster_source gluster; /* volume NULL: not glusterfs */
    bool has_state;
    struct state state;
    struct child_record *children; /* that have not been seen to end */
    size_t child_count;
    struct seen_mount *seen;
    size_t seen_count;
    char *seen_fstype;
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

/*
 * True for a device that nobody else may have mounted while we have, or once we have stopped: not
 * for cluster file systems, btrfs, and what is mounted read-only.
 */
bool subject_is_exclusive(const struct subject *subject);

/* True for a type that several nodes, or several mounts, may share a device with. */
bool subject_is_shared(const char *fstype);

/*
 * A sign of life of a FUSE or network mount, nothing for others. Errors: UNREACHABLE with the
 * cause as far as it can be told, TIMEOUT.
 */
int subject_probe(const struct subject *subject, const struct ra_mount_entry *entry,
                  struct ra_deadline deadline, struct ra_error *err);

/* --- filesystem_devices.c: the devices that our file system is or was on --- */

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

/* --- filesystem_state.c: what one action leaves for the next ones of the same boot --- */

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

/* --- filesystem_children.c: processes that mount and unmount, which may outlive their action ---
 */

/* Read which ones earlier actions have left; damage is a state_error. */
void subject_recall_children(struct subject *subject);

/* For the mount library: writes down each process before it begins, until it has ended. */
struct ra_mount_child_watch subject_watch(struct subject *subject, bool mounts);

/* Does one still run? Nothing is written. Errors: BUSY with its number. */
int subject_check_children(const struct subject *subject, struct ra_error *err);

/*
 * Kill those that are left, or those alone that mount, and wait for their end; the mount table is
 * to be read again then. Errors: BUSY with the number of one that does not end.
 */
int subject_await_children(struct subject *subject, bool mounts_only, struct ra_deadline deadline,
                           struct ra_error *err);

/* --- filesystem_monitor.c: the status file of depth 20 --- */

/* Its name relative to the mount point; new memory. */
char *filesystem_status_file(const struct subject *subject);

/* Write something new, sync it, read it back. Blocks as long as the file system does. */
int filesystem_status_file_use(const struct subject *subject, const struct ra_mount_entry *entry,
                               struct ra_error *err);

/* Remove it if the file system answers; that it stays is no error. */
void filesystem_status_file_remove(const struct subject *subject,
                                   const struct ra_mount_entry *entry);

/* --- filesystem_monitor.c, _start.c, _stop.c, _release.c, _unmount.c --- */

struct ra_result filesystem_monitor(const struct ra_context *context);
struct ra_result filesystem_start(const struct ra_context *context);
struct ra_result filesystem_stop(const struct ra_context *context);

/*
 * Wait until the kernel has let go of every device that an exclusive file system of ours is or was
 * on; nothing is done for another one. Errors: BUSY with who has it, SYSTEM (it cannot be told).
 */
int filesystem_prove_release(struct subject *subject, struct ra_error *err);

/* The same at this moment, without waiting. */
int filesystem_check_release(struct subject *subject, struct ra_error *err);

/*
 * Take `directory`'s topmost mount away, which must be the one with this id, with everything that
 * is mounted inside it: the ladder of umount, TERM, KILL, MNT_FORCE. Waits for the end of a
 * glusterfs client, or kills it, and for the end of every umount(2) that was begun. Errors: BUSY
 * with the users' names, TIMEOUT, SYSTEM.
 */
int filesystem_unmount(struct subject *subject, int mount_id, struct ra_error *err);

#endif
