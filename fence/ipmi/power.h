/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Switching a node's power and proving it. A command that a BMC accepts is a promise; what counts
 * is the state that it reports afterwards.
 */
#ifndef FENCE_POWER_H
#define FENCE_POWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/error.h"
#include "ipmi/backend.h"

struct power {
    const struct ra_ipmi_backend *ipmi;
    struct ra_ipmi_session *session;
    const char *name;            /* of the BMC, for sentences */
    struct ra_deadline deadline; /* of the whole action */
    int64_t timeout_ms;          /* after a command, until the state must be reached */
    int64_t wait_ms;             /* after a command, before the state is read */
    int64_t longest_pause_ms;    /* between two looks */
    int64_t on_attempts;         /* how often `on` may run into its timeout */
    /* Called when the node was seen running and is about to be taken down; NULL: nothing. */
    void (*going_down)(void *data);
    void *data;
};

/* The node is on, and the next command takes it down or disturbs it. */
void power_going_down(const struct power *power);

/* Read the state. Errors as ra_ipmi_chassis_read. */
int power_read(const struct power *power, bool *ret_on, struct ra_error *err);

/*
 * Power the node down, hard, and wait until the BMC reports it off; without a command if it is
 * off already (*ret_changed tells). TIMEOUT when it is still on in the end.
 */
int power_off(const struct power *power, bool *ret_changed, struct ra_error *err);

/* Power the node up and wait until the BMC reports it on; the same way. */
int power_on(const struct power *power, bool *ret_changed, struct ra_error *err);

#endif
