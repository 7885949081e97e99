/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Getting into a BMC: the addresses, cipher suites, authentication types and the workaround, tried
 * in order until one combination opens a session.
 */
#ifndef RA_IPMI_LOGIN_H
#define RA_IPMI_LOGIN_H

#include "base/deadline.h"
#include "base/error.h"
#include "ipmi/client.h"

/* Open session->ctx, which is NULL. As ra_ipmi_session_open(); `err` is not NULL. */
int ra_ipmi_login(struct ra_ipmi_session *session, struct ra_deadline deadline,
                  struct ra_error *err);

#endif
