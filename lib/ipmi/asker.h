/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One address, and the questions that can be put to whoever is there outside of a session. Nothing
 * blocks but the fetching of the cipher suites.
 */
#ifndef RA_IPMI_ASKER_H
#define RA_IPMI_ASKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "ipmi/cipher.h"
#include "ipmi/guid.h"
#include "ipmi/packet.h"

#define RA_IPMI_ENDPOINT_BYTES 80

/* What came from an address. */
struct ra_ipmi_endpoint {
    char name[RA_IPMI_ENDPOINT_BYTES]; /* "[::1]:623" */
    bool answered;
    bool lost; /* answered, and then the network said that there is no way to it any more */
    /* Only of several addresses: the question for the GUID had an answer; a refusal is one. */
    bool told_guid;
    bool told_none;           /* its answer held one that means nothing, such as zeros */
    struct ra_ipmi_guid guid; /* unknown: none was told, or one that means nothing */
};

struct ra_ipmi_asker {
    int fd;
    struct ra_ipmi_endpoint found;
    struct ra_ipmi_capabilities capabilities; /* when found.answered */
    int64_t round_trip_us;                    /* the same; exact, also after lost packets */
    int failed;                               /* errno of the last failure, 0: none */
    bool given_up;
    int64_t sent_us[RA_IPMI_PACKET_SEQUENCES];
    unsigned sent_count;
    struct ra_deadline resend_at;
    int64_t resend_ms;
    struct ra_deadline ignored_at; /* when found.answered: see ra_ipmi_asker_await_guid() */
};

/* Begin anew: the next question is due at once, and repetitions follow each other quickly. */
void ra_ipmi_asker_start(struct ra_ipmi_asker *asker);

/* True when it is time to ask (again); the next time is set. Never when the address is given up. */
bool ra_ipmi_asker_is_due(struct ra_ipmi_asker *asker);

void ra_ipmi_asker_ask_capabilities(struct ra_ipmi_asker *asker, int privilege);
void ra_ipmi_asker_ask_guid(struct ra_ipmi_asker *asker);

/*
 * The capabilities came, and the question for the GUID was asked with them: it is due again after
 * three round trips, and taken for ignored after as many more. Some BMCs never answer it.
 */
void ra_ipmi_asker_await_guid(struct ra_ipmi_asker *asker);
bool ra_ipmi_asker_ignores_guid(const struct ra_ipmi_asker *asker);

/*
 * Take what has arrived, as far as it answers one of the two questions, into *asker. True if the
 * capabilities came, for the first time.
 */
bool ra_ipmi_asker_take(struct ra_ipmi_asker *asker);

/*
 * Ask for the list of cipher suites until the deadline at the latest. 0 suites when the BMC gives
 * none in time.
 */
size_t ra_ipmi_asker_fetch_ciphers(struct ra_ipmi_asker *asker, struct ra_deadline deadline,
                                   uint8_t ret_ciphers[RA_IPMI_CIPHER_LIST_MOST]);

/* Why there was no answer, and what to check: a sentence that the caller frees. */
char *ra_ipmi_asker_explain(const struct ra_ipmi_asker *asker, int64_t waited_ms);

#endif
