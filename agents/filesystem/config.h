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
/* What a stop does about the users of the file system. */
struct force_unmount {
    bool may_signal;
    bool move; /* the mount away from its directory first */
};

/* A list of signals, 0 behind the last. */
#define FILESYSTEM_SIGNALS_MOST 16
struct signal_list {
    int numbers[FILESYSTEM_SIGNALS_MOST + 1];
};

struct filesystem_config {
    const char *device;
    const char *directory;
    const char *fstype;
    const char *options;
    const char *statusfile_prefix;
    int run_fsck; /* enum fsck_mode */
    bool fast_stop;
    bool force_clones;
    struct force_unmount force_unmount;
    struct signal_list term_signals;
    struct signal_list kill_signals;
    int64_t signal_delay_s;
};

/*
 * The grammars of force_unmount, into a struct force_unmount, and of the lists of signals, into a
 * struct signal_list: see RA_FIELD_GRAMMAR.
 */
int filesystem_parse_force_unmount(const char *value, void *ret_field, struct ra_error *err);
int filesystem_parse_signals(const char *value, void *ret_field, struct ra_error *err);

/* The directory parameter alone: absolute, and not the root. NULL and "" are wrong, too. */
int filesystem_check_directory(const char *directory, struct ra_error *err);

/* Everything about the parameters that can be checked without looking at this node. */
int filesystem_check_config(const struct ra_context *context, struct ra_error *err);

#endif
