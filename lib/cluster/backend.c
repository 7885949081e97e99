/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cluster/backend.h"

#define MEMBER(call) .call = ra_cluster_##call,

const struct ra_cluster_backend ra_cluster_backend = { .header = { .version = PACKAGE_VERSION },
                                                       RA_CLUSTER_CALLS(MEMBER) };
