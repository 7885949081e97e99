/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A power cycle by the BMC's own command: quicker than off and on, and less certain, because what
 * a BMC accepts it has not done yet. So the cycle is watched, and what cannot be proven is done
 * again as off and on.
 */
#ifndef FENCE_CYCLE_H
#define FENCE_CYCLE_H

#include "power.h"

enum cycle_proof {
    CYCLE_SEEN,     /* the BMC reported the power off in between */
    CYCLE_RECORDED, /* it recorded a restart by command that was not there before */
    CYCLE_WAS_OFF,  /* the node was off, nothing had to be proven; it has been powered on */
    CYCLE_NOT_PROVEN,
};

/*
 * Cycle the power. The command is sent once; if its answer is lost it may have run, and the proof
 * decides. CYCLE_NOT_PROVEN with the reason in *ret_why when there is no proof: the caller powers
 * off and on. The node may still be off when this returns CYCLE_SEEN.
 */
int power_cycle(const struct power *power, enum cycle_proof *ret_proof, struct ra_error *ret_why,
                struct ra_error *err);

/*
 * Send a diagnostic interrupt and give the node `wait_ms` to write its crash dump, less if its
 * power goes off before. Nothing that fails here is an error: the power-down comes in any case.
 */
void power_diagnose(const struct power *power, int64_t wait_ms);

#endif
