/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Connections to libvirt daemons, this node's and others'. Follows libvirt's "Connection URIs".
 */
#ifndef RA_VIRT_CONNECTION_H
#define RA_VIRT_CONNECTION_H

#include <stdbool.h>

#include "base/deadline.h"
#include "base/error.h"

struct ra_virt_connection;

/*
 * Connect to `uri`, NULL or "" for libvirt's own default. Credentials come from libvirt's own
 * files (auth.conf, certificates); nobody is asked. Certificates are verified unless the URI says
 * otherwise. Blocks until the deadline at most. The caller closes the connection.
 *
 * Errors: UNREACHABLE (nobody listens, or the certificates do not fit), PERMISSION, TIMEOUT (a
 * daemon that accepts and does not answer), PROTOCOL (no such driver), SYSTEM.
 */
int ra_virt_connection_open(const char *uri, struct ra_deadline deadline,
                            struct ra_virt_connection **ret_connection, struct ra_error *err);

/*
 * Close and free. Says goodbye to the daemon, for at most a second: one that hangs is left
 * without. NULL is allowed. Domains of the connection must have been freed before.
 */
void ra_virt_connection_close(struct ra_virt_connection *connection);

/* The URI as libvirt completed it ("qemu:///system"); valid as long as the connection. */
const char *ra_virt_connection_uri(const struct ra_virt_connection *connection);

#endif
