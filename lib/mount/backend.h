/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * libra-mount.so: mounts, by libmount. The functions are documented in the headers below.
 */
#ifndef RA_MOUNT_BACKEND_H
#define RA_MOUNT_BACKEND_H

#include "base/backend.h"
#include "mount/child.h"
#include "mount/daemon.h"
#include "mount/device.h"
#include "mount/holders.h"
#include "mount/loop.h"
#include "mount/mounting.h"
#include "mount/release.h"
#include "mount/spec.h"
#include "mount/table.h"

#define RA_MOUNT_CALLS(X)                                                                          \
    X(table_read)                                                                                  \
    X(table_free)                                                                                  \
    X(table_count)                                                                                 \
    X(table_at)                                                                                    \
    X(table_parent)                                                                                \
    X(table_visible)                                                                               \
    X(table_is_above)                                                                              \
    X(spec_make)                                                                                   \
    X(spec_free)                                                                                   \
    X(spec_resolve)                                                                                \
    X(spec_remembers)                                                                              \
    X(spec_match)                                                                                  \
    X(mount)                                                                                       \
    X(check)                                                                                       \
    X(unmount)                                                                                     \
    X(probe)                                                                                       \
    X(make_directory)                                                                              \
    X(canonicalise)                                                                                \
    X(is_fuse)                                                                                     \
    X(daemon_find)                                                                                 \
    X(daemon_end)                                                                                  \
    X(holders_find)                                                                                \
    X(holders_free)                                                                                \
    X(holders_signal)                                                                              \
    X(holders_describe)                                                                            \
    X(holders_describe_kernel)                                                                     \
    X(device_check_free)                                                                           \
    X(device_compare)                                                                              \
    X(device_identity)                                                                             \
    X(device_name)                                                                                 \
    X(device_describe_users)                                                                       \
    X(loop_numbers)                                                                                \
    X(loop_path)                                                                                   \
    X(image_find_loops)                                                                            \
    X(child_running)                                                                               \
    X(child_kill)                                                                                  \
    X(child_wait)

struct ra_mount_backend {
    struct ra_backend_header header;
#define RA_MOUNT_MEMBER(call) __typeof__(ra_mount_##call) *call;
    RA_MOUNT_CALLS(RA_MOUNT_MEMBER)
#undef RA_MOUNT_MEMBER
};

#endif
