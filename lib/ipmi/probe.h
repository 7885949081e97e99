/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Finding the BMC: names become addresses, every address is asked at once, and those that answer
 * are kept in the order of their answers. This is where "no route", "refused", "silent" and "name
 * unknown" are told apart, and where the BMC says what it can do.
 *
 * An address says nothing about whose it is. Where there are several, each is asked for the GUID of
 * its machine in the same breath; what follows from the answers is identity.h's business.
 */
#ifndef RA_IPMI_PROBE_H
#define RA_IPMI_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/error.h"
#include "ipmi/asker.h"
#include "ipmi/cipher.h"
#include "ipmi/packet.h"

#define RA_IPMI_PROBE_MOST_ENDPOINTS 8

struct ra_ipmi_probe {
    struct ra_ipmi_endpoint endpoints[RA_IPMI_PROBE_MOST_ENDPOINTS]; /* the lost ones last */
    size_t count;                                                    /* at least 1 */
    bool several;                                    /* more than one address is configured */
    char silent[RA_IPMI_PROBE_MOST_ENDPOINTS * 100]; /* a sentence for each that is not there */
    int64_t round_trip_us; /* of the first endpoint; exact, also after lost packets */
    struct ra_ipmi_capabilities capabilities;
    uint8_t ciphers[RA_IPMI_CIPHER_LIST_MOST]; /* as the BMC lists them */
    size_t cipher_count;                       /* 0: it gave no list in time */
    int64_t waited_ms;                         /* after the first answer, for the other addresses */
};

struct ra_ipmi_probe_request {
    const char *addresses; /* separated by commas or blanks; an IPv6 address may be in brackets */
    int port;              /* UDP */
    int privilege;
    bool want_ciphers;
    bool every_address;             /* wait patience_ms for those that are silent */
    int64_t patience_ms;            /* the least is what a repeated question takes */
    struct ra_ipmi_guid remembered; /* with this GUID an answer needs no other beside it */
    bool insist; /* another GUID, or none, will be refused while an address is missing */
};

/*
 * Ask the BMC that has these names or addresses. Returns as soon as one address has answered and,
 * if ciphers are wanted, has given its list or shown that it does not. Of several addresses all
 * have a moment to answer (400 ms, or a round trip of the first if that is longer; every_address:
 * patience_ms), which ends when they have, or when one has shown the GUID that is remembered. An
 * address that answers, but not the question for the GUID, is not waited for. To insist takes 2 s,
 * for a refusal must not come from haste. Blocks until the deadline at the latest, and for as long
 * as the system's resolver takes for names.
 *
 * Errors, with a sentence for each address: UNREACHABLE (no route, refused, name unknown), TIMEOUT
 * (silence), CONFIG (no address given).
 */
int ra_ipmi_probe(const struct ra_ipmi_probe_request *request, struct ra_deadline deadline,
                  struct ra_ipmi_probe *ret_probe, struct ra_error *err);

/*
 * Ask an endpoint for the GUID if it has not told it yet; the answer is kept in it. Blocks for 400
 * ms or `round_trip_us` at most, and until the deadline at the latest.
 */
void ra_ipmi_probe_guid(struct ra_ipmi_endpoint *endpoint, int64_t round_trip_us,
                        struct ra_deadline deadline);

#endif
