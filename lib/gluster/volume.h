/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A GlusterFS volume, asked directly through gfapi, the client library. A mount by FUSE tells
 * no more than "failed"; this tells why.
 *
 * gfapi calls cannot be cancelled, start threads, and take seconds to shut down. So each function
 * forks a child, which alone holds gfapi's state and ends without any clean-up, and waits for it
 * no longer than the deadline. To be called from a process with a single thread.
 */
#ifndef RA_GLUSTER_VOLUME_H
#define RA_GLUSTER_VOLUME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/deadline.h"
#include "base/error.h"

#define RA_GLUSTER_SERVERS_MOST 32

struct ra_gluster_volume {
    const char *name;
    const char *const *servers; /* host names or addresses, the preferred one first */
    size_t server_count;        /* 1 to RA_GLUSTER_SERVERS_MOST */
    int port;                   /* of glusterd; 0: 24007 */
    const char *transport;      /* NULL: "tcp" */
};

/* A file on the volume for the health check. Missing directories are created. */
struct ra_gluster_check {
    const char *path;    /* from the volume's root, "/dir/file"; the caller makes it unique */
    const char *content; /* what is written and must be read back */
    bool read_only;      /* write nothing: look at the root directory alone */
};

/*
 * Attach to the volume: find a server whose glusterd answers, get the volume's description, and
 * connect to its bricks. *ret_server is the index of that server. Errors:
 *   NOT_FOUND    glusterd answered that it knows no such volume
 *   UNREACHABLE  no glusterd answers (the text says of each server why: refused, hangs...), or
 *                the volume is not started, or has not enough bricks for a quorum
 *   TIMEOUT      a brick or glusterd did not answer until the deadline
 *   SYSTEM       anything else, with gfapi's errno
 */
int ra_gluster_volume_attach(const struct ra_gluster_volume *volume, struct ra_deadline deadline,
                             size_t *ret_server, struct ra_error *err);

/*
 * Attach, then write the check's file, sync it to the bricks and read it back: statvfs(3) works
 * without a quorum, this does not. Errors as above; UNREACHABLE if the volume takes no writes.
 */
int ra_gluster_volume_check(const struct ra_gluster_volume *volume,
                            const struct ra_gluster_check *check, struct ra_deadline deadline,
                            struct ra_error *err);

#endif
