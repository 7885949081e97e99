/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The resource's utilization attributes. */
#ifndef RA_AGENTS_VIRTUALDOMAIN_UTILIZATION_H
#define RA_AGENTS_VIRTUALDOMAIN_UTILIZATION_H

#include "base/deadline.h"
#include "guest.h"

/*
 * Keep the resource's utilization attributes in step with the running guest->domain; what goes
 * wrong is a warning. Blocks for some milliseconds where something is to be written, 2 seconds at
 * most.
 */
void virtualdomain_update_utilization(const struct guest *guest, struct ra_deadline deadline);

/* Remove what the last update left for the next one. */
void virtualdomain_forget_utilization(const struct guest *guest);

#endif
