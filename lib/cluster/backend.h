/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What libra-cluster.so offers to an agent: see base/backend.h. */
#ifndef RA_CLUSTER_BACKEND_H
#define RA_CLUSTER_BACKEND_H

#include "base/backend.h"
#include "base/export.h"
#include "cluster/utilization.h"

#define RA_CLUSTER_CALLS(X) X(utilization_set)

struct ra_cluster_backend {
    struct ra_backend_header header;
#define RA_CLUSTER_MEMBER(call) __typeof__(ra_cluster_##call) *call;
    RA_CLUSTER_CALLS(RA_CLUSTER_MEMBER)
#undef RA_CLUSTER_MEMBER
};

RA_EXPORT_BEGIN
extern const struct ra_cluster_backend ra_cluster_backend;
RA_EXPORT_END

#endif
