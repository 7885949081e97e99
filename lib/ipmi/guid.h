/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The GUID of a managed system: IPMI 2.0, 22.14 "Get System GUID". It tells which machine a BMC
 * belongs to, whatever the address that it was reached at. Pure functions.
 */
#ifndef RA_IPMI_GUID_H
#define RA_IPMI_GUID_H

#include <stdbool.h>

#define RA_IPMI_GUID_BYTES      16
#define RA_IPMI_GUID_TEXT_BYTES (2 * RA_IPMI_GUID_BYTES + 1)

/* In the order of the wire; all zeros: it is not known. */
struct ra_ipmi_guid {
    unsigned char bytes[RA_IPMI_GUID_BYTES];
};

/* A GUID of zeros or ones alone, or one that counts up or down, is what a BMC shows without one. */
bool ra_ipmi_guid_is_known(const struct ra_ipmi_guid *guid);

/* True if both are known and the same: two that are not known prove nothing. */
bool ra_ipmi_guid_equal(const struct ra_ipmi_guid *a, const struct ra_ipmi_guid *b);

/* True if both are known and not the same. */
bool ra_ipmi_guid_differ(const struct ra_ipmi_guid *a, const struct ra_ipmi_guid *b);

/*
 * The same for GUIDs of which one was told outside of a session and one while a session was
 * opened: there are BMCs that turn the bytes round in one of the two, or swap those of the first
 * three fields as SMBIOS does, or both.
 */
bool ra_ipmi_guid_differ_in_any_order(const struct ra_ipmi_guid *a, const struct ra_ipmi_guid *b);

/* 32 hexadecimal digits. */
void ra_ipmi_guid_format(const struct ra_ipmi_guid *guid, char text[RA_IPMI_GUID_TEXT_BYTES]);

/* False for anything but 32 hexadecimal digits and white space behind them. */
bool ra_ipmi_guid_parse(const char *text, struct ra_ipmi_guid *ret_guid);

#endif
