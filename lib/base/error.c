/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const char *const kind_names[] = {
    [RA_ERROR_CONFIG] = "config",
    [RA_ERROR_MISSING] = "missing",
    [RA_ERROR_PERMISSION] = "permission",
    [RA_ERROR_NOT_FOUND] = "not-found",
    [RA_ERROR_BUSY] = "busy",
    [RA_ERROR_UNREACHABLE] = "unreachable",
    [RA_ERROR_TIMEOUT] = "timeout",
    [RA_ERROR_PROTOCOL] = "protocol",
    [RA_ERROR_SYSTEM] = "system",
};

const char *ra_error_kind_name(enum ra_error_kind kind)
{
    if ((size_t)kind >= sizeof(kind_names) / sizeof(kind_names[0]) || kind_names[kind] == NULL)
        return "none";
    return kind_names[kind];
}

enum ra_error_kind ra_error_kind_of_errno(int errnum)
{
    switch (errnum) {
    case EACCES:
    case EPERM:
    case EROFS:
        return RA_ERROR_PERMISSION;
    case EBUSY:
    case EAGAIN:
    case ETXTBSY:
        return RA_ERROR_BUSY;
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENOTCONN:
    case ECONNRESET:
        return RA_ERROR_UNREACHABLE;
    case ETIMEDOUT:
    case ETIME:
        return RA_ERROR_TIMEOUT;
    case EPROTO:
    case EPROTONOSUPPORT:
    case EBADMSG:
        return RA_ERROR_PROTOCOL;
    default:
        return RA_ERROR_SYSTEM;
    }
}

int ra_error_vset(struct ra_error *err, enum ra_error_kind kind, const char *format, va_list args)
{
    if (err == NULL)
        return -1;
    err->kind = kind;
    (void)vsnprintf(err->text, sizeof(err->text), format, args);
    ra_text_flatten(err->text);
    return -1;
}

int ra_error_set(struct ra_error *err, enum ra_error_kind kind, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)ra_error_vset(err, kind, format, args);
    va_end(args);
    return -1;
}

int ra_error_set_errno(struct ra_error *err, int errnum, const char *format, ...)
{
    va_list args;
    size_t used;

    va_start(args, format);
    (void)ra_error_vset(err, ra_error_kind_of_errno(errnum), format, args);
    va_end(args);
    if (err == NULL)
        return -1;
    used = strlen(err->text);
    (void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(errnum));
    return -1;
}

int ra_error_prefix(struct ra_error *err, const char *format, ...)
{
    char context[RA_ERROR_TEXT_BYTES];
    char text[RA_ERROR_TEXT_BYTES];
    va_list args;

    if (err == NULL)
        return -1;
    va_start(args, format);
    (void)vsnprintf(context, sizeof(context), format, args);
    va_end(args);
    memcpy(text, err->text, sizeof(text));
    ra_text_join(err->text, sizeof(err->text), context, ": ", text);
    ra_text_flatten(err->text);
    return -1;
}
