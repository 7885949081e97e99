/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The power of a chassis: reading it and changing it. IPMI 2.0, 28.2 Get Chassis Status and 28.3
 * Chassis Control.
 */
#ifndef RA_IPMI_CHASSIS_H
#define RA_IPMI_CHASSIS_H

#include <stdbool.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/export.h"
#include "ipmi/session.h"

RA_EXPORT_BEGIN

struct ra_ipmi_chassis {
    bool power_is_on;
    /* Why power may not come on. */
    bool power_overload;
    bool interlock;
    bool power_fault;
    bool power_control_fault;
    bool intrusion;
    /* The last power-up was a command over IPMI. */
    bool powered_on_by_ipmi;
};

/*
 * Read the state, opening the session if need be and again if it breaks. Blocks until the
 * deadline at the latest. Errors: as ra_ipmi_session_open, and the BMC's own refusals.
 */
int ra_ipmi_chassis_read(struct ra_ipmi_session *session, struct ra_deadline deadline,
                         struct ra_ipmi_chassis *ret_chassis, struct ra_error *err);

/* The numbers are those on the wire. */
enum ra_ipmi_control {
    RA_IPMI_POWER_DOWN = 0, /* hard: the operating system is not asked */
    RA_IPMI_POWER_UP = 1,
    RA_IPMI_POWER_CYCLE = 2,
    RA_IPMI_HARD_RESET = 3,
    RA_IPMI_DIAGNOSTIC_INTERRUPT = 4,
};

/*
 * Send a command. 0 means that the BMC has accepted it, not that it has had its effect: read the
 * state. DOWN and UP may be run twice when a reply is lost, which does no harm. CYCLE, RESET and
 * the diagnostic interrupt are sent once: when the reply is lost the error is TIMEOUT, and whether
 * the command has run is not known.
 */
int ra_ipmi_chassis_control(struct ra_ipmi_session *session, enum ra_ipmi_control control,
                            struct ra_deadline deadline, struct ra_error *err);

/*
 * Why the node was started last: IPMI 2.0, 28.11 Get System Restart Cause. Many BMCs do not have
 * the command (PROTOCOL).
 */
#define RA_IPMI_RESTART_BY_COMMAND 1
int ra_ipmi_chassis_restart_cause(struct ra_ipmi_session *session, struct ra_deadline deadline,
                                  int *ret_cause, struct ra_error *err);

/* "power fault, chassis intrusion": what the state says against powering on; "" for nothing. */
void ra_ipmi_chassis_describe(const struct ra_ipmi_chassis *chassis, char *text, size_t size_bytes);

RA_EXPORT_END

#endif
