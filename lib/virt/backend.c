/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "virt/backend.h"

#define RA_VIRT_ENTRY(name) .name = ra_virt_##name,

const struct ra_virt_backend ra_virt_backend = { .header = { .version = PACKAGE_VERSION },
                                                 RA_VIRT_CALLS(RA_VIRT_ENTRY) };
