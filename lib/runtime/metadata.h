/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Metadata from the tables, in the two dialects that Pacemaker reads.
 *
 * Resource agents: OCF 1.0, ordered as resource-agents' ra-api-1.dtd and metadata.rng want it.
 * Not 1.1: its `reloadable` attribute, its `reload-agent` action and its select type are refused by
 * both of those, which ocf-tester and distributions check, while pcs and Pacemaker take 1.0 in
 * full.
 *
 * Fence agents: fence-agents' metadata.rng, which pcs's ocf-1.0.rng accepts too.
 */
#ifndef RA_RUNTIME_METADATA_H
#define RA_RUNTIME_METADATA_H

#include <stdio.h>

#include "runtime/agent.h"
#include "runtime/fence.h"

void ra_metadata_print_ocf(const struct ra_agent *agent, FILE *out);
void ra_metadata_print_fence(const struct ra_fence_agent *agent, FILE *out);

/* "-o, --action=[action]": a fence agent's option as its help, manual and metadata show it. */
char *ra_metadata_option(const struct ra_param *param);

#endif
