/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parameters of Filesystem, and those that have a grammar of their own. */
#ifndef RA_AGENTS_FILESYSTEM_CONFIG_H
#define RA_AGENTS_FILESYSTEM_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "mount/backend.h"
#include "runtime/action.h"

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

#endif
