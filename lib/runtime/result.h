/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an action returns: an OCF exit code and, unless it is a success, the reason for a person.
 * Codes: OCF Resource Agent API 1.1, "Exit status codes", and Pacemaker Administration, "OCF
 * Return Codes": 2 means "cannot work on this node as configured", 6 "wrong on every node".
 */
#ifndef RA_RUNTIME_RESULT_H
#define RA_RUNTIME_RESULT_H

#include "base/error.h"
#include "base/export.h"

RA_EXPORT_BEGIN

enum ra_code {
    RA_SUCCESS = 0,
    RA_ERR_GENERIC = 1,
    RA_ERR_ARGS = 2,
    RA_ERR_UNIMPLEMENTED = 3,
    RA_ERR_PERM = 4,
    RA_ERR_INSTALLED = 5,
    RA_ERR_CONFIGURED = 6,
    RA_NOT_RUNNING = 7,
};

/* What an action is for: by it the one table turns an error's kind into a code. */
enum ra_action_kind {
    RA_ACTION_PROBE = 1, /* a monitor that only asks whether it runs here */
    RA_ACTION_MONITOR,
    RA_ACTION_START,
    RA_ACTION_STOP,
    RA_ACTION_MIGRATE, /* migrate_to, migrate_from */
    RA_ACTION_VALIDATE,
    RA_ACTION_FENCE, /* every action of a fence agent: success or failure, nothing else */
};

struct ra_result {
    int code;
    char reason[RA_ERROR_TEXT_BYTES]; /* one line; "" if there is nothing to say */
};

struct ra_result ra_result_success(void);

/* Nothing runs, and that is proven; the reason is optional ("" prints nothing). */
struct ra_result ra_result_not_running(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

struct ra_result ra_result_failure(enum ra_code code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The one translation of a backend's error. NOT_FOUND is 7 for a monitor and a success for a
 * stop; MISSING is 5 for a start, a validation and a probe; whatever leaves the state unknown
 * (UNREACHABLE, TIMEOUT and the rest) is never 7 and never a success.
 */
struct ra_result ra_result_of_error(enum ra_action_kind action, const struct ra_error *error);

RA_EXPORT_END

#endif
