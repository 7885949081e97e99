/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The utilization attributes of a cluster resource (Pacemaker Explained, "Utilization and Placement
 * Strategy"): what a guest takes of a node's capacity. Read and written in the cluster's
 * configuration through libcib, as `crm_resource --utilization` does.
 */
#ifndef RA_CLUSTER_UTILIZATION_H
#define RA_CLUSTER_UTILIZATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/error.h"

struct ra_cluster_attribute {
    const char *name; /* "cpu" */
    bool wanted;      /* false: the attribute is to be removed */
    int64_t value;
};

/*
 * Bring the attributes of the primitive `resource` in line; an instance number as in "www1:0" does
 * not count. Only what differs is written, all of it in one change, so that the cluster computes
 * its placement once. Attributes that are not named stay as they are.
 *
 * Blocks for two calls to the local CIB manager, until the deadline at most. Errors: CONFIG (not a
 * resource's id), UNREACHABLE (no CIB manager, or no such resource in it), TIMEOUT, SYSTEM.
 */
int ra_cluster_utilization_set(const char *resource, const struct ra_cluster_attribute *attributes,
                               size_t count, struct ra_deadline deadline, struct ra_error *err);

#endif
