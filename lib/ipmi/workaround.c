/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ipmi/workaround.h"

#include <freeipmi/api/ipmi-api.h>
#include <strings.h>

#include "base/text.h"

static const struct {
    const char *name;
    enum ra_ipmi_workaround flag;
    unsigned bit_1_5, bit_2_0;
} table[] = {
    { "authcap", RA_IPMI_AUTHCAP, IPMI_WORKAROUND_FLAGS_OUTOFBAND_AUTHENTICATION_CAPABILITIES,
      IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_AUTHENTICATION_CAPABILITIES },
    { "nochecksumcheck", RA_IPMI_NOCHECKSUMCHECK, IPMI_WORKAROUND_FLAGS_OUTOFBAND_NO_CHECKSUM_CHECK,
      IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_NO_CHECKSUM_CHECK },
    { "intel20", RA_IPMI_INTEL20, 0, IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_INTEL_2_0_SESSION },
    { "supermicro20", RA_IPMI_SUPERMICRO20, 0,
      IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_SUPERMICRO_2_0_SESSION },
    { "sun20", RA_IPMI_SUN20, 0, IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_SUN_2_0_SESSION },
    { "opensesspriv", RA_IPMI_OPENSESSPRIV, 0,
      IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_OPEN_SESSION_PRIVILEGE },
    { "integritycheckvalue", RA_IPMI_INTEGRITYCHECKVALUE, 0,
      IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_NON_EMPTY_INTEGRITY_CHECK_VALUE },
    { "idzero", RA_IPMI_IDZERO, IPMI_WORKAROUND_FLAGS_OUTOFBAND_ACCEPT_SESSION_ID_ZERO, 0 },
    { "forcepermsg", RA_IPMI_FORCEPERMSG,
      IPMI_WORKAROUND_FLAGS_OUTOFBAND_FORCE_PERMSG_AUTHENTICATION, 0 },
    { "unexpectedauth", RA_IPMI_UNEXPECTEDAUTH,
      IPMI_WORKAROUND_FLAGS_OUTOFBAND_CHECK_UNEXPECTED_AUTHCODE, 0 },
    { "endianseq", RA_IPMI_ENDIANSEQ, IPMI_WORKAROUND_FLAGS_OUTOFBAND_BIG_ENDIAN_SEQUENCE_NUMBER,
      0 },
    { "noauthcodecheck", RA_IPMI_NOAUTHCODECHECK,
      IPMI_WORKAROUND_FLAGS_OUTOFBAND_NO_AUTH_CODE_CHECK, 0 },
};

#define TABLE_ROWS (sizeof(table) / sizeof(table[0]))

static int unknown(const char *name, struct ra_error *err)
{
    ra_auto_text_buffer struct ra_text_buffer names = { 0 };

    for (size_t i = 0; i < TABLE_ROWS; i++)
        ra_text_buffer_addf(&names, "%s%s", i == 0 ? "" : ", ", table[i].name);
    return ra_error_set(err, RA_ERROR_CONFIG, "'%.40s' is no workaround; there are: %s", name,
                        names.data);
}

int ra_ipmi_workaround_parse(const char *names, unsigned *ret_flags, struct ra_error *err)
{
    ra_auto_text_list char **words = ra_text_split(names == NULL ? "" : names, ", \t");
    unsigned flags = 0;

    for (char **word = words; *word != NULL; word++) {
        size_t i = 0;

        while (i < TABLE_ROWS && strcasecmp(table[i].name, *word) != 0)
            i++;
        if (i == TABLE_ROWS)
            return unknown(*word, err);
        flags |= (unsigned)table[i].flag;
    }
    *ret_flags = flags;
    return 0;
}

unsigned ra_ipmi_workaround_bits_1_5(unsigned flags)
{
    unsigned bits = 0;

    for (size_t i = 0; i < TABLE_ROWS; i++)
        if ((flags & (unsigned)table[i].flag) != 0)
            bits |= table[i].bit_1_5;
    return bits;
}

unsigned ra_ipmi_workaround_bits_2_0(unsigned flags)
{
    unsigned bits = 0;

    for (size_t i = 0; i < TABLE_ROWS; i++)
        if ((flags & (unsigned)table[i].flag) != 0)
            bits |= table[i].bit_2_0;
    return bits;
}

unsigned ra_ipmi_workaround_of_manufacturer(uint32_t manufacturer)
{
    static const struct {
        uint32_t manufacturer;
        enum ra_ipmi_workaround flag;
    } known[] = {
        { 42, RA_IPMI_SUN20 }, /* Sun Microsystems */
        { 343, RA_IPMI_INTEL20 },
        { 10876, RA_IPMI_SUPERMICRO20 },
        { 47488, RA_IPMI_SUPERMICRO20 }, /* the number that older Supermicro boards give */
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (known[i].manufacturer == manufacturer)
            return (unsigned)known[i].flag;
    return 0;
}
