/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Does a glusterd answer? gfapi waits for a minute or more for one that has accepted a connection
 * and then says nothing, and does not go on to the next server; so this is asked first.
 */
#ifndef RA_GLUSTER_SERVER_H
#define RA_GLUSTER_SERVER_H

#include "base/deadline.h"
#include "base/error.h"

#define RA_GLUSTER_PORT 24007

/*
 * Connect to a glusterd and ask for its list of RPC programs (ONC RPC, RFC 5531, over TCP; the
 * GlusterFS dump program). Any reply, or an orderly end of the connection (a glusterd that wants
 * TLS), is a sign of life. Resolving the name can outlast the deadline. Errors: UNREACHABLE,
 * TIMEOUT; the text is a few words to follow the server's name.
 */
int ra_gluster_server_ping(const char *host, int port, struct ra_deadline deadline,
                           struct ra_error *err);

#endif
