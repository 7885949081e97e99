/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The node's serial console, recorded while it is fenced. IPMI 2.0, 15: Serial over LAN.
 */
#ifndef RA_IPMI_CONSOLE_H
#define RA_IPMI_CONSOLE_H

#include <stddef.h>

#include "base/error.h"
#include "base/export.h"
#include "ipmi/session.h"

RA_EXPORT_BEGIN

/*
 * Record the console behind `session`, which is or was open, into the file `fd`, at most
 * `most_bytes`, until the calling process ends or calls ra_ipmi_console_end(). This is done by a
 * process of its own that nobody waits for: a console takes a quarter of a second to open and as
 * much to close, and the power-down must not wait for either. What keeps the console from being
 * recorded stands in the file, in brackets. A console that somebody else is using is left alone.
 *
 * Does not block. The descriptor stays the caller's. Errors: CONFIG (IPMI 1.5 has no consoles),
 * SYSTEM.
 */
int ra_ipmi_console_record(struct ra_ipmi_session *session, int fd, size_t most_bytes,
                           struct ra_error *err);

/* The power is off: what is recorded from now on is the node's next life. Does not block. */
void ra_ipmi_console_end(struct ra_ipmi_session *session);

RA_EXPORT_END

#endif
