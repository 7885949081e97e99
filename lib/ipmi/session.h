/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A session with a BMC, opened when it is needed and opened again when it was lost. It finds out
 * by itself which of several addresses answers, which cipher suite or authentication type the BMC
 * takes, and whether it needs the one workaround that many need; what was found is used for as
 * long as the object lives.
 *
 * One thread at a time. The process must ignore nothing and block nothing of SIGRTMIN (guard.h).
 */
#ifndef RA_IPMI_SESSION_H
#define RA_IPMI_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/export.h"
#include "ipmi/cipher.h"

RA_EXPORT_BEGIN

#define RA_IPMI_USER_MOST_BYTES         16
#define RA_IPMI_PASSWORD_MOST_BYTES     20
#define RA_IPMI_PASSWORD_1_5_MOST_BYTES 16
#define RA_IPMI_K_G_BYTES               20

/* IPMI 2.0 section 6.8, "Channel Privilege Levels"; the numbers are those on the wire. */
enum ra_ipmi_privilege {
    RA_IPMI_CALLBACK = 1,
    RA_IPMI_USER = 2,
    RA_IPMI_OPERATOR = 3,
    RA_IPMI_ADMINISTRATOR = 4,
};

/* IPMI 1.5 only: the strongest that the BMC offers, or one of them. */
enum ra_ipmi_auth {
    RA_IPMI_AUTH_ANY,
    RA_IPMI_AUTH_NONE,
    RA_IPMI_AUTH_PASSWORD,
    RA_IPMI_AUTH_MD2,
    RA_IPMI_AUTH_MD5,
};

struct ra_ipmi_options {
    const char *addresses; /* of one BMC: names or addresses, separated by commas */
    int port;
    /*
     * NULL, or: wait for each of them, and warn of those that are dead or not proven. It is how
     * long, and what was waited is taken from it: several sessions can share it.
     */
    int64_t *patience_ms;
    const char *user;         /* NULL or "": the user without a name */
    const char *password;     /* NULL or "": none */
    const unsigned char *k_g; /* RA_IPMI_K_G_BYTES, padded with zeros; NULL: none */
    enum ra_ipmi_privilege privilege;
    bool version_1_5;
    int cipher;                /* RA_IPMI_CIPHER_ANY: what the BMC offers */
    enum ra_ipmi_auth auth;    /* IPMI 1.5 */
    unsigned workarounds;      /* enum ra_ipmi_workaround */
    bool bridged;              /* address the controller at `target` behind the BMC */
    uint8_t target;            /* its slave address on IPMB */
    int64_t silence_ms;        /* the longest silence of the BMC while a session is opened */
    int64_t retransmission_ms; /* after which a request is sent again; 0: from the round trip */
};

struct ra_ipmi_session;

/*
 * Make the object; nothing is sent. The options are copied, the texts in them are not: they must
 * stay valid. Errors: CONFIG (a user name or password too long for the version, a cipher suite
 * that does not exist), SYSTEM.
 */
int ra_ipmi_session_create(const struct ra_ipmi_options *options,
                           struct ra_ipmi_session **ret_session, struct ra_error *err);

/* Close politely (at most 250 ms) and free; what was secret is wiped. NULL is allowed. */
void ra_ipmi_session_destroy(struct ra_ipmi_session *session);

/*
 * Open the session unless it is open. Blocks until the deadline at the latest; a BMC that has not
 * answered at all is given up after silence_ms.
 *
 * Errors, each with the sentence that names what is wrong and what to do: PERMISSION (user,
 * password, K_g, privilege), CONFIG (cipher suite, authentication type, version; or the addresses
 * do not lead to one BMC, then and later: no command is sent to another one), UNREACHABLE and
 * TIMEOUT (see probe.h; also a BMC that falls silent later), BUSY, PROTOCOL.
 */
int ra_ipmi_session_open(struct ra_ipmi_session *session, struct ra_deadline deadline,
                         struct ra_error *err);

/*
 * Close the session; the next use opens another one. A BMC does not accept a packet of a closed
 * session, so a copy of a command that was delayed in the network has no effect any more.
 */
void ra_ipmi_session_close(struct ra_ipmi_session *session);

RA_EXPORT_END

#endif
