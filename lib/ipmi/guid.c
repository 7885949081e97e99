/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ipmi/guid.h"

#include <stdio.h>
#include <string.h>

#include "base/number.h"

static struct ra_ipmi_guid turn_round(const struct ra_ipmi_guid *guid)
{
    struct ra_ipmi_guid turned;

    for (size_t i = 0; i < RA_IPMI_GUID_BYTES; i++)
        turned.bytes[i] = guid->bytes[RA_IPMI_GUID_BYTES - 1 - i];
    return turned;
}

/* As SMBIOS writes it (2.6 and later, 7.2.1): the first three fields with the low byte first. */
static struct ra_ipmi_guid swap_fields(const struct ra_ipmi_guid *guid)
{
    static const unsigned char from[] = { 3, 2, 1, 0, 5, 4, 7, 6 };
    struct ra_ipmi_guid swapped = *guid;

    for (size_t i = 0; i < sizeof(from); i++)
        swapped.bytes[i] = guid->bytes[from[i]];
    return swapped;
}

static bool counts_up(const struct ra_ipmi_guid *guid)
{
    unsigned char last = guid->bytes[RA_IPMI_GUID_BYTES - 1];

    for (size_t i = 0; i < RA_IPMI_GUID_BYTES - 1; i++)
        if (guid->bytes[i] != i + 1)
            return false;
    return last == RA_IPMI_GUID_BYTES || last == RA_IPMI_GUID_BYTES + 1;
}

/* 01 02 03 and so on: what firmware is built with, and shows for want of a better one. */
static bool is_an_example(const struct ra_ipmi_guid *guid)
{
    const struct ra_ipmi_guid turned = turn_round(guid);

    return counts_up(guid) || counts_up(&turned);
}

bool ra_ipmi_guid_is_known(const struct ra_ipmi_guid *guid)
{
    unsigned char any = 0;
    unsigned char all = 0xff;

    for (size_t i = 0; i < RA_IPMI_GUID_BYTES; i++) {
        any |= guid->bytes[i];
        all &= guid->bytes[i];
    }
    return any != 0 && all != 0xff && !is_an_example(guid);
}

static bool both_known(const struct ra_ipmi_guid *a, const struct ra_ipmi_guid *b)
{
    return ra_ipmi_guid_is_known(a) && ra_ipmi_guid_is_known(b);
}

bool ra_ipmi_guid_equal(const struct ra_ipmi_guid *a, const struct ra_ipmi_guid *b)
{
    return both_known(a, b) && memcmp(a->bytes, b->bytes, RA_IPMI_GUID_BYTES) == 0;
}

bool ra_ipmi_guid_differ(const struct ra_ipmi_guid *a, const struct ra_ipmi_guid *b)
{
    return both_known(a, b) && memcmp(a->bytes, b->bytes, RA_IPMI_GUID_BYTES) != 0;
}

bool ra_ipmi_guid_differ_in_any_order(const struct ra_ipmi_guid *a, const struct ra_ipmi_guid *b)
{
    const struct ra_ipmi_guid turned = turn_round(b);
    const struct ra_ipmi_guid swapped = swap_fields(b);
    const struct ra_ipmi_guid swapped_turned = turn_round(&swapped);
    const struct ra_ipmi_guid turned_swapped = swap_fields(&turned);

    return ra_ipmi_guid_differ(a, b) && ra_ipmi_guid_differ(a, &turned) &&
           ra_ipmi_guid_differ(a, &swapped) && ra_ipmi_guid_differ(a, &swapped_turned) &&
           ra_ipmi_guid_differ(a, &turned_swapped);
}

void ra_ipmi_guid_format(const struct ra_ipmi_guid *guid, char text[RA_IPMI_GUID_TEXT_BYTES])
{
    for (size_t i = 0; i < RA_IPMI_GUID_BYTES; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", guid->bytes[i]);
}

bool ra_ipmi_guid_parse(const char *text, struct ra_ipmi_guid *ret_guid)
{
    char digits[RA_IPMI_GUID_TEXT_BYTES];
    size_t length = strcspn(text, " \t\n");
    struct ra_ipmi_guid guid;
    unsigned count;

    if (length != sizeof(digits) - 1 || text[length + strspn(text + length, " \t\n")] != '\0')
        return false;
    memcpy(digits, text, length);
    digits[length] = '\0';
    if (ra_number_parse_hex(digits, guid.bytes, sizeof(guid.bytes), &count) != 0 ||
        count != sizeof(guid.bytes))
        return false;
    *ret_guid = guid;
    return true;
}
