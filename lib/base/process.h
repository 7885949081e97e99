/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Running another program: an argument vector, never a shell; a deadline; its output kept.
 */
#ifndef RA_BASE_PROCESS_H
#define RA_BASE_PROCESS_H

#include "base/deadline.h"
#include "base/error.h"
#include "base/export.h"
#include "base/text.h"

RA_EXPORT_BEGIN

/*
 * Run argv[0] (an absolute path, or a name looked up in PATH) with the arguments argv, standard
 * input from /dev/null, standard output and error together into *output (the first 16 KiB; may
 * be NULL), in a process group of its own. Blocks until it has ended or the deadline passes; then
 * the group is killed and RA_ERROR_TIMEOUT returned. Output is read until the program itself
 * ends, so a daemon that it leaves behind does not keep us waiting.
 *
 * 0: it ran; *ret_exit_status is its exit status, or 128 + the signal that ended it.
 * Errors: MISSING (no such program), TIMEOUT, SYSTEM.
 */
int ra_process_run(const char *const argv[], struct ra_deadline deadline, int *ret_exit_status,
                   struct ra_text_buffer *output, struct ra_error *err);

/*
 * The same, with standard error discarded: for a program whose standard output is the answer, a
 * password for example.
 */
int ra_process_capture(const char *const argv[], struct ra_deadline deadline, int *ret_exit_status,
                       struct ra_text_buffer *output, struct ra_error *err);

RA_EXPORT_END

#endif
