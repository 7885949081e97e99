/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Mount options as mount(8) reads them: words or name=value pairs between commas, which do not
 * separate inside double quotes. Names are compared whole. Nothing blocks.
 */
#ifndef RA_BASE_OPTION_H
#define RA_BASE_OPTION_H

#include <stdbool.h>

#include "base/export.h"

RA_EXPORT_BEGIN

/* True if `options` hold exactly `name`, or `name=...`. NULL has none. */
bool ra_option_is_set(const char *options, const char *name);

/* The value of `name=value` in `options` (the last one counts), new memory, or NULL. */
char *ra_option_value(const char *options, const char *name);

RA_EXPORT_END

#endif
