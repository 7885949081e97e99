/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The trace: every call to a backend with its duration, every note and the result, one line each.
 * Resource agents write it where resource-agents' ocf-shellfuncs (ocf_start_trace) put theirs:
 * to the descriptor or file in OCF_TRACE_FILE, or to a file of its own per action below
 * trace_dir, /var/lib/heartbeat/trace_ra by default; on a terminal, to standard error.
 */
#ifndef RA_RUNTIME_TRACE_H
#define RA_RUNTIME_TRACE_H

#include <stdint.h>

#include "base/error.h"

/* Where OCF's variables say, if OCF_TRACE_RA or trace_ra is true; otherwise nowhere. */
int ra_trace_open_ocf(const char *type, const char *instance, const char *action,
                      struct ra_error *err);

/* To standard error (`path` NULL) or appended to a root-only file, which must not be a link. */
int ra_trace_open_file(const char *path, struct ra_error *err);

/* A line with the time of day; without a place to write to this costs nothing. */
void ra_trace_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
