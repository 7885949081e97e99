/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a process is doing, for the supervisor and for the trace. Backends mark each call that
 * can block with RA_LOG_CALL; they never print. Where the marks go is decided by the runtime
 * through one sink per process; without a sink (unit tests) they cost a comparison.
 *
 * Safe to use from several threads once the sink is set.
 */
#ifndef RA_BASE_LOG_H
#define RA_BASE_LOG_H

#include <stdint.h>

#include "base/cleanup.h"
#include "base/export.h"

RA_EXPORT_BEGIN

enum ra_log_event {
    RA_LOG_BEGAN,   /* a call that may block has begun: "connecting to qemu:///system" */
    RA_LOG_ENDED,   /* it has ended: the same text, with its duration */
    RA_LOG_NOTE,    /* something worth a line in a trace */
    RA_LOG_WARNING, /* something an administrator should see in the cluster's log */
};

/* `duration_us` is 0 except for RA_LOG_ENDED. Must not block for long and must not log. */
typedef void ra_log_sink(enum ra_log_event event, const char *text, int64_t duration_us);

/* Set the process's sink, NULL for none. Not thread-safe: call it before threads start. */
void ra_log_set_sink(ra_log_sink *sink);

void ra_log_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void ra_log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct ra_log_call {
    int64_t began_us;
    char text[160];
};
struct ra_log_call ra_log_call_begin(const char *format, ...) __attribute__((format(printf, 1, 2)));
void ra_log_call_end(struct ra_log_call *call);

/*
 * Mark the rest of the scope as one call to something that may block. The text completes the
 * sentence "timed out while ...", so it starts with a participle: RA_LOG_CALL("connecting to %s",
 * uri). No secret may be in it.
 */
#define RA_LOG_CALL(...)           RA_LOG_CALL_AT_(__LINE__, __VA_ARGS__)
#define RA_LOG_CALL_AT_(line, ...) RA_LOG_CALL_NAMED_(line, __VA_ARGS__)
#define RA_LOG_CALL_NAMED_(line, ...)                                                              \
    RA_CLEANUP(ra_log_call_end)                                                                    \
    __attribute__((unused)) struct ra_log_call ra_log_call_##line = ra_log_call_begin(__VA_ARGS__)

RA_EXPORT_END

#endif
