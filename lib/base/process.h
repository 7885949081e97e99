/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Running another program: an argument vector, never a shell; a deadline; its output kept.
 */
#ifndef RA_BASE_PROCESS_H
#define RA_BASE_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

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

/*
 * How to wait for a child together with descriptors: poll(2) this one, which becomes readable when
 * the child has ended, for at most ra_process_slice_ms() at a time, and then ask
 * ra_process_has_ended(). The descriptor is -1 (poll ignores it) where the kernel has no
 * pidfd_open(2), before Linux 5.3; the slice is short there. The caller closes it.
 */
int ra_process_watch(pid_t child);
int ra_process_slice_ms(int watch_fd, struct ra_deadline deadline);
bool ra_process_has_ended(pid_t child);

RA_EXPORT_END

#endif
