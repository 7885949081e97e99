/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The one error type of every backend: a kind, by which the runtime chooses an exit code, and a
 * text that names the object, the operation and the cause, for the person who reads the log.
 *
 * A function that can fail returns 0, or -1 with *err filled in. `err` comes last, belongs to the
 * caller, is written on failure only, and may be NULL where only the fact of the failure matters.
 * Nothing here allocates or blocks, so an error can be made in a signal-free corner of a dying
 * process too.
 */
#ifndef RA_BASE_ERROR_H
#define RA_BASE_ERROR_H

#include <stdarg.h>

#include "base/export.h"

RA_EXPORT_BEGIN

enum ra_error_kind {
    RA_ERROR_CONFIG = 1, /* a parameter is wrong on every node */
    RA_ERROR_MISSING, /* a program or library is not installed, so nothing it runs can run here */
    RA_ERROR_PERMISSION,  /* the other side, or the kernel, refused us */
    RA_ERROR_NOT_FOUND,   /* proof that the object does not exist; never used for "cannot tell" */
    RA_ERROR_BUSY,        /* the object is in use; trying again later may help */
    RA_ERROR_UNREACHABLE, /* nobody answers: the state of the object is unknown */
    RA_ERROR_TIMEOUT,     /* the deadline passed: the state of the object is unknown */
    RA_ERROR_PROTOCOL,    /* the other side answered nonsense or something we do not support */
    RA_ERROR_SYSTEM,      /* the operating system failed us: memory, descriptors, I/O */
};

#define RA_ERROR_TEXT_BYTES 768

struct ra_error {
    enum ra_error_kind kind;
    char text[RA_ERROR_TEXT_BYTES]; /* one line, no trailing full stop or newline */
};

/* Fill in *err. Control characters are replaced by spaces; a text too long is cut. Returns -1. */
int ra_error_set(struct ra_error *err, enum ra_error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As ra_error_set, with the arguments as a va_list. */
int ra_error_vset(struct ra_error *err, enum ra_error_kind kind, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/*
 * Fill in *err from an errno value: the kind from a fixed table, the text followed by ": " and
 * strerror(3)'s sentence. Returns -1.
 */
int ra_error_set_errno(struct ra_error *err, int errnum, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Put context in front of the text on the way up: "context: text". The kind stays. Returns -1,
 * so that a caller can write `return ra_error_prefix(err, "guest %s", name);`.
 */
int ra_error_prefix(struct ra_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The kind that an errno value stands for; anything not in the table is RA_ERROR_SYSTEM. No errno
 * value means RA_ERROR_NOT_FOUND or RA_ERROR_MISSING: a path that is not there proves nothing
 * about a guest or a mount, so a caller that has proof says so itself.
 */
enum ra_error_kind ra_error_kind_of_errno(int errnum);

/* The kind's name for traces and tests, "timeout" for example; never NULL. */
const char *ra_error_kind_name(enum ra_error_kind kind);

RA_EXPORT_END

#endif
