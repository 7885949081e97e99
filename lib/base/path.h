/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Paths as text: nothing here asks a file system, so nothing blocks, and symbolic links are not
 * known.
 */
#ifndef RA_BASE_PATH_H
#define RA_BASE_PATH_H

#include <stdbool.h>

#include "base/export.h"

RA_EXPORT_BEGIN

/* True if `path` is `directory` itself or something inside it; compared by whole components. */
bool ra_path_is_within(const char *path, const char *directory);

/*
 * An absolute path without empty and `.` components and without slashes at its end; new memory
 * that the caller frees. NULL if `path` is not absolute or has a `..` component.
 */
char *ra_path_normalise(const char *path);

RA_EXPORT_END

#endif
