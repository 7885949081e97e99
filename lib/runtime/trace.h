/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The trace: every call to a backend with its duration, every note and the result, one line each.
 * Resource agents write it where resource-agents' ocf-shellfuncs (ocf_start_trace) put theirs:
 * to the descriptor or file in OCF_TRACE_FILE or trace_file, or to a file of its own per action
 * below trace_dir, /var/lib/heartbeat/trace_ra by default; on a terminal, to standard error.
 */
#ifndef RA_RUNTIME_TRACE_H
#define RA_RUNTIME_TRACE_H

#include <stdint.h>

#include "base/error.h"
#include "runtime/param.h"

/*
 * The parameters that every resource agent has for it. pcs knows them by itself only for the
 * providers heartbeat and pacemaker, so they are in our metadata.
 */
struct ra_trace_config {
    bool trace_ra;
    const char *trace_file;
    const char *trace_dir;
};
extern const struct ra_param_table ra_trace_params;

/*
 * Where the parameters and OCF's variables say, if trace_ra or OCF_TRACE_RA is true; otherwise
 * nowhere. `crm_resource --force-check -VV` asks for standard error in this way.
 */
int ra_trace_open_ocf(const struct ra_trace_config *config, const char *type, const char *instance,
                      const char *action, struct ra_error *err);

/* To standard error (`path` NULL) or appended to a root-only file, which must not be a link. */
int ra_trace_open_file(const char *path, struct ra_error *err);

/* A line with the time of day; without a place to write to this costs nothing. */
void ra_trace_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
