/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "names.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    const char *shortdesc;
    const char *power_wait; /* the default, NULL: as fence_ipmi */
} names[] = {
    { "fence_ipmilan", "Fence agent for IPMI", NULL },
    { "fence_ipmilanplus", "Fence agent for IPMIv2 lanplus", NULL },
    /* An iLO 3 reports the old state for a while after a command. */
    { "fence_ilo3", "Fence agent for HP iLO3", "4" },
    { "fence_ilo4", "Fence agent for HP iLO4", NULL },
    { "fence_ilo5", "Fence agent for HP iLO5", NULL },
    { "fence_idrac", "Fence agent for Dell iDRAC", NULL },
    { "fence_imm", "Fence agent for IBM Integrated Management Module", NULL },
};

/* The rows with another default for power_wait. */
static struct ra_param_table with_power_wait(const struct ra_param_table *table,
                                             const char *power_wait)
{
    struct ra_param *rows = calloc(table->count, sizeof(*rows));

    if (rows == NULL)
        abort();
    memcpy(rows, table->rows, table->count * sizeof(*rows));
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(rows[i].name, "power_wait") == 0)
            rows[i].default_text = power_wait;
    return (struct ra_param_table){ .rows = rows, .count = table->count };
}

const struct ra_fence_agent *names_choose(const struct ra_fence_agent *agent, const char *program)
{
    static struct ra_fence_agent chosen;
    const char *slash = program == NULL ? NULL : strrchr(program, '/');
    const char *name = slash == NULL ? program : slash + 1;

    for (size_t i = 0; name != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i].name, name) != 0)
            continue;
        chosen = *agent;
        chosen.name = names[i].name;
        chosen.shortdesc = names[i].shortdesc;
        if (names[i].power_wait != NULL)
            chosen.params = with_power_wait(&agent->params, names[i].power_wait);
        return &chosen;
    }
    return agent;
}
