/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "runtime/agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/number.h"
#include "base/text.h"
#include "runtime/manpage.h"
#include "runtime/metadata.h"
#include "runtime/supervisor.h"
#include "runtime/trace.h"

#define META "OCF_RESKEY_CRM_meta_"

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value != NULL ? value : "";
}

/* A number of Pacemaker's; what it does not set or we do not understand is `otherwise`. */
static int64_t number_variable(const char *name, int64_t otherwise)
{
    int64_t number;

    return ra_number_parse_integer(variable(name), &number) == 0 ? number : otherwise;
}

static int say(const struct ra_result *result)
{
    if (result->reason[0] != '\0')
        (void)fprintf(stderr, "ocf-exit-reason:%s\n", result->reason);
    return result->code;
}

static void print_parameters(const struct ra_param_table *table, FILE *out)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct ra_param *param = &table->rows[i];

        (void)fprintf(out, "  %c %-24s %s", (param->flags & RA_PARAM_REQUIRED) != 0 ? '*' : ' ',
                      param->name, param->shortdesc);
        if (param->default_text != NULL && param->default_text[0] != '\0')
            (void)fprintf(out, " [%s]", param->default_text);
        (void)fputc('\n', out);
    }
}

static void print_usage(const struct ra_agent *agent, FILE *out)
{
    (void)fprintf(out, "%s: %s\n\nusage: %s ACTION\n\nACTION is one of:", agent->name,
                  agent->shortdesc, agent->name);
    for (size_t i = 0; i < agent->action_count; i++)
        if (i == 0 || strcmp(agent->actions[i].name, agent->actions[i - 1].name) != 0)
            (void)fprintf(out, " %s", agent->actions[i].name);
    (void)fputs(" meta-data manpage usage\n\n"
                "Parameters come in the environment as OCF_RESKEY_NAME (* required):\n",
                out);
    print_parameters(&agent->params, out);
    print_parameters(&ra_trace_params, out);
    (void)fprintf(out, "\nIn a cluster: crm_resource --resource ID --force-check\n");
}

static const struct ra_action *find_action(const struct ra_agent *agent, const char *name)
{
    for (size_t i = 0; i < agent->action_count; i++)
        if (strcmp(agent->actions[i].name, name) == 0)
            return &agent->actions[i];
    return NULL;
}

/*
 * Read the table's parameters from the environment. A lenient action goes on with the default
 * where a value is wrong, and says so.
 */
static int read_parameters(const struct ra_param_table *table, bool lenient, void *config,
                           struct ra_error *err)
{
    ra_param_set_defaults(table, config);
    for (size_t i = 0; i < table->count; i++) {
        const struct ra_param *param = &table->rows[i];
        ra_auto_free char *name = ra_text_format("OCF_RESKEY_%s", param->name);
        const char *value = getenv(name);

        if (value == NULL || ra_param_set(param, config, value, err) == 0)
            continue;
        if (!lenient)
            return -1;
        (void)fprintf(stderr, "WARNING: %s; going on with the default\n", err->text);
    }
    return lenient ? 0 : ra_param_check_required(table, config, err);
}

static enum ra_action_kind kind_of(const struct ra_action *action)
{
    /* A probe is a monitor with interval 0; by hand, without the variable, it is a monitor. */
    if (strcmp(action->name, "monitor") == 0 && number_variable(META "interval", -1) == 0)
        return RA_ACTION_PROBE;
    return action->kind;
}

static struct ra_result run_action(const struct ra_action *action, const void *config)
{
    static struct utsname host;
    const char *node = variable(META "on_node");
    int64_t began_ms = ra_deadline_now_ms();
    int64_t timeout_ms = number_variable(META "timeout", 0);
    struct ra_context context = {
        .config = config,
        .action = action->name,
        .kind = kind_of(action),
        .instance = variable("OCF_RESOURCE_INSTANCE"),
        .interval_ms = number_variable(META "interval", 0),
        .check_level = (int)number_variable("OCF_CHECK_LEVEL", 0),
        .is_clone = number_variable(META "clone_max", 0) > 0,
        .migrate_source = variable(META "migrate_source"),
        .migrate_target = variable(META "migrate_target"),
    };
    struct ra_supervisor_job job = { .run = action->run,
                                     .context = &context,
                                     .cancellable = (action->flags & RA_ACTION_CANCELLABLE) != 0 };

    if (node[0] == '\0' && uname(&host) == 0)
        node = host.nodename;
    if (timeout_ms <= 0)
        timeout_ms = (int64_t)action->timeout_s * 1000;
    context.node = node;
    context.timeout_ms = timeout_ms;
    context.deadline.at_ms = began_ms + timeout_ms * RA_SUPERVISOR_ACTION_PERCENT / 100;
    job.kill_at.at_ms = began_ms + timeout_ms * RA_SUPERVISOR_KILL_PERCENT / 100;
    return ra_supervisor_run(&job);
}

static int run(const struct ra_agent *agent, const struct ra_action *action)
{
    ra_auto_free void *config = calloc(1, agent->config_bytes);
    struct ra_trace_config trace;
    struct ra_error err = { 0 };
    struct ra_result result;

    if (config == NULL)
        abort();
    (void)read_parameters(&ra_trace_params, true, &trace, &err);
    if (ra_trace_open_ocf(&trace, agent->name, variable("OCF_RESOURCE_INSTANCE"), action->name,
                          &err) != 0)
        (void)fprintf(stderr, "WARNING: %s; going on without a trace\n", err.text);
    if (read_parameters(&agent->params, (action->flags & RA_ACTION_LENIENT) != 0, config, &err) !=
        0)
        result = ra_result_of_error(action->kind, &err);
    else
        result = run_action(action, config);
    ra_param_wipe_secrets(&agent->params, config);
    return say(&result);
}

static int finish_output(void)
{
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? RA_SUCCESS : RA_ERR_GENERIC;
}

int ra_agent_main(const struct ra_agent *agent, int argc, char *argv[])
{
    const char *name = argc == 2 ? argv[1] : "";
    const struct ra_action *action = find_action(agent, name);

    if (action != NULL)
        return run(agent, action);
    if (strcmp(name, "meta-data") == 0) {
        ra_metadata_print_ocf(agent, stdout);
        return finish_output();
    }
    if (strcmp(name, "manpage") == 0) {
        ra_manpage_print_ocf(agent, stdout);
        return finish_output();
    }
    if (strcmp(name, "usage") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_usage(agent, stdout);
        return finish_output();
    }
    print_usage(agent, stderr);
    (void)fprintf(stderr, "ocf-exit-reason:%s: there is no action '%s'\n", agent->name, name);
    return RA_ERR_UNIMPLEMENTED;
}
