/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * libvirt's errors (libvirt/virterror.h) as ours. Private to this backend.
 */
#ifndef RA_VIRT_ERROR_H
#define RA_VIRT_ERROR_H

#include "base/error.h"

/*
 * The part of a hypervisor's message that says that the lock of a disk image is held by somebody
 * else, NULL if it does not: what QEMU (block/file-posix.c) and libvirt's lock managers write. Such
 * a lock goes away by itself when its holder ends, or when a storage server has given up the
 * client that had it. A lock that could not be asked for, because the storage has none, is not one.
 * Pure.
 */
const char *ra_virt_error_find_lock(const char *message);

/* The kind that a VIR_ERR_ code from a VIR_FROM_ part stands for; never NOT_FOUND. */
enum ra_error_kind ra_virt_error_kind(int code, int part);

/*
 * Fill in *err from the last libvirt error of the calling thread: "context: libvirt's sentence".
 * Returns -1. VIR_ERR_NO_DOMAIN is not RA_ERROR_NOT_FOUND here: many calls use it for the domain
 * of another host.
 */
int ra_virt_error_take(struct ra_error *err, const char *context, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The same for a call that only asks about one domain of the connection it was made on: there
 * VIR_ERR_NO_DOMAIN is the proof that the domain does not exist, RA_ERROR_NOT_FOUND.
 */
int ra_virt_error_take_lookup(struct ra_error *err, const char *context, ...)
    __attribute__((format(printf, 2, 3)));

#endif
