/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gluster/backend.h"

#include "base/export.h"

#define MEMBER(call_) .call_ = ra_gluster_##call_,

RA_EXPORT_BEGIN
extern const struct ra_gluster_backend ra_gluster_backend;
RA_EXPORT_END

const struct ra_gluster_backend ra_gluster_backend = { .header = { PACKAGE_VERSION },
                                                       RA_GLUSTER_CALLS(MEMBER) };
