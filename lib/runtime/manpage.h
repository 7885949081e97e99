/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The generated part of the manual pages, in man(7) macros: everything that the tables know. The
 * build appends the prose from man/.
 */
#ifndef RA_RUNTIME_MANPAGE_H
#define RA_RUNTIME_MANPAGE_H

#include <stdio.h>

#include "runtime/agent.h"
#include "runtime/fence.h"

void ra_manpage_print_ocf(const struct ra_agent *agent, FILE *out);
void ra_manpage_print_fence(const struct ra_fence_agent *agent, FILE *out);

#endif
