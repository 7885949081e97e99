/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * fence_ipmi: fences a node through the BMC in it, over IPMI.
 *
 * "Fenced" means: the BMC has reported the power off after a hard power-down. Everything else is
 * an error, for then nobody knows whether the node still writes. A device knows the nodes that
 * its parameters name; it never claims another one (see the action list).
 */
#include <stddef.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "device.h"
#include "names.h"
#include "plugs.h"
#include "power.h"
#include "reboot.h"
#include "runtime/fence.h"
#include "target.h"

enum {
    METHOD_ONOFF,
    METHOD_CYCLE,
};

static const char *const auth_choices[] = { "md5", "password", "none", NULL };
static const char *const privlvl_choices[] = { "callback", "user", "operator", "administrator",
                                               NULL };
static const char *const method_choices[] = { "onoff", "cycle", NULL };
static const char *const diag_choices[] = { "nmi", NULL };

#define SECONDS(n)  ((n)*INT64_C(1000))
#define MOST_WAIT_S 3600

/* In the order of fence_ipmilan's metadata, and with its names, letters and meanings. */
static const struct ra_param params[] = {
    RA_FENCE_PARAMS(struct ipmi_config, common),
    { .name = "ip",
      RA_FIELD_STRING(struct ipmi_config, ip),
      .old_names = { "ipaddr" },
      .letter = 'a',
      .shortdesc = "IP address or hostname of fencing device",
      .longdesc =
          "Address or host name of the BMC. Several addresses of one BMC are separated by "
          "commas; all are asked at once and the first that answers is used. They must "
          "lead to one BMC: if they show different GUIDs, nothing is done. One resource "
          "can serve several nodes: plug=address entries separated by semicolons, such as "
          "node1=192.0.2.1;node2=192.0.2.2. Each plug stands there once, and no two of them "
          "have the same BMC." },
    { .name = "ipport",
      RA_FIELD_INTEGER(struct ipmi_config, ipport),
      .default_text = "623",
      .least = 1,
      .most = 65535,
      .letter = 'u',
      .shortdesc = "UDP port to use for connection with device" },
    { .name = "username",
      RA_FIELD_STRING(struct ipmi_config, username),
      .old_names = { "login" },
      .letter = 'l',
      .shortdesc = "Login name" },
    { .name = "password",
      RA_FIELD_STRING(struct ipmi_config, password),
      .flags = RA_PARAM_SECRET,
      .old_names = { "passwd" },
      .letter = 'p',
      .shortdesc = "Login password or passphrase" },
    { .name = "password_script",
      RA_FIELD_STRING(struct ipmi_config, password_script),
      .old_names = { "passwd_script" },
      .letter = 'S',
      .shortdesc = "Script to run to retrieve password" },
    { .name = "password_file",
      RA_FIELD_STRING(struct ipmi_config, password_file),
      .shortdesc = "File that holds the password, readable for root alone" },
    { .name = "lanplus",
      RA_FIELD_BOOLEAN(struct ipmi_config, lanplus),
      .default_text = "1",
      .letter = 'P',
      .shortdesc = "Use IPMI 2.0 (1, the default) or IPMI 1.5 (0)" },
    { .name = "auth",
      RA_FIELD_SELECT(struct ipmi_config, auth),
      .choices = auth_choices,
      .letter = 'A',
      .shortdesc = "IPMI 1.5: authentication type, by default the best that the BMC offers" },
    { .name = "cipher",
      RA_FIELD_INTEGER(struct ipmi_config, cipher),
      .least = 0,
      .most = 17,
      .letter = 'C',
      .shortdesc = "IPMI 2.0: cipher suite, by default the best that the BMC offers" },
    { .name = "privlvl",
      RA_FIELD_SELECT(struct ipmi_config, privlvl),
      .choices = privlvl_choices,
      .default_text = "administrator",
      .letter = 'L',
      .shortdesc = "Privilege level on IPMI device" },
    { .name = "method",
      RA_FIELD_SELECT(struct ipmi_config, method),
      .choices = method_choices,
      .default_text = "onoff",
      .letter = 'm',
      .shortdesc = "Method to fence",
      .longdesc = "How a node is rebooted: onoff powers it off, proves that, and powers it on; "
                  "cycle sends the BMC's power cycle and watches it. A cycle that the BMC gives no "
                  "proof of is followed by off and on." },
    { .name = "diag_before_off",
      RA_FIELD_SELECT(struct ipmi_config, diag_before_off),
      .choices = diag_choices,
      .shortdesc = "Send the node a diagnostic interrupt before it is powered off",
      .longdesc = "nmi: before the node is powered off it is sent a diagnostic interrupt and given "
                  "diag_wait, so that it can write its crash dump. It is powered off in any case. "
                  "Raise pcmk_off_timeout and pcmk_reboot_timeout by diag_wait." },
    { .name = "diag_wait",
      RA_FIELD_DURATION(struct ipmi_config, diag_wait_ms),
      .default_text = "10",
      .least = 0,
      .most = SECONDS(MOST_WAIT_S),
      .shortdesc = "Wait X seconds for the crash dump after the diagnostic interrupt" },
    { .name = "target",
      RA_FIELD_STRING(struct ipmi_config, target),
      .shortdesc = "Bridge IPMI requests to the remote target address" },
    { .name = "hexadecimal_kg",
      RA_FIELD_STRING(struct ipmi_config, hexadecimal_kg),
      .flags = RA_PARAM_SECRET,
      .shortdesc = "Hexadecimal-encoded Kg key for IPMIv2 authentication" },
    { .name = "workaround_flags",
      RA_FIELD_STRING(struct ipmi_config, workaround_flags),
      .shortdesc = "Workarounds for the BMC, by FreeIPMI's names, separated by commas",
      .longdesc = "Workarounds for the BMC, by FreeIPMI's names, separated by commas: authcap, "
                  "nochecksumcheck; with IPMI 2.0 intel20, supermicro20, sun20, opensesspriv, "
                  "integritycheckvalue; with IPMI 1.5 idzero, forcepermsg, unexpectedauth, "
                  "endianseq, noauthcodecheck. opensesspriv is turned on by itself when the BMC "
                  "needs it." },
    { .name = "plug",
      RA_FIELD_STRING(struct ipmi_config, plug),
      .old_names = { "port" },
      .letter = 'n',
      .rival_offset = offsetof(struct ipmi_config, other_plug),
      .shortdesc = "Name of the node, or its BMC's address together with port_as_ip",
      .longdesc =
          "Name of the node; it chooses the BMC where ip names several, and is the BMC's "
          "address together with port_as_ip. Otherwise it has no effect. The fencer sends "
          "it by itself. Where ip names several BMCs, do not set it: the device would fence "
          "that node alone, and refuse when it is asked for another one." },
    { .name = "port_as_ip",
      RA_FIELD_BOOLEAN(struct ipmi_config, port_as_ip),
      .shortdesc = "Make \"port/plug\" to be an alias to IP address" },
    { .name = "plug_separator",
      RA_FIELD_STRING(struct ipmi_config, plug_separator),
      .default_text = ",",
      .shortdesc = "Separator for plug parameter when specifying more than 1 plug" },
    { .name = "console_log",
      RA_FIELD_STRING(struct ipmi_config, console_log),
      .shortdesc = "Directory for records of the node's serial console during fencing",
      .longdesc =
          "Directory in which the node's serial console is recorded from the moment fencing "
          "begins until the power is proven off, in a file of at most 1 MiB for each "
          "fencing and 20 files for each node. The power-down does not wait for it. A "
          "console that somebody else is using is left alone." },
    { .name = "power_timeout",
      RA_FIELD_DURATION(struct ipmi_config, power_timeout_ms),
      .default_text = "20",
      .least = SECONDS(1),
      .most = SECONDS(MOST_WAIT_S),
      .shortdesc = "Test X seconds for status change after ON/OFF" },
    { .name = "power_wait",
      RA_FIELD_DURATION(struct ipmi_config, power_wait_ms),
      .default_text = "0",
      .least = 0,
      .most = SECONDS(MOST_WAIT_S),
      .shortdesc = "Wait X seconds after issuing ON/OFF, before the state is read" },
    { .name = "stonith_status_sleep",
      RA_FIELD_DURATION(struct ipmi_config, status_sleep_ms),
      .default_text = "1",
      .least = 20,
      .most = SECONDS(60),
      .shortdesc = "Sleep at most X seconds between status calls during a STONITH action",
      .longdesc = "The longest pause between two looks at the power state during an action; the "
                  "first pause is 20 ms." },
    { .name = "login_timeout",
      RA_FIELD_DURATION(struct ipmi_config, login_timeout_ms),
      .default_text = "5",
      .least = SECONDS(1),
      .most = SECONDS(MOST_WAIT_S),
      .shortdesc = "Give up a BMC that has been silent for X seconds" },
    { .name = "shell_timeout",
      RA_FIELD_DURATION(struct ipmi_config, shell_timeout_ms),
      .default_text = "3",
      .least = SECONDS(1),
      .most = SECONDS(MOST_WAIT_S),
      .shortdesc = "Wait X seconds for the answers to commands" },
    { .name = "ipmitool_timeout",
      RA_FIELD_DURATION(struct ipmi_config, retransmission_ms),
      .least = 50,
      .most = SECONDS(60),
      .shortdesc = "Send a request again after X seconds without an answer, by default after four "
                   "round trips" },
    { .name = "retry_on",
      RA_FIELD_INTEGER(struct ipmi_config, retry_on),
      .default_text = "1",
      .least = 0,
      .most = 100,
      .shortdesc = "Count of attempts to retry power on" },
    { .name = "disable_timeout",
      RA_FIELD_STRING(struct ipmi_config, disable_timeout),
      .shortdesc = "Ignored: every action has an end" },
    { .name = "ipmitool_path",
      RA_FIELD_STRING(struct ipmi_config, ipmitool_path),
      .shortdesc = "Ignored: ipmitool is not used" },
    { .name = "use_sudo",
      RA_FIELD_BOOLEAN(struct ipmi_config, use_sudo),
      .old_names = { "sudo" },
      .shortdesc = "Ignored: no program is run" },
    { .name = "sudo_path",
      RA_FIELD_STRING(struct ipmi_config, sudo_path),
      .shortdesc = "Ignored: no program is run" },
};

/* --- the actions -------------------------------------------------------------------------------*/

static void diagnose_before_off(const struct ra_context *context, const struct device *device)
{
    const struct ipmi_config *config = context->config;

    if (config->diag_before_off >= 0)
        power_diagnose(&device->power, config->diag_wait_ms);
}

/* Idempotent: a node that is off is left alone. Killed midway, the node is on or off. */
static int off_plug(const struct ra_context *context, struct device *device, const char *plug,
                    struct ra_error *err)
{
    bool changed;

    (void)plug;
    diagnose_before_off(context, device);
    if (power_off(&device->power, &changed, err) != 0)
        return -1;
    ra_action_output(changed ? "Success: Powered OFF" : "Success: Already OFF");
    return 0;
}

static int on_plug(const struct ra_context *context, struct device *device, const char *plug,
                   struct ra_error *err)
{
    bool changed;

    (void)context;
    (void)plug;
    if (power_on(&device->power, &changed, err) != 0)
        return -1;
    ra_action_output(changed ? "Success: Powered ON" : "Success: Already ON");
    return 0;
}

/*
 * Off, proven, is the success of a reboot: the cluster may take over then. If the node does not
 * come back, a warning says so.
 */
static int reboot_plug(const struct ra_context *context, struct device *device, const char *plug,
                       struct ra_error *err)
{
    const struct ipmi_config *config = context->config;
    const char *how = "";

    (void)plug;
    device->power.on_attempts = config->retry_on < 1 ? 1 : config->retry_on;
    diagnose_before_off(context, device);
    if (power_reboot(&device->power, config->method == METHOD_CYCLE, &how, err) != 0)
        return -1;
    ra_action_output("Success: Rebooted%s", how);
    return 0;
}

/*
 * A diagnostic interrupt (NMI) makes the node write its crash dump or stop in its debugger. Not
 * idempotent, so it is sent once: if the answer is lost, that is a failure, never a repetition.
 */
static int diag_plug(const struct ra_context *context, struct device *device, const char *plug,
                     struct ra_error *err)
{
    (void)plug;
    if (device->ipmi->chassis_control(device->power.session, RA_IPMI_DIAGNOSTIC_INTERRUPT,
                                      context->deadline, err) != 0)
        return -1;
    ra_action_output("Success: diagnostic interrupt sent");
    return 0;
}

/* Several plugs are on as long as one of them is. */
static bool any_is_on;

static int status_plug(const struct ra_context *context, struct device *device, const char *plug,
                       struct ra_error *err)
{
    bool on;

    (void)context;
    (void)plug;
    if (power_read(&device->power, &on, err) != 0)
        return -1;
    any_is_on = any_is_on || on;
    return 0;
}

static int list_status_plug(const struct ra_context *context, struct device *device,
                            const char *plug, struct ra_error *err)
{
    bool on;

    (void)context;
    if (power_read(&device->power, &on, err) != 0)
        return -1;
    ra_action_output("%s,,%s", plug, on ? "ON" : "OFF");
    return 0;
}

static struct ra_result off(const struct ra_context *context)
{
    return device_each_requested(context, off_plug);
}

static struct ra_result on(const struct ra_context *context)
{
    return device_each_requested(context, on_plug);
}

static struct ra_result reboot(const struct ra_context *context)
{
    return device_each_requested(context, reboot_plug);
}

static struct ra_result diag(const struct ra_context *context)
{
    return device_each_requested(context, diag_plug);
}

static struct ra_result status(const struct ra_context *context)
{
    struct ra_result result = device_each_requested(context, status_plug);

    if (result.code != RA_SUCCESS)
        return result;
    ra_action_output("Status: %s", any_is_on ? "ON" : "OFF");
    if (!any_is_on)
        result.code = RA_FENCE_OFF;
    return result;
}

/*
 * Every BMC that the parameters know answers, lets us in and tells a power state, whether a plug
 * is named or not: a request that names one by hand can use them all. What is wrong with the map is
 * said here and when parameters are validated, at any entry.
 */
static struct ra_result monitor(const struct ra_context *context)
{
    ra_auto_text_list char **plugs = plugs_known(context->config);
    struct ra_error err;

    if (plugs_check(context->config, &err) != 0)
        return ra_result_of_error(RA_ACTION_FENCE, &err);
    /* A warning: the node that plug names can be fenced, and a device that fails fences none. */
    if (plugs_check_static(context->config, &err) != 0)
        ra_log_warning("%s", err.text);
    return device_each(context, plugs, status_plug);
}

/*
 * The nodes that this device can fence, as far as its parameters name them. Without a
 * pcmk_host_list the fencer asks for this list, and an empty one keeps the device from claiming
 * nodes; a device without the action would be asked for the status of each node of the cluster
 * instead, and would claim every one of them. No BMC is asked: the list must not depend on one.
 * After a failure the fencer asks for the status as well, so the list fails only at what makes the
 * status fail too: when no node that it could name has a BMC without doubt.
 *
 * A plug in the device's parameters is sent along here, and with every later request whichever
 * node is to be fenced: of a map the device serves that plug alone then.
 */
static struct ra_result list(const struct ra_context *context)
{
    ra_auto_text_list char **plugs = plugs_claimed(context->config);
    struct ra_result result = ra_result_success();
    struct ra_error err;
    bool any = false;

    for (char **plug = plugs; *plug != NULL; plug++) {
        ra_auto_free char *addresses = NULL;

        if (plugs_find_addresses(context->config, *plug, &addresses, &err) == 0) {
            ra_action_output("%s,", *plug);
            any = true;
        } else if (result.code == RA_SUCCESS) {
            result = ra_result_of_error(RA_ACTION_FENCE, &err);
        }
    }
    return any ? ra_result_success() : result;
}

static struct ra_result list_status(const struct ra_context *context)
{
    ra_auto_text_list char **plugs = plugs_claimed(context->config);

    return plugs[0] == NULL ? ra_result_success() : device_each(context, plugs, list_status_plug);
}

/* Everything that can be known without the BMC and without running anything. */
static struct ra_result validate_all(const struct ra_context *context)
{
    ra_auto_text_list char **plugs = plugs_known(context->config);
    RA_CLEANUP(device_close) struct device device = { .ipmi = NULL };
    struct ra_error err;

    if (plugs_check(context->config, &err) != 0 || plugs_check_static(context->config, &err) != 0 ||
        device_open(context, plugs[0] == NULL ? "" : plugs[0], false, &device, &err) != 0)
        return ra_result_of_error(RA_ACTION_FENCE, &err);
    return ra_result_success();
}

static const struct ra_action actions[] = {
    { "on", on, RA_ACTION_FENCE, 0, 0, 0, 0 },
    { "off", off, RA_ACTION_FENCE, 0, 0, 0, 0 },
    { "reboot", reboot, RA_ACTION_FENCE, 0, 0, 0, 0 },
    { "status", status, RA_ACTION_FENCE, 0, 0, 0, 0 },
    { "monitor", monitor, RA_ACTION_FENCE, 0, 0, 0, 0 },
    { "list", list, RA_ACTION_FENCE, 0, 0, 0, 0 },
    { "list-status", list_status, RA_ACTION_FENCE, 0, 0, 0, 0 },
    { "validate-all", validate_all, RA_ACTION_FENCE, 0, 0, 0, 0 },
    { "diag", diag, RA_ACTION_FENCE, 0, 0, 0, 0 },
};

/* What sending a diagnostic interrupt may take, and watching for a cycle. */
#define DIAG_MS  SECONDS(4)
#define CYCLE_MS SECONDS(7)

/*
 * The longest that an action can take by its parameters. With the defaults a reboot has 53 s: a
 * little less than the 60 s after which Pacemaker would give the agent up.
 */
static int64_t budget_ms(const void *config_, const char *action)
{
    const struct ipmi_config *config = config_;
    bool of_all = strcmp(action, "monitor") == 0 || strcmp(action, "list-status") == 0;
    ra_auto_text_list char **plugs = of_all ? plugs_known(config) : plugs_requested(config);
    int64_t change_ms = config->power_wait_ms + config->power_timeout_ms;
    int64_t off_ms = change_ms;
    int64_t budget = 2 * config->login_timeout_ms + config->shell_timeout_ms;
    int64_t count = 0;

    if (config->diag_before_off >= 0)
        off_ms += DIAG_MS + config->diag_wait_ms;
    if (strcmp(action, "off") == 0)
        budget += off_ms;
    else if (strcmp(action, "on") == 0)
        budget += (config->retry_on + 1) * change_ms;
    else if (strcmp(action, "reboot") == 0)
        budget += off_ms + (config->retry_on < 1 ? 1 : config->retry_on) * change_ms +
                  (config->method == METHOD_CYCLE ? CYCLE_MS : 0);
    else
        budget += config->shell_timeout_ms; /* a slow BMC needs it, and Pacemaker gives 20 s */
    while (plugs[count] != NULL)
        count++;
    return count > 1 ? count * budget : budget;
}

static const struct ra_fence_agent agent = {
    .name = "fence_ipmi",
    .shortdesc = "Fence agent for IPMI",
    .longdesc = "fence_ipmi is an I/O fencing agent for machines with a baseboard management "
                "controller (BMC) that speaks IPMI 2.0 or 1.5. It talks to the BMC itself, and "
                "reports success only after the BMC has reported the power off. It takes the "
                "parameters of fence_ipmilan.\n\n"
                "Set pcmk_host_list (or pcmk_host_map): without it the device fences only the "
                "nodes that plug or ip name.",
    .vendor_url = "",
    .config_bytes = sizeof(struct ipmi_config),
    .params = RA_PARAMS(params),
    .actions = actions,
    .action_count = sizeof(actions) / sizeof(actions[0]),
    .budget_ms = budget_ms,
};

int main(int argc, char *argv[])
{
    return ra_fence_main(names_choose(&agent, argc > 0 ? argv[0] : NULL), argc, argv);
}
