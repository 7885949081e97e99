/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "runtime/fence.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "runtime/fence_input.h"
#include "runtime/manpage.h"
#include "runtime/metadata.h"
#include "runtime/supervisor.h"
#include "runtime/trace.h"

#define STDIN_MOST_BYTES 65536

static void print_help(const struct ra_fence_agent *agent)
{
    (void)printf("%s: %s\n\nusage: %s [options]\n\nWithout options, name=value lines are read from "
                 "standard input.\n\n",
                 agent->name, agent->shortdesc, agent->name);
    for (size_t i = 0; i < agent->params.count; i++) {
        const struct ra_param *param = &agent->params.rows[i];
        ra_auto_free char *option = ra_metadata_option(param);

        (void)printf("  %-44s %s", option, param->shortdesc);
        if (param->default_text != NULL && param->default_text[0] != '\0')
            (void)printf(" [%s]", param->default_text);
        (void)putchar('\n');
    }
}

/* All of standard input, at most STDIN_MOST_BYTES, in memory that the caller wipes and frees. */
static int read_stdin(char **ret_text, struct ra_error *err)
{
    ra_auto_free char *text = calloc(1, STDIN_MOST_BYTES + 1);
    size_t used = 0;
    ssize_t count;

    if (text == NULL)
        return ra_error_set_errno(err, ENOMEM, "standard input");
    while ((count = read(STDIN_FILENO, text + used, STDIN_MOST_BYTES - used)) != 0) {
        if (count < 0 && errno != EINTR)
            return ra_error_set_errno(err, errno, "cannot read standard input");
        used += count > 0 ? (size_t)count : 0;
        if (used == STDIN_MOST_BYTES)
            return ra_error_set(err, RA_ERROR_CONFIG, "standard input is larger than %d bytes",
                                STDIN_MOST_BYTES);
    }
    if (memchr(text, '\0', used) != NULL)
        return ra_error_set(err, RA_ERROR_CONFIG, "standard input holds a NUL byte");
    *ret_text = ra_steal_ptr(&text);
    return 0;
}

static void print_warning(enum ra_log_event event, const char *text, int64_t duration_us)
{
    (void)duration_us;
    if (event == RA_LOG_WARNING)
        (void)fprintf(stderr, "WARNING: %s\n", text);
}

static int open_trace(const struct ra_fence_config *common, struct ra_error *err)
{
    if (!ra_text_is_empty(common->debug_file))
        return ra_trace_open_file(common->debug_file, err);
    if (common->verbose || common->verbose_level > 0)
        return ra_trace_open_file(NULL, err);
    return 0;
}

/* True if the request was for a text that needs no device. */
static bool print_text(const struct ra_fence_agent *agent, const struct ra_fence_config *common)
{
    if (common->help)
        print_help(agent);
    else if (common->version)
        (void)printf("%s " PACKAGE_VERSION "\n", agent->name);
    else if (ra_text_equal(common->action, "metadata"))
        ra_metadata_print_fence(agent, stdout);
    else if (ra_text_equal(common->action, "manpage"))
        ra_manpage_print_fence(agent, stdout);
    else
        return false;
    return true;
}

static struct ra_result run(const struct ra_fence_agent *agent, const void *config,
                            const char *node)
{
    const struct ra_fence_config *common = config;
    const struct ra_action *action = NULL;
    struct ra_context context = { .config = config,
                                  .kind = RA_ACTION_FENCE,
                                  .instance = "",
                                  .node = node,
                                  .migrate_source = "",
                                  .migrate_target = "" };
    struct ra_supervisor_job job = { .context = &context, .quiet = common->quiet };
    int64_t budget_ms;

    for (size_t i = 0; i < agent->action_count && action == NULL; i++)
        if (strcmp(agent->actions[i].name, common->action) == 0)
            action = &agent->actions[i];
    if (action == NULL)
        return ra_result_failure(RA_ERR_UNIMPLEMENTED, "unsupported action '%s'", common->action);
    if (common->delay_ms > 0 &&
        (strcmp(action->name, "off") == 0 || strcmp(action->name, "reboot") == 0))
        (void)ra_deadline_sleep_ms(ra_deadline_after_ms(common->delay_ms), common->delay_ms);

    budget_ms = agent->budget_ms(config, action->name);
    context.action = action->name;
    context.timeout_ms = budget_ms;
    context.deadline = ra_deadline_after_ms(budget_ms);
    job.run = action->run;
    job.cancellable = (action->flags & RA_ACTION_CANCELLABLE) != 0;
    /* An action that ends itself in time says more than its supervisor could. */
    job.kill_at = ra_deadline_after_ms(budget_ms + budget_ms / 10 + 500);
    return ra_supervisor_run(&job);
}

/* Parse the request, then answer it. */
static struct ra_result serve(const struct ra_fence_agent *agent, int argc, char *argv[],
                              char *text, char **secrets, void *config, bool *ret_quiet)
{
    const struct ra_fence_config *common = config;
    const char *node = "";
    struct ra_error err = { 0 };
    int failed;

    ra_param_set_defaults(&agent->params, config);
    if (argc > 1)
        failed = ra_fence_input_options(&agent->params, argc, argv, config, secrets, &err);
    else
        failed = ra_fence_input_lines(&agent->params, text, config, &node, &err);
    *ret_quiet = common->quiet;
    if (failed != 0)
        return ra_result_of_error(RA_ACTION_FENCE, &err);
    if (print_text(agent, common))
        return ra_result_success();
    if (ra_param_check_required(&agent->params, config, &err) != 0 || open_trace(common, &err) != 0)
        return ra_result_of_error(RA_ACTION_FENCE, &err);
    return run(agent, config, node);
}

static void *zeroed(size_t count, size_t size_bytes)
{
    void *memory = calloc(count, size_bytes);

    if (memory == NULL)
        abort();
    return memory;
}

int ra_fence_main(const struct ra_fence_agent *agent, int argc, char *argv[])
{
    ra_auto_free void *config = zeroed(1, agent->config_bytes);
    ra_auto_free char **secrets = zeroed(agent->params.count, sizeof(*secrets));
    ra_auto_free char *text = NULL;
    struct ra_result result;
    struct ra_error err;
    bool quiet = false;

    /* No core dump may hold the password. */
    (void)prctl(PR_SET_DUMPABLE, 0);
    ra_log_set_sink(print_warning);
    if (argc <= 1 && read_stdin(&text, &err) != 0)
        result = ra_result_of_error(RA_ACTION_FENCE, &err);
    else
        result = serve(agent, argc, argv, text, secrets, config, &quiet);
    ra_param_wipe_secrets(&agent->params, config);
    for (size_t i = 0; i < agent->params.count; i++)
        free(secrets[i]);
    if (text != NULL)
        explicit_bzero(text, STDIN_MOST_BYTES);
    if (result.reason[0] != '\0' && !quiet)
        (void)fprintf(stderr, "%s: %s\n", agent->name, result.reason);
    if (fflush(stdout) != 0 || ferror(stdout) != 0)
        return 1;
    return result.code == RA_SUCCESS || result.code == RA_FENCE_OFF ? result.code : 1;
}
