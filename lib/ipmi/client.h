/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The inside of a session, for the modules that send commands on it. Not for agents.
 */
#ifndef RA_IPMI_CLIENT_H
#define RA_IPMI_CLIENT_H

#include <freeipmi/freeipmi.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "base/error.h"
#include "ipmi/guard.h"
#include "ipmi/identity.h"
#include "ipmi/probe.h"
#include "ipmi/session.h"
#include "ipmi/wire.h"

struct ra_ipmi_session {
    struct ra_ipmi_options options;
    unsigned char k_g[RA_IPMI_K_G_BYTES];
    struct ra_ipmi_guard guard;
    bool once;

    /* What was found out; kept when the session is closed. */
    bool probed;
    struct ra_ipmi_probe probe;
    struct ra_ipmi_identity identity;
    size_t endpoint;      /* the one in use */
    int suite;            /* cipher suite or authentication type that worked, -1: none yet */
    unsigned workarounds; /* given and found */

    /* NULL while the session is closed. */
    ipmi_ctx_t ctx;
    struct ra_ipmi_wire *wire;
    int64_t idle_ms;  /* FreeIPMI gives a session up that has been idle for so long */
    int64_t heard_ms; /* when the BMC was last heard */

    pid_t recorder; /* of the console, 0: none */
};

const char *ra_ipmi_client_endpoint(const struct ra_ipmi_session *session);

/* Free the context and what belongs to it, without a goodbye to the BMC. */
void ra_ipmi_client_drop(struct ra_ipmi_session *session);

/*
 * From now on no request is sent twice, until `once` is false again: for commands of which a
 * second run would do harm. Changing it closes the session. When the answer to such a command is
 * lost, the error is TIMEOUT after a few round trips, at least two seconds.
 */
void ra_ipmi_client_send_once(struct ra_ipmi_session *session, bool once);

/*
 * A command: `send` calls FreeIPMI with the context and the reply object. Opens the session if
 * need be. When the session breaks and the session may send twice, it is opened again and the
 * command repeated until the deadline. `what` names the command in traces and errors.
 */
typedef int ra_ipmi_client_send(ipmi_ctx_t ctx, const void *argument, fiid_obj_t reply);

int ra_ipmi_client_run(struct ra_ipmi_session *session, const char *what, ra_ipmi_client_send *send,
                       const void *argument, fiid_obj_t reply, struct ra_deadline deadline,
                       struct ra_error *err);

#endif
