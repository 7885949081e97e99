/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Workarounds for BMCs that do not keep to the standard, by the names that FreeIPMI's programs
 * use (freeipmi.conf(5), ipmipower(8) "WORKAROUNDS"). Pure functions.
 */
#ifndef RA_IPMI_WORKAROUND_H
#define RA_IPMI_WORKAROUND_H

#include <stdint.h>

#include "base/error.h"
#include "base/export.h"

RA_EXPORT_BEGIN

enum ra_ipmi_workaround {
    /* IPMI 1.5 and 2.0 */
    RA_IPMI_AUTHCAP = 1 << 0,
    RA_IPMI_NOCHECKSUMCHECK = 1 << 1,
    /* IPMI 2.0 */
    RA_IPMI_INTEL20 = 1 << 2,
    RA_IPMI_SUPERMICRO20 = 1 << 3,
    RA_IPMI_SUN20 = 1 << 4,
    RA_IPMI_OPENSESSPRIV = 1 << 5,
    RA_IPMI_INTEGRITYCHECKVALUE = 1 << 6,
    /* IPMI 1.5 */
    RA_IPMI_IDZERO = 1 << 7,
    RA_IPMI_FORCEPERMSG = 1 << 8,
    RA_IPMI_UNEXPECTEDAUTH = 1 << 9,
    RA_IPMI_ENDIANSEQ = 1 << 10,
    RA_IPMI_NOAUTHCODECHECK = 1 << 11,
};

/*
 * The flags in a list of names separated by commas or blanks; NULL and "" are none. CONFIG for a
 * name that does not exist, with the names that do.
 */
int ra_ipmi_workaround_parse(const char *names, unsigned *ret_flags, struct ra_error *err);

RA_EXPORT_END

/* FreeIPMI's own bits for ipmi_ctx_open_outofband() and _2_0(); flags of the other are left out. */
unsigned ra_ipmi_workaround_bits_1_5(unsigned flags);
unsigned ra_ipmi_workaround_bits_2_0(unsigned flags);

/*
 * The workarounds that the IPMI 2.0 logins of a manufacturer's known faulty BMCs need, by IANA
 * enterprise number; 0 for others.
 */
unsigned ra_ipmi_workaround_of_manufacturer(uint32_t manufacturer);

#endif
