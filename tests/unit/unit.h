/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What every unit test program starts with: cmocka and the headers it wants before it. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * True once the process runs no more: gone, or a zombie that nobody has collected yet. Waits up to
 * two seconds for it.
 */
static inline bool has_ended(pid_t pid)
{
    char path[64];
    char line[256];

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    for (int i = 0; i < 200; i++) {
        FILE *stat = fopen(path, "r");
        const char *name_end;

        if (stat == NULL)
            return true;
        name_end = fgets(line, sizeof(line), stat) == NULL ? NULL : strrchr(line, ')');
        (void)fclose(stat);
        if (name_end == NULL || name_end[2] == 'Z' || name_end[2] == 'X')
            return true;
        (void)usleep(10000);
    }
    return false;
}

#define assert_contains(text, part)                                                                \
    do {                                                                                           \
        if (strstr((text), (part)) == NULL)                                                        \
            fail_msg("'%s' is not in '%s'", (part), (text));                                       \
    } while (0)

#endif
