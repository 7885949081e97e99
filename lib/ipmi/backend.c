/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ipmi/backend.h"

#include "config.h"

#define ENTRY(function) .function = ra_ipmi_##function,

const struct ra_ipmi_backend ra_ipmi_backend = { .header = { PACKAGE_VERSION },
                                                 RA_IPMI_CALLS(ENTRY) };
