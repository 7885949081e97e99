/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The status file of monitor depth 20. */
#ifndef RA_AGENTS_FILESYSTEM_STATUS_FILE_H
#define RA_AGENTS_FILESYSTEM_STATUS_FILE_H

#include "base/error.h"
#include "mount/table.h"
#include "subject.h"

/* Its name relative to the mount point; new memory. */
char *filesystem_status_file(const struct subject *subject);

/* Write something new, sync it, read it back. Blocks as long as the file system does. */
int filesystem_status_file_use(const struct subject *subject, const struct ra_mount_entry *entry,
                               struct ra_error *err);

/* Remove it if the file system answers; that it stays is no error. */
void filesystem_status_file_remove(const struct subject *subject,
                                   const struct ra_mount_entry *entry);

#endif
