/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asking a GlusterFS volume through gfapi. */
#ifndef RA_AGENTS_FILESYSTEM_GLUSTER_H
#define RA_AGENTS_FILESYSTEM_GLUSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/deadline.h"
#include "base/error.h"
#include "gluster/source.h"

/* Attach to the volume; *ret_server is the server that answered. */
int filesystem_gluster_attach(const struct ra_gluster_source *source, struct ra_deadline deadline,
                              size_t *ret_server, struct ra_error *err);

/* Write, sync and read back `path`, or only look if `read_only`. */
int filesystem_gluster_check(const struct ra_gluster_source *source, const char *path,
                             bool read_only, struct ra_deadline deadline, struct ra_error *err);

#endif
