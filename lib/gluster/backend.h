/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * libra-gluster.so: GlusterFS volumes, by gfapi. The functions are documented in the header below.
 */
#ifndef RA_GLUSTER_BACKEND_H
#define RA_GLUSTER_BACKEND_H

#include "base/backend.h"
#include "gluster/volume.h"

#define RA_GLUSTER_CALLS(X)                                                                        \
    X(volume_attach)                                                                               \
    X(volume_check)

struct ra_gluster_backend {
    struct ra_backend_header header;
#define RA_GLUSTER_MEMBER(call) __typeof__(ra_gluster_##call) *call;
    RA_GLUSTER_CALLS(RA_GLUSTER_MEMBER)
#undef RA_GLUSTER_MEMBER
};

#endif
