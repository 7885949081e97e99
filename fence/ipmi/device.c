/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "device.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "console_log.h"
#include "plugs.h"
#include "runtime/backend.h"

/*
 * How long a monitor waits for silent addresses: all BMCs together, for Pacemaker gives it 20 s
 * however many they are.
 */
static int64_t monitor_patience_ms = 2000;

void device_close(struct device *device)
{
    if (device->ipmi == NULL)
        return;
    device->ipmi->session_destroy(device->power.session);
    target_free(&device->target);
}

static void note_ignored(const struct ipmi_config *config)
{
    if (config->ipmitool_path != NULL || config->use_sudo || config->sudo_path != NULL)
        ra_log_note("ipmitool_path, use_sudo and sudo_path are ignored: no program is run");
    if (config->disable_timeout != NULL)
        ra_log_note("disable_timeout is ignored: every action has an end");
}

/* The node's last words. Whatever goes wrong here hinders nothing. */
static void record_console(void *data)
{
    struct device *device = data;
    ra_auto_close int fd = -1;
    struct ra_error err;

    device->power.going_down = NULL; /* once is enough */
    if (console_log_create(device->console_log, device->node, &fd, &err) != 0 ||
        device->ipmi->console_record(device->power.session, fd, CONSOLE_LOG_MOST_BYTES, &err) != 0)
        ra_log_warning("the console is not recorded: %s", err.text);
}

static const char *node_name(const struct ra_context *context, const char *plug,
                             const struct device *device)
{
    if (context->node[0] != '\0')
        return context->node;
    return plug[0] != '\0' ? plug : device->target.addresses;
}

int device_open(const struct ra_context *context, const char *plug, bool fetch_password,
                struct device *device, struct ra_error *err)
{
    const struct ipmi_config *config = context->config;

    note_ignored(config);
    device->ipmi = ra_backend_load("ipmi", err);
    if (device->ipmi == NULL)
        return -1;
    if (target_make(device->ipmi, config, plug, fetch_password, context->deadline, &device->target,
                    err) != 0)
        return -1;
    if (ra_text_equal(context->action, "monitor"))
        device->target.options.patience_ms = &monitor_patience_ms;
    device->power = (struct power){
        .ipmi = device->ipmi,
        .name = device->target.addresses,
        .deadline = context->deadline,
        .timeout_ms = config->power_timeout_ms,
        .wait_ms = config->power_wait_ms,
        .longest_pause_ms = config->status_sleep_ms,
        .on_attempts = config->retry_on + 1,
    };
    if (!ra_text_is_empty(config->console_log)) {
        device->console_log = config->console_log;
        device->node = node_name(context, plug, device);
        device->power.going_down = record_console;
        device->power.data = device;
    }
    return device->ipmi->session_create(&device->target.options, &device->power.session, err);
}

static int with_plug(const struct ra_context *context, const char *plug, device_function *function,
                     struct ra_error *err)
{
    RA_CLEANUP(device_close) struct device device = { .ipmi = NULL };

    if (device_open(context, plug, true, &device, err) != 0 ||
        function(context, &device, plug, err) != 0)
        return -1;
    return 0;
}

/* One after the other; the first failure is the result, but every plug gets its turn. */
struct ra_result device_each(const struct ra_context *context, char **plugs,
                             device_function *function)
{
    struct ra_result result = ra_result_success();
    static char none[] = "";
    static char *no_plug[] = { none, NULL };
    struct ra_error err;

    for (char **plug = plugs[0] == NULL ? no_plug : plugs; *plug != NULL; plug++)
        if (with_plug(context, *plug, function, &err) != 0 && result.code == RA_SUCCESS) {
            if (plugs[0] != NULL && plugs[1] != NULL)
                (void)ra_error_prefix(&err, "%s", *plug);
            result = ra_result_of_error(RA_ACTION_FENCE, &err);
        }
    return result;
}

struct ra_result device_each_requested(const struct ra_context *context, device_function *function)
{
    ra_auto_text_list char **plugs = plugs_requested(context->config);
    struct ra_error err;

    if (plugs_check_node(context->config, context->node, &err) != 0)
        return ra_result_of_error(RA_ACTION_FENCE, &err);
    return device_each(context, plugs, function);
}
