/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "runtime/manpage.h"

#include <string.h>

#include "base/text.h"
#include "runtime/metadata.h"
#include "runtime/trace.h"

/* Text as roff takes it literally: no line may start with a control character. */
static void put_text(const char *text, FILE *out)
{
    bool line_begins = true;

    for (; *text != '\0'; text++) {
        if (line_begins && (*text == '.' || *text == '\''))
            (void)fputs("\\&", out);
        line_begins = *text == '\n';
        if (text[0] == '\n' && text[1] == '\n') {
            (void)fputs("\n.PP\n", out);
            text++;
        } else if (*text == '\\') {
            (void)fputs("\\e", out);
        } else if (*text == '-') {
            (void)fputs("\\-", out);
        } else {
            (void)fputc(*text, out);
        }
    }
}

static void put_paragraph(const char *text, FILE *out)
{
    put_text(text, out);
    (void)fputc('\n', out);
}

static void put_range(const struct ra_param *param, FILE *out)
{
    int64_t unit = param->type == RA_PARAM_DURATION ? 1000 : 1;

    if (param->choices != NULL) {
        (void)fputs("One of:", out);
        for (int i = 0; param->choices[i] != NULL; i++)
            (void)fprintf(out, "%s %s", i == 0 ? "" : ",", param->choices[i]);
        (void)fputs(".\n", out);
    }
    if (param->least != 0 || param->most != 0)
        (void)fprintf(out, "From %lld to %lld%s.\n", (long long)(param->least / unit),
                      (long long)(param->most / unit), unit == 1 ? "" : " seconds");
    if (param->default_text != NULL && param->default_text[0] != '\0')
        (void)fprintf(out, "Default: %s.\n", param->default_text);
    if ((param->flags & RA_PARAM_REQUIRED) != 0)
        (void)fputs("Required.\n", out);
}

static void put_description(const struct ra_param *param, FILE *out)
{
    put_text(param->longdesc != NULL ? param->longdesc : param->shortdesc, out);
    if (param->longdesc == NULL)
        (void)fputc('.', out);
    (void)fputc('\n', out);
    put_range(param, out);
}

static const char *type_name(const struct ra_param *param)
{
    static const char *const names[] = {
        [RA_PARAM_STRING] = "text",    [RA_PARAM_BOOLEAN] = "true|false",
        [RA_PARAM_INTEGER] = "number", [RA_PARAM_DURATION] = "seconds",
        [RA_PARAM_SELECT] = "word",    [RA_PARAM_GRAMMAR] = "text",
    };

    return names[param->type];
}

static void put_parameters(const struct ra_param_table *table, FILE *out)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct ra_param *param = &table->rows[i];

        (void)fprintf(out, ".TP\n.BR %s \" (%s)\"\n", param->name, type_name(param));
        put_description(param, out);
    }
}

void ra_manpage_print_ocf(const struct ra_agent *agent, FILE *out)
{
    (void)fprintf(out,
                  ".TH OCF_NATIVE_%s 7 \"\" \"native\\-agents " PACKAGE_VERSION
                  "\" \"OCF resource agents\"\n"
                  ".SH NAME\nocf_" RA_OCF_PROVIDER "_%s \\- ",
                  agent->name, agent->name);
    put_paragraph(agent->shortdesc, out);
    (void)fprintf(out,
                  ".SH SYNOPSIS\n.B pcs resource create\n.I id\n.B ocf:" RA_OCF_PROVIDER
                  ":%s\n.RI [ name = value \" ...]\"\n.SH DESCRIPTION\n",
                  agent->name);
    put_paragraph(agent->longdesc, out);
    (void)fputs(".SH PARAMETERS\n", out);
    put_parameters(&agent->params, out);
    put_parameters(&ra_trace_params, out);
    (void)fputs(".SH ACTIONS\nWith the timeouts and intervals that the agent advises:\n", out);
    for (size_t i = 0; i < agent->action_count; i++) {
        const struct ra_action *action = &agent->actions[i];

        if ((action->flags & RA_ACTION_HIDDEN) != 0)
            continue;
        (void)fprintf(out, ".TP\n.B %s\ntimeout %d s", action->name, action->timeout_s);
        if (action->interval_s > 0)
            (void)fprintf(out, ", interval %d s, depth %d", action->interval_s, action->depth);
        (void)fputc('\n', out);
    }
}

void ra_manpage_print_fence(const struct ra_fence_agent *agent, FILE *out)
{
    (void)fprintf(out,
                  ".TH %s 8 \"\" \"native\\-agents " PACKAGE_VERSION "\" \"Fence agents\"\n"
                  ".SH NAME\n%s \\- ",
                  agent->name, agent->name);
    put_paragraph(agent->shortdesc, out);
    (void)fprintf(out, ".SH SYNOPSIS\n.B %s\n.RI [ options ]\n.SH DESCRIPTION\n", agent->name);
    put_paragraph(agent->longdesc, out);
    (void)fputs(
        ".PP\nWithout options the agent reads\n.IR name = value\nlines from standard input, "
        "as Pacemaker's fencer gives them; the names stand in parentheses.\n"
        ".SH OPTIONS\n",
        out);
    for (size_t i = 0; i < agent->params.count; i++) {
        const struct ra_param *param = &agent->params.rows[i];
        ra_auto_free char *option = ra_metadata_option(param);

        (void)fputs(".TP\n.B ", out);
        put_text(option, out);
        (void)fprintf(out, " (%s", param->name);
        for (int k = 0; k < 3 && param->old_names[k] != NULL; k++)
            (void)fprintf(out, ", formerly %s", param->old_names[k]);
        (void)fputs(")\n", out);
        put_description(param, out);
    }
    (void)fputs(".SH ACTIONS\n", out);
    for (size_t i = 0; i < agent->action_count; i++)
        if ((agent->actions[i].flags & RA_ACTION_HIDDEN) == 0)
            (void)fprintf(out, "%s%s", i == 0 ? "" : ", ", agent->actions[i].name);
    (void)fputs(", metadata, manpage.\n", out);
}
