/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a login has found out about a BMC, kept for the next action in a state file (base/file.h):
 * the cipher suite or authentication type, and the workarounds. It only saves time: without it, or
 * when it is wrong, everything is found out again. No secret is in it.
 */
#ifndef RA_IPMI_MEMORY_H
#define RA_IPMI_MEMORY_H

#include <stdbool.h>

#include "ipmi/client.h"

/* Put into the session what is remembered; false if there is nothing, or nothing is wanted. */
bool ra_ipmi_memory_recall(struct ra_ipmi_session *session);

/* Keep what the session was opened with. A failure is no error. */
void ra_ipmi_memory_keep(const struct ra_ipmi_session *session);

/* Take it out of the session and the file: it was wrong. */
void ra_ipmi_memory_forget(struct ra_ipmi_session *session);

#endif
