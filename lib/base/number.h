/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Numbers, truth values and durations from text: parsed whole, or refused. Nothing blocks,
 * nothing allocates. The functions return 0, or -1 when the text is not of the form; the caller
 * makes the sentence, because it knows the parameter's name.
 */
#ifndef RA_BASE_NUMBER_H
#define RA_BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/export.h"

RA_EXPORT_BEGIN

/* A decimal integer with an optional sign, nothing before or after it, within int64_t. */
int ra_number_parse_integer(const char *text, int64_t *ret_value);

/*
 * A truth value, any case: 1 true yes y on ja, 0 false no n off nein. The true words are
 * those of resource-agents' ocf_is_true and Pacemaker's crm_str_to_boolean together.
 */
int ra_number_parse_boolean(const char *text, bool *ret_value);

/*
 * A duration in Pacemaker's notation ("Time Specification" in Pacemaker Explained): an integer
 * without a sign and a unit: none or s sec (seconds), ms msec, us usec, m min, h hr. Result in
 * milliseconds, microseconds rounded up.
 */
int ra_number_parse_duration(const char *text, int64_t *ret_ms);

/* Bytes from hexadecimal digits (an even number, an optional 0x in front), at most `most_bytes`. */
int ra_number_parse_hex(const char *text, unsigned char *ret_bytes, unsigned most_bytes,
                        unsigned *ret_count_bytes);

RA_EXPORT_END

#endif
