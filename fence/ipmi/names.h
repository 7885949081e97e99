/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The other names of fence_ipmi: fence-agents installs fence_ipmilan under a name for each maker's
 * BMC, with defaults that suit it. `configure --enable-compat-names` does so too.
 */
#ifndef FENCE_NAMES_H
#define FENCE_NAMES_H

#include "runtime/fence.h"

/*
 * The agent that the program was called as: *agent itself, or one that differs in its name, its
 * description and a default. `program` is argv[0]. The result lives as long as the process.
 */
const struct ra_fence_agent *names_choose(const struct ra_fence_agent *agent, const char *program);

#endif
