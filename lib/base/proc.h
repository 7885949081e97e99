/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What /proc tells about other processes, without touching the files that they use. Processes
 * come and go: a function that finds its process gone says so by an empty answer.
 */
#ifndef RA_PROC_H
#define RA_PROC_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/export.h"

RA_EXPORT_BEGIN

#define RA_PROC_NAME_BYTES 32

/* The next process of an open /proc, 0 at the end; *ret_fd is its directory, for the caller. */
pid_t ra_proc_next(DIR *proc, int *ret_fd);

/* The next descriptor number in an open /proc/PID/fd or fdinfo; -1 at the end. */
int ra_proc_next_fd(DIR *fds);

/* An open directory below the process's; NULL if it is gone. */
DIR *ra_proc_opendir(int process_fd, const char *name);

/* Read a small file of the process, NUL-terminated; its length, 0 if it is gone or empty. */
size_t ra_proc_read(int process_fd, const char *name, char *buffer, size_t size_bytes);

/* What /proc/PID/stat says of a process, the start time in clock ticks after boot; false if it is
 * gone. */
struct ra_proc_status {
    char name[RA_PROC_NAME_BYTES];
    char state; /* 'D', 'Z' */
    pid_t parent;
    pid_t group;
    pid_t session;
    uint64_t start_ticks;
};
bool ra_proc_status(int process_fd, struct ra_proc_status *ret_status);

/* True if nothing of the process runs any more: all its threads are zombies, or it is gone. */
bool ra_proc_has_ended(int process_fd);

/* The value of a line "name:\tnumber" of a file such as fdinfo/5; -1 if there is none. */
int64_t ra_proc_number(int process_fd, const char *file, const char *name);

RA_EXPORT_END

#endif
