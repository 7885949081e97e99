/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ipmi/cipher.h"

#include <string.h>

/* Encrypted first, then authenticated packets, then an authenticated login alone. */
static const uint8_t order[] = { 17, 3, 8, 12, 16, 2, 7, 11, 15, 1, 6 };

/* What to try without a list: 3 is mandatory in the standard, OpenBMC has only 17. */
static const uint8_t usual[] = { 17, 3, 8 };

enum {
    RECORD_STANDARD = 0xc0, /* start of record, then the suite's number */
    RECORD_OEM = 0xc1,      /* then the number and three bytes of manufacturer id */
};

bool ra_ipmi_cipher_is_supported(int suite)
{
    return (suite >= 0 && suite <= 3) || (suite >= 6 && suite <= 8) || suite == 11 || suite == 12 ||
           (suite >= 15 && suite <= 17);
}

size_t ra_ipmi_cipher_parse(const unsigned char *records, size_t record_bytes,
                            uint8_t ret_suites[RA_IPMI_CIPHER_LIST_MOST])
{
    size_t count = 0;
    size_t i = 0;

    while (i + 1 < record_bytes) {
        if (records[i] == RECORD_STANDARD) {
            if (ra_ipmi_cipher_is_supported(records[i + 1]) && count < RA_IPMI_CIPHER_LIST_MOST &&
                memchr(ret_suites, records[i + 1], count) == NULL)
                ret_suites[count++] = records[i + 1];
            i += 2;
        } else if (records[i] == RECORD_OEM) {
            i += 5;
        } else {
            i++; /* an algorithm of the record before */
        }
    }
    return count;
}

size_t ra_ipmi_cipher_candidates(int given, const uint8_t *listed, size_t listed_count,
                                 uint8_t ret_suites[RA_IPMI_CIPHER_LIST_MOST])
{
    size_t count = 0;

    if (given != RA_IPMI_CIPHER_ANY) {
        ret_suites[0] = (uint8_t)given;
        return 1;
    }
    if (listed_count == 0) {
        memcpy(ret_suites, usual, sizeof(usual));
        return sizeof(usual);
    }
    for (size_t i = 0; i < sizeof(order); i++)
        if (memchr(listed, order[i], listed_count) != NULL)
            ret_suites[count++] = order[i];
    return count;
}
