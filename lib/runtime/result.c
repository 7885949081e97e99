/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "runtime/result.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define ANY_OTHER RA_ERR_GENERIC

/* Kind of error by kind of action; 0 in the row of NOT_FOUND is a success, elsewhere ANY_OTHER. */
static const enum ra_code codes[][RA_ERROR_SYSTEM + 1] = {
    [RA_ACTION_PROBE] = { [RA_ERROR_NOT_FOUND] = RA_NOT_RUNNING,
                          [RA_ERROR_MISSING] = RA_ERR_INSTALLED },
    [RA_ACTION_MONITOR] = { [RA_ERROR_NOT_FOUND] = RA_NOT_RUNNING },
    [RA_ACTION_START] = { [RA_ERROR_NOT_FOUND] = ANY_OTHER,
                          [RA_ERROR_CONFIG] = RA_ERR_CONFIGURED,
                          [RA_ERROR_MISSING] = RA_ERR_INSTALLED,
                          [RA_ERROR_PERMISSION] = RA_ERR_PERM },
    [RA_ACTION_STOP] = { [RA_ERROR_NOT_FOUND] = RA_SUCCESS },
    [RA_ACTION_MIGRATE] = { [RA_ERROR_NOT_FOUND] = ANY_OTHER },
    [RA_ACTION_VALIDATE] = { [RA_ERROR_NOT_FOUND] = ANY_OTHER,
                             [RA_ERROR_CONFIG] = RA_ERR_CONFIGURED,
                             [RA_ERROR_MISSING] = RA_ERR_INSTALLED,
                             [RA_ERROR_PERMISSION] = RA_ERR_PERM },
    [RA_ACTION_FENCE] = { [RA_ERROR_NOT_FOUND] = ANY_OTHER },
};

struct ra_result ra_result_success(void)
{
    return (struct ra_result){ .code = RA_SUCCESS };
}

__attribute__((format(printf, 2, 0))) static struct ra_result make(int code, const char *format,
                                                                   va_list args)
{
    struct ra_result result = { .code = code };

    (void)vsnprintf(result.reason, sizeof(result.reason), format, args);
    ra_text_flatten(result.reason);
    return result;
}

struct ra_result ra_result_not_running(const char *format, ...)
{
    struct ra_result result;
    va_list args;

    va_start(args, format);
    result = make(RA_NOT_RUNNING, format, args);
    va_end(args);
    return result;
}

struct ra_result ra_result_failure(enum ra_code code, const char *format, ...)
{
    struct ra_result result;
    va_list args;

    va_start(args, format);
    result = make((int)code, format, args);
    va_end(args);
    return result;
}

struct ra_result ra_result_of_error(enum ra_action_kind action, const struct ra_error *error)
{
    struct ra_result result = { .code = ANY_OTHER };

    if (error->kind >= RA_ERROR_CONFIG && error->kind <= RA_ERROR_SYSTEM &&
        (size_t)action < sizeof(codes) / sizeof(codes[0]))
        result.code = (int)codes[action][error->kind];
    if (result.code == RA_SUCCESS &&
        !(action == RA_ACTION_STOP && error->kind == RA_ERROR_NOT_FOUND))
        result.code = ANY_OTHER;
    if (result.code != RA_SUCCESS)
        memcpy(result.reason, error->text, sizeof(result.reason));
    return result;
}
