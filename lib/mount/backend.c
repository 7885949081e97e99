/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mount/backend.h"

#include "base/export.h"

#define MEMBER(call_) .call_ = ra_mount_##call_,

RA_EXPORT_BEGIN
extern const struct ra_mount_backend ra_mount_backend;
RA_EXPORT_END

const struct ra_mount_backend ra_mount_backend = { .header = { PACKAGE_VERSION },
                                                   RA_MOUNT_CALLS(MEMBER) };
