/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Finding the BMC: names become addresses, every address is asked at once, and those that answer
 * are kept in the order of their answers. This is where "no route", "refused", "silent" and "name
 * unknown" are told apart, and where the BMC says what it can do.
 */
#ifndef RA_IPMI_PROBE_H
#define RA_IPMI_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/error.h"
#include "ipmi/cipher.h"
#include "ipmi/packet.h"

#define RA_IPMI_PROBE_MOST_ENDPOINTS 8
#define RA_IPMI_ENDPOINT_BYTES       80

struct ra_ipmi_probe {
    char endpoints[RA_IPMI_PROBE_MOST_ENDPOINTS][RA_IPMI_ENDPOINT_BYTES]; /* "[::1]:623" */
    size_t count;                                                         /* at least 1 */
    int64_t round_trip_us; /* of the first endpoint; exact, also after lost packets */
    struct ra_ipmi_capabilities capabilities;
    uint8_t ciphers[RA_IPMI_CIPHER_LIST_MOST]; /* as the BMC lists them */
    size_t cipher_count;                       /* 0: it gave no list in time */
};

/*
 * Ask the BMC that has the names or addresses in `addresses` (separated by commas or blanks; an
 * IPv6 address may stand in brackets) at UDP port `port`. Returns as soon as one address has
 * answered and, if `want_ciphers`, has given its list or shown that it does not. Blocks until the
 * deadline at the latest, and for as long as the system's resolver takes for names.
 *
 * Errors, with a sentence for each address: UNREACHABLE (no route, refused, name unknown), TIMEOUT
 * (silence), CONFIG (no address given).
 */
int ra_ipmi_probe(const char *addresses, int port, int privilege, bool want_ciphers,
                  struct ra_deadline deadline, struct ra_ipmi_probe *ret_probe,
                  struct ra_error *err);

#endif
