/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The URIs of a migration, derived from this node's. Pure functions. Follows libvirt's "Connection
 * URIs" and "Guest migration".
 */
#ifndef RA_VIRT_URI_H
#define RA_VIRT_URI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* True if the URI's driver is `driver` ("qemu", "xen"), whatever its transport. */
bool ra_virt_uri_has_driver(const char *uri, const char *driver);

/* `host` with `suffix` before its first dot, or at its end; new memory that the caller frees. */
char *ra_virt_uri_add_suffix(const char *host, const char *suffix);

/*
 * The URI of the same driver on another host: the scheme's transport becomes `transport`, or
 * libvirt's default for remote hosts (TLS) if that is NULL; `user` may be NULL. New memory that
 * the caller frees. Errors: CONFIG (`local` is not a URI with a scheme; a host or user that
 * cannot stand in one).
 */
int ra_virt_uri_remote(const char *local, const char *transport, const char *user, const char *host,
                       char **ret_uri, struct ra_error *err);

/*
 * The URI for the data stream to `host`, in the form that the driver of `local` reads; port 0
 * leaves the port to libvirt. New memory that the caller frees.
 */
char *ra_virt_uri_data(const char *local, const char *host, int64_t port);

#endif
