/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The files of console_log: one for each fencing, named by node and time, for root alone, bounded
 * in size and number.
 */
#ifndef FENCE_CONSOLE_LOG_H
#define FENCE_CONSOLE_LOG_H

#include <stddef.h>

#include "base/error.h"

#define CONSOLE_LOG_MOST_BYTES (1024 * 1024)
#define CONSOLE_LOG_MOST_FILES 20 /* of one node; the oldest go first */

/*
 * Make the file for `node` in `directory`, which is made if it is missing (not its parents), and
 * remove the node's oldest ones. The caller closes *ret_fd. Errors: SYSTEM, PERMISSION (also for a
 * directory that others may write to).
 */
int console_log_create(const char *directory, const char *node, int *ret_fd, struct ra_error *err);

#endif
