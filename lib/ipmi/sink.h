/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where a console's bytes go: a file with an upper limit, and remarks in brackets between them.
 */
#ifndef RA_IPMI_SINK_H
#define RA_IPMI_SINK_H

#include <stdbool.h>
#include <stddef.h>

struct ra_ipmi_sink {
    int fd; /* the caller's */
    size_t left_bytes;
    bool established; /* the console was there */
    bool spoke;       /* and has said something */
};

/*
 * Take bytes of the console. NULs are left out: the library sends one when the console is there,
 * and consoles send them as padding. What is beyond the limit is dropped, with one remark. A full
 * disk is borne: there is nobody to tell.
 */
void ra_ipmi_sink_keep(struct ra_ipmi_sink *sink, const char *bytes, size_t count);

/* Write "[whatwhy]" on a line of its own. */
void ra_ipmi_sink_remark(const struct ra_ipmi_sink *sink, const char *what, const char *why);

#endif
