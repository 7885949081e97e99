/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "runtime/metadata.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "runtime/trace.h"

#define OLD_NAMES_MOST (sizeof(((struct ra_param *)0)->old_names) / sizeof(const char *))

static void put_escaped(const char *text, FILE *out)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            (void)fputs("&amp;", out);
            break;
        case '<':
            (void)fputs("&lt;", out);
            break;
        case '>':
            (void)fputs("&gt;", out);
            break;
        case '"':
            (void)fputs("&quot;", out);
            break;
        default:
            (void)fputc(*text, out);
        }
    }
}

static void put_element(const char *indent, const char *open, const char *text, const char *name,
                        FILE *out)
{
    (void)fprintf(out, "%s<%s>", indent, open);
    put_escaped(text, out);
    (void)fprintf(out, "</%s>\n", name);
}

static void put_descriptions(const char *indent, const char *shortdesc, const char *longdesc,
                             FILE *out)
{
    put_element(indent, "longdesc lang=\"en\"", longdesc != NULL ? longdesc : shortdesc, "longdesc",
                out);
    put_element(indent, "shortdesc lang=\"en\"", shortdesc, "shortdesc", out);
}

static void put_default(const struct ra_param *param, FILE *out)
{
    if (param->default_text == NULL)
        return;
    (void)fputs(" default=\"", out);
    put_escaped(param->default_text, out);
    (void)fputc('"', out);
}

static void put_ocf_parameter(const struct ra_param *param, FILE *out)
{
    static const char *const types[] = {
        [RA_PARAM_STRING] = "string",   [RA_PARAM_BOOLEAN] = "boolean",
        [RA_PARAM_INTEGER] = "integer", [RA_PARAM_DURATION] = "string",
        [RA_PARAM_SELECT] = "string",   [RA_PARAM_GRAMMAR] = "string",
    };

    (void)fprintf(out, "<parameter name=\"%s\" unique=\"%d\" required=\"%d\">\n", param->name,
                  (param->flags & RA_PARAM_UNIQUE) != 0, (param->flags & RA_PARAM_REQUIRED) != 0);
    put_descriptions("", param->shortdesc, param->longdesc, out);
    (void)fprintf(out, "<content type=\"%s\"", types[param->type]);
    put_default(param, out);
    (void)fputs(" />\n</parameter>\n", out);
}

static void put_ocf_parameters(const struct ra_param_table *table, FILE *out)
{
    for (size_t i = 0; i < table->count; i++)
        put_ocf_parameter(&table->rows[i], out);
}

static void put_ocf_action(const struct ra_action *action, FILE *out)
{
    (void)fprintf(out, "<action name=\"%s\" timeout=\"%ds\"", action->name, action->timeout_s);
    if (action->interval_s > 0)
        (void)fprintf(out, " interval=\"%ds\" depth=\"%d\"", action->interval_s, action->depth);
    (void)fputs(" />\n", out);
}

void ra_metadata_print_ocf(const struct ra_agent *agent, FILE *out)
{
    (void)fprintf(out,
                  "<?xml version=\"1.0\"?>\n"
                  "<!DOCTYPE resource-agent SYSTEM \"ra-api-1.dtd\">\n"
                  "<resource-agent name=\"%s\" version=\"" PACKAGE_VERSION "\">\n"
                  "<version>1.0</version>\n",
                  agent->name);
    put_descriptions("", agent->shortdesc, agent->longdesc, out);
    (void)fputs("<parameters>\n", out);
    put_ocf_parameters(&agent->params, out);
    put_ocf_parameters(&ra_trace_params, out);
    (void)fputs("</parameters>\n<actions>\n", out);
    for (size_t i = 0; i < agent->action_count; i++)
        if ((agent->actions[i].flags & RA_ACTION_HIDDEN) == 0)
            put_ocf_action(&agent->actions[i], out);
    (void)fputs("<action name=\"meta-data\" timeout=\"5s\" />\n"
                "</actions>\n</resource-agent>\n",
                out);
}

char *ra_metadata_option(const struct ra_param *param)
{
    ra_auto_free char *long_name = ra_text_replace(param->name, "_", "-");
    struct ra_text_buffer option = { 0 };

    if (param->letter != '\0')
        ra_text_buffer_addf(&option, "-%c, ", param->letter);
    ra_text_buffer_addf(&option, "--%s", long_name);
    if (param->type != RA_PARAM_BOOLEAN)
        ra_text_buffer_addf(&option, "=[%s]", long_name);
    return option.data;
}

/* One spelling of a parameter: the current name, or an old one. */
static void put_fence_spelling(const struct ra_param *param, const char *name, FILE *out)
{
    static const char *const types[] = {
        [RA_PARAM_STRING] = "string",   [RA_PARAM_BOOLEAN] = "boolean",
        [RA_PARAM_INTEGER] = "integer", [RA_PARAM_DURATION] = "second",
        [RA_PARAM_SELECT] = "select",   [RA_PARAM_GRAMMAR] = "string",
    };
    ra_auto_free char *option = ra_metadata_option(param);

    (void)fprintf(out, "\t<parameter name=\"%s\" unique=\"%d\" required=\"%d\"", name,
                  (param->flags & RA_PARAM_UNIQUE) != 0, (param->flags & RA_PARAM_REQUIRED) != 0);
    if (name != param->name)
        (void)fputs(" deprecated=\"1\"", out);
    else if (param->old_names[0] != NULL)
        (void)fprintf(out, " obsoletes=\"%s\"", param->old_names[0]);
    (void)fprintf(out, ">\n\t\t<getopt mixed=\"%s\" />\n\t\t<content type=\"%s\"", option,
                  types[param->type]);
    put_default(param, out);
    if (param->type == RA_PARAM_SELECT) {
        (void)fputs(">\n", out);
        for (int i = 0; param->choices[i] != NULL; i++)
            (void)fprintf(out, "\t\t\t<option value=\"%s\" />\n", param->choices[i]);
        (void)fputs("\t\t</content>\n", out);
    } else {
        (void)fputs(" />\n", out);
    }
    put_element("\t\t", "shortdesc lang=\"en\"",
                param->longdesc != NULL ? param->longdesc : param->shortdesc, "shortdesc", out);
    (void)fputs("\t</parameter>\n", out);
}

void ra_metadata_print_fence(const struct ra_fence_agent *agent, FILE *out)
{
    (void)fprintf(out, "<?xml version=\"1.0\" ?>\n<resource-agent name=\"%s\" shortdesc=\"",
                  agent->name);
    put_escaped(agent->shortdesc, out);
    (void)fputs("\" >\n", out);
    put_element("", "longdesc", agent->longdesc, "longdesc", out);
    put_element("", "vendor-url", agent->vendor_url, "vendor-url", out);
    (void)fputs("<parameters>\n", out);
    for (size_t i = 0; i < agent->params.count; i++) {
        const struct ra_param *param = &agent->params.rows[i];

        put_fence_spelling(param, param->name, out);
        for (size_t k = 0; k < OLD_NAMES_MOST && param->old_names[k] != NULL; k++)
            put_fence_spelling(param, param->old_names[k], out);
    }
    (void)fputs("</parameters>\n<actions>\n", out);
    for (size_t i = 0; i < agent->action_count; i++)
        if ((agent->actions[i].flags & RA_ACTION_HIDDEN) == 0)
            (void)fprintf(out, "\t<action name=\"%s\"%s />\n", agent->actions[i].name,
                          strcmp(agent->actions[i].name, "on") == 0 ? " automatic=\"0\"" : "");
    (void)fputs("\t<action name=\"metadata\" />\n\t<action name=\"manpage\" />\n"
                "</actions>\n</resource-agent>\n",
                out);
}
