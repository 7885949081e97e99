/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * libra-ipmi.so: sessions with BMCs, power control and consoles, on libfreeipmi and libipmiconsole.
 */
#ifndef RA_IPMI_BACKEND_H
#define RA_IPMI_BACKEND_H

#include "base/backend.h"
#include "base/export.h"
#include "ipmi/chassis.h"
#include "ipmi/console.h"
#include "ipmi/session.h"
#include "ipmi/workaround.h"

#define RA_IPMI_CALLS(X)                                                                           \
    X(workaround_parse)                                                                            \
    X(session_create)                                                                              \
    X(session_destroy)                                                                             \
    X(session_open)                                                                                \
    X(session_close)                                                                               \
    X(chassis_read)                                                                                \
    X(chassis_control)                                                                             \
    X(chassis_restart_cause)                                                                       \
    X(console_record)                                                                              \
    X(console_end)                                                                                 \
    X(chassis_describe)

struct ra_ipmi_backend {
    struct ra_backend_header header;
#define RA_IPMI_MEMBER(call) __typeof__(ra_ipmi_##call) *call;
    RA_IPMI_CALLS(RA_IPMI_MEMBER)
#undef RA_IPMI_MEMBER
};

RA_EXPORT_BEGIN
extern const struct ra_ipmi_backend ra_ipmi_backend;
RA_EXPORT_END

#endif
