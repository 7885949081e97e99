/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/deadline.h"
#include "base/text.h"

static ra_log_sink *current_sink;

void ra_log_set_sink(ra_log_sink *sink)
{
    current_sink = sink;
}

__attribute__((format(printf, 2, 0))) static void emit(enum ra_log_event event, const char *format,
                                                       va_list args)
{
    char text[1024];

    if (current_sink == NULL)
        return;
    (void)vsnprintf(text, sizeof(text), format, args);
    ra_text_flatten(text);
    current_sink(event, text, 0);
}

void ra_log_note(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    emit(RA_LOG_NOTE, format, args);
    va_end(args);
}

void ra_log_warning(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    emit(RA_LOG_WARNING, format, args);
    va_end(args);
}

struct ra_log_call ra_log_call_begin(const char *format, ...)
{
    struct ra_log_call call = { .began_us = ra_deadline_now_us() };
    va_list args;

    if (current_sink == NULL)
        return call;
    va_start(args, format);
    (void)vsnprintf(call.text, sizeof(call.text), format, args);
    va_end(args);
    ra_text_flatten(call.text);
    current_sink(RA_LOG_BEGAN, call.text, 0);
    return call;
}

void ra_log_call_end(struct ra_log_call *call)
{
    if (current_sink != NULL)
        current_sink(RA_LOG_ENDED, call->text, ra_deadline_now_us() - call->began_us);
}
