/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rebooting a node: off, proven, and on again; or by the BMC's own power cycle, which is quicker
 * and less certain, because what a BMC accepts it has not done yet. So a cycle is watched, and what
 * cannot be proven is done again as off and on.
 */
#ifndef FENCE_REBOOT_H
#define FENCE_REBOOT_H

#include "power.h"

/*
 * 0 once the node was proven to have been off; if it does not come back, that is a warning.
 * *ret_how is a remark for the output, "" mostly.
 */
int power_reboot(const struct power *power, bool cycle_it, const char **ret_how,
                 struct ra_error *err);

/*
 * Send a diagnostic interrupt and give the node `wait_ms` to write its crash dump, less if its
 * power goes off before. Nothing that fails here is an error: the power-down comes in any case.
 */
void power_diagnose(const struct power *power, int64_t wait_ms);

#endif
