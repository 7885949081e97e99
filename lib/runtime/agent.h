/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An OCF resource agent: its description, and the main function that turns it into a program.
 * Follows the OCF Resource Agent API 1.1 as Pacemaker 2.1 uses it.
 */
#ifndef RA_RUNTIME_AGENT_H
#define RA_RUNTIME_AGENT_H

#include <stddef.h>

#include "base/export.h"
#include "runtime/action.h"
#include "runtime/param.h"

RA_EXPORT_BEGIN

struct ra_agent {
    const char *name; /* "VirtualDomain" */
    const char *shortdesc;
    const char *longdesc;
    size_t config_bytes;
    struct ra_param_table params;
    const struct ra_action *actions;
    size_t action_count;
};

/*
 * Run the action that argv[1] names. `meta-data`, `usage`, `--help` and `manpage` are answered
 * here, with nothing loaded; every other action runs in a worker under the supervisor. Returns
 * the exit status for main.
 */
int ra_agent_main(const struct ra_agent *agent, int argc, char *argv[]);

RA_EXPORT_END

#endif
