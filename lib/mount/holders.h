/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who keeps a mount busy. A process counts if its working directory, root, program, an open file
 * or a mapping lies on exactly this mount, known by the kernel's mount number and not by a path:
 * users of the same directory under another mount, or of the file system below a bind, are not
 * meant. In other mount namespaces the copies of the mount count. Nothing on the mount itself is
 * touched, so a dead server or FUSE daemon cannot stop the search.
 */
#ifndef RA_MOUNT_HOLDERS_H
#define RA_MOUNT_HOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/text.h"
#include "mount/table.h"

struct ra_mount_holder {
    pid_t pid;
    uint64_t start_ticks; /* tells it from a later process of the same number */
    char name[32];
    char how[32];      /* "working directory", "file 5" */
    bool is_protected; /* never to be signalled: init, this process and its ancestors, the cluster,
                          the mount's own FUSE daemon */
};

/* Initialise with { 0 }; release with ra_mount_holders_free(). */
struct ra_mount_holders {
    struct ra_mount_holder *items;
    size_t count;
};
void ra_mount_holders_free(struct ra_mount_holders *holders);
#define ra_auto_mount_holders RA_CLEANUP(ra_mount_holders_free)

/*
 * Find the processes that use `entry`. Mappings are looked through only if nothing else was
 * found, because they take the longest. `daemon` is the pid of its FUSE daemon, or 0. Blocks for
 * a tenth of a second or two on a node with many processes. Errors: SYSTEM, TIMEOUT.
 */
int ra_mount_holders_find(const struct ra_mount_entry *entry, pid_t daemon,
                          struct ra_deadline deadline, struct ra_mount_holders *ret_holders,
                          struct ra_error *err);

/*
 * Send a signal to one of them, if it is still the same process. False if it is
 * gone, protected, or may not be signalled.
 */
bool ra_mount_holders_signal(const struct ra_mount_holder *holder, int signal_number);

/* "qemu[812] (file 9), sh[99] (working directory) and 3 more", added to `text`. */
void ra_mount_holders_describe(const struct ra_mount_holders *holders, struct ra_text_buffer *text);

/*
 * Users inside the kernel, added to `text`, with commas: loop devices backed by a file on the
 * mount, swap files, nfsd exports. Nothing is added if none is known. Recognised by path.
 */
void ra_mount_holders_describe_kernel(const struct ra_mount_entry *entry,
                                      struct ra_text_buffer *text);

#endif
