/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Small files: reading one whole, and the state files that agents leave for their next action.
 *
 * State files live in one root-only directory on a file system that a reboot empties (configure's
 * --with-state-dir, /run/native-agents by default), so what they say is never older than the
 * node's boot. They are written to a temporary name, synced and renamed: a reader sees the old
 * or the new content, whole. No symbolic link is followed anywhere below the directory, and a
 * directory that somebody else owns or may write to is refused.
 *
 * Local file systems only: nothing here has a deadline.
 */
#ifndef RA_BASE_FILE_H
#define RA_BASE_FILE_H

#include <stddef.h>

#include "base/error.h"
#include "base/export.h"

RA_EXPORT_BEGIN

/*
 * The whole of a regular file of at most `most_bytes`, NUL-terminated, in new memory that the
 * caller frees. A NUL byte inside is an error (PROTOCOL): these are text files.
 */
int ra_file_read(const char *path, size_t most_bytes, char **ret_text, struct ra_error *err);

/*
 * Write, read, remove the state file `name` (any text; it is escaped to a file name). Reading a
 * state that does not exist gives RA_ERROR_NOT_FOUND; removing one is no error.
 */
int ra_file_state_write(const char *name, const char *text, struct ra_error *err);
int ra_file_state_read(const char *name, char **ret_text, struct ra_error *err);
int ra_file_state_remove(const char *name, struct ra_error *err);

/* The path of the state file `name`, for people; in new memory that the caller frees. */
char *ra_file_state_path(const char *name);

/* Use another directory from now on; for unit tests. The text must stay valid. */
void ra_file_state_set_directory(const char *path);

RA_EXPORT_END

#endif
