/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How a fence agent is told what to do: key=value lines on standard input (the fencer), or options
 * (a person). Both fill the same config from the same table.
 */
#ifndef RA_RUNTIME_FENCE_INPUT_H
#define RA_RUNTIME_FENCE_INPUT_H

#include "base/error.h"
#include "runtime/param.h"

/*
 * Parse key=value lines. `text` is cut up in place, and the config points into it. '-' and '_' are
 * alike in keys, the last value wins, white space and one pair of '"' around a value are stripped,
 * empty lines and lines starting with '#' are skipped. `nodename` goes to *ret_node; any other
 * unknown key is a warning, because a newer fencer may know more keys than we do. A row with a
 * rival_offset keeps there what it was set to by another of its names before.
 */
int ra_fence_input_lines(const struct ra_param_table *table, char *text, void *config,
                         const char **ret_node, struct ra_error *err);

/*
 * Parse options by getopt_long(3). The config points into argv, except for secrets: they are
 * overwritten there, where every user of the machine could read them. Their copies are put into
 * `secrets`, which has a place for each row of the table; the caller wipes and frees them after the
 * config. A boolean takes no argument.
 */
int ra_fence_input_options(const struct ra_param_table *table, int argc, char *argv[], void *config,
                           char **secrets, struct ra_error *err);

#endif
