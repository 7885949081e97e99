/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Cipher suites: which to try, in which order. IPMI 2.0 (rev. 1.1) 22.15 has the records that a
 * BMC lists them in, table 22-20 their numbers. Pure functions.
 */
#ifndef RA_IPMI_CIPHER_H
#define RA_IPMI_CIPHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RA_IPMI_CIPHER_ANY       (-1)
#define RA_IPMI_CIPHER_LIST_MOST 16

/* True for the suites that FreeIPMI can do: 0-3, 6-8, 11, 12, 15-17. */
bool ra_ipmi_cipher_is_supported(int suite);

/*
 * The suites in the records of Get Channel Cipher Suites, standard ones that are supported here,
 * in the BMC's order; returns how many, at most RA_IPMI_CIPHER_LIST_MOST. What is not understood
 * is skipped.
 */
size_t ra_ipmi_cipher_parse(const unsigned char *records, size_t record_bytes,
                            uint8_t ret_suites[RA_IPMI_CIPHER_LIST_MOST]);

/*
 * The suites to try, strongest first: those of the BMC's list that protect the session (never 0,
 * which lets everybody in), or, when it has given no list, the three that between them every
 * IPMI 2.0 BMC has. `given` other than RA_IPMI_CIPHER_ANY is tried alone.
 */
size_t ra_ipmi_cipher_candidates(int given, const uint8_t *listed, size_t listed_count,
                                 uint8_t ret_suites[RA_IPMI_CIPHER_LIST_MOST]);

#endif
