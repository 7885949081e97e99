/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The source of a GlusterFS mount as mount.glusterfs(8) reads it: the device and the options that
 * concern the servers. Text alone: nothing here needs gfapi, so it is linked into who uses it, and
 * is not in the backend's table.
 */
#ifndef RA_GLUSTER_SOURCE_H
#define RA_GLUSTER_SOURCE_H

#include <stddef.h>

#include "base/error.h"
#include "gluster/volume.h"

/* "server,server:/volume/directory" taken apart. Zeroed, it is none. */
struct ra_gluster_source {
    char *volume;
    char *directory; /* inside the volume, "" for its root; without slashes around it */
    char **servers;  /* the device's, then the options' backups; each once */
    size_t server_count;
    int port; /* 0: not given */
    char *transport;
    char **sources; /* how the kernel may call the mount: every server with the volume */
};

/*
 * Take `device` and `options` (NULL: none) apart; the caller frees with ra_gluster_source_free().
 * Errors: CONFIG, with a sentence that names the parameter and what is allowed.
 */
int ra_gluster_source_parse(const char *device, const char *options,
                            struct ra_gluster_source *ret_source, struct ra_error *err);
void ra_gluster_source_free(struct ra_gluster_source *source);

/* The device for mount.glusterfs with the servers from number `first` on in front; new memory. */
char *ra_gluster_source_device(const struct ra_gluster_source *source, size_t first);

/* The volume to ask gfapi for; its texts belong to the source. */
struct ra_gluster_volume ra_gluster_source_volume(const struct ra_gluster_source *source);

#endif
