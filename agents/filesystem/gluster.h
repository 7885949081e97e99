/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GlusterFS volumes: the device's grammar, and asking a volume through gfapi. */
#ifndef RA_AGENTS_FILESYSTEM_GLUSTER_H
#define RA_AGENTS_FILESYSTEM_GLUSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/deadline.h"
#include "base/error.h"

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

#endif
