/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A deadline for calls that have none. FreeIPMI's timeouts are counted from the last packet
 * received and are fixed when a session is opened; and it cannot be told not to send a command
 * again. A timer that interrupts its poll(2) ends such a call at an exact moment: FreeIPMI gives
 * up then without another packet.
 *
 * The timer signals the calling thread only. A guard belongs to the thread that made it.
 */
#ifndef RA_IPMI_GUARD_H
#define RA_IPMI_GUARD_H

#include <stdbool.h>
#include <time.h>

#include "base/deadline.h"
#include "base/error.h"

struct ra_ipmi_guard {
    timer_t timer;
    bool exists;
};

/* Make the timer, disarmed. Errors: SYSTEM. */
int ra_ipmi_guard_create(struct ra_ipmi_guard *guard, struct ra_error *err);
void ra_ipmi_guard_destroy(struct ra_ipmi_guard *guard);

/* From `deadline` on, interrupt whatever this thread blocks in, until the guard is disarmed. */
void ra_ipmi_guard_arm(const struct ra_ipmi_guard *guard, struct ra_deadline deadline);
void ra_ipmi_guard_disarm(const struct ra_ipmi_guard *guard);

#endif
