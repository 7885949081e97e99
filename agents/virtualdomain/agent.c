/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ocf:native:VirtualDomain manages one virtual machine through libvirt.
 *
 * "Running" means that libvirt knows an active domain which is the guest (struct guest says how it
 * is recognised) and which executes, or was paused by somebody. "Not running" means that libvirt
 * says there is none, or that it is off; where libvirt does not answer, that no QEMU process of the
 * guest exists. What cannot be found out is neither: it is a failure.
 */
#include "actions.h"
#include "config.h"
#include "find.h"
#include "guest.h"
#include "utilization.h"

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "runtime/agent.h"

#define VALIDATE_CONFIG_MS 3000
#define FALLBACK_MS        1000 /* of a monitor's time, for looking at processes */
#define SETTLE_MS          3000

static const struct ra_param params[] = {
    { .name = "config",
      RA_FIELD_STRING(struct virtualdomain_config, config),
      .flags = RA_PARAM_REQUIRED | RA_PARAM_UNIQUE,
      .shortdesc = "Domain XML file",
      .longdesc = "Absolute path of the file with the guest's libvirt domain XML. It is read when "
                  "the guest is started; a guest that runs is found and stopped without it." },
    { .name = "hypervisor",
      RA_FIELD_STRING(struct virtualdomain_config, hypervisor),
      .shortdesc = "libvirt connection URI",
      .longdesc = "The libvirt daemon of the node, qemu:///system or xen:///system for example. "
                  "Without it libvirt chooses: the environment, libvirt.conf, then the "
                  "hypervisor it finds." },
    { .name = "force_stop",
      RA_FIELD_BOOLEAN(struct virtualdomain_config, force_stop),
      .default_text = "0",
      .shortdesc = "Stop without asking the guest",
      .longdesc = "Destroy the guest at once when it is stopped, as if its power was cut. By "
                  "default it is asked to shut down first, until half of the stop's time or all "
                  "but 45 seconds are used up, whichever leaves it more time." },
    { .name = "shutdown_mode",
      RA_FIELD_STRING(struct virtualdomain_config, shutdown_mode),
      .default_text = "",
      .shortdesc = "Ways to ask the guest to shut down",
      .longdesc = "One or more of acpi, agent, initctl, signal and paravirt, separated by commas "
                  "or spaces. They are used in turn, again and again, until the guest is off. "
                  "Without it libvirt chooses." },
    { .name = "migration_transport",
      RA_FIELD_SELECT(struct virtualdomain_config, migration_transport),
      .choices = virtualdomain_transports,
      .shortdesc = "Transport of a migration",
      .longdesc = "How the target's libvirt daemon is reached when remoteuri is not set: the part "
                  "after the '+' of the URI's scheme. tls also encrypts the guest's memory on its "
                  "way (QEMU guests); with every other value it travels unencrypted." },
    { .name = "migration_user",
      RA_FIELD_STRING(struct virtualdomain_config, migration_user),
      .shortdesc = "User name in the target's libvirt URI",
      .longdesc = "Put in front of the target's name when remoteuri is not set." },
    { .name = "migration_downtime",
      RA_FIELD_INTEGER(struct virtualdomain_config, migration_downtime_ms),
      .default_text = "0",
      .least = 0,
      .most = 2000000,
      .shortdesc = "Longest pause of a live migration (milliseconds)",
      .longdesc = "Set before the migration begins and read back; a hypervisor that does not take "
                  "it fails the migration. 0 leaves it to the hypervisor." },
    { .name = "migration_speed",
      RA_FIELD_INTEGER(struct virtualdomain_config, migration_speed_mib_s),
      .default_text = "0",
      .least = 0,
      .most = 8796093022207,
      .shortdesc = "Bandwidth limit of a live migration (MiB/s)",
      .longdesc = "0 sets no limit." },
    { .name = "migration_network_suffix",
      RA_FIELD_STRING(struct virtualdomain_config, migration_network_suffix),
      .default_text = "",
      .shortdesc = "Suffix of the nodes' names in the migration network",
      .longdesc = "Inserted into the target's node name before its first dot, or at its end, to "
                  "make the host in both URIs of a migration: with -mig, node2.example.org becomes "
                  "node2-mig.example.org. Neither remoteuri nor migrateuri is changed by it." },
    { .name = "migrateuri",
      RA_FIELD_STRING(struct virtualdomain_config, migrateuri),
      .shortdesc = "Where the guest's memory is sent",
      .longdesc = "URI of the data stream, tcp://%n-mig:49160 for example. %n is the target's node "
                  "name. Without it, and without migration_network_suffix and migrateport, the "
                  "target's libvirt daemon chooses." },
    { .name = "migrateport",
      RA_FIELD_INTEGER(struct virtualdomain_config, migrateport),
      .least = 1,
      .most = 65535,
      .shortdesc = "TCP port of the data stream",
      .longdesc = "Port on the target for the data stream when migrateuri is not set. Without it "
                  "the target's libvirt daemon takes a free one of those it may use." },
    { .name = "remoteuri",
      RA_FIELD_STRING(struct virtualdomain_config, remoteuri),
      .shortdesc = "libvirt URI of a migration's target",
      .longdesc =
          "The target's libvirt daemon, as this node and its libvirt daemon reach it; %n is "
          "the target's node name. Without it the URI is made from hypervisor, "
          "migration_transport, migration_user, migration_network_suffix and the target's "
          "node name." },
    { .name = "autoset_utilization_cpu",
      RA_FIELD_BOOLEAN(struct virtualdomain_config, autoset_cpu),
      .default_text = "true",
      .shortdesc = "Keep the utilization attribute cpu in step",
      .longdesc = "The monitor writes the guest's number of virtual CPUs into the utilization "
                  "attribute cpu "
                  "of the resource, for the cluster's placement strategy." },
    { .name = "unset_utilization_cpu",
      RA_FIELD_BOOLEAN(struct virtualdomain_config, unset_cpu),
      .default_text = "false",
      .shortdesc = "Remove the utilization attribute cpu",
      .longdesc = "The monitor removes the utilization attribute cpu of the resource. Only with "
                  "autoset_utilization_cpu=false." },
    { .name = "autoset_utilization_host_memory",
      RA_FIELD_BOOLEAN(struct virtualdomain_config, autoset_host_memory),
      .default_text = "true",
      .shortdesc = "Keep the utilization attribute host_memory in step",
      .longdesc = "The monitor writes the guest's maximum memory in MiB into the utilization "
                  "attribute host_memory "
                  "of the resource, for the cluster's placement strategy." },
    { .name = "unset_utilization_host_memory",
      RA_FIELD_BOOLEAN(struct virtualdomain_config, unset_host_memory),
      .default_text = "false",
      .shortdesc = "Remove the utilization attribute host_memory",
      .longdesc =
          "The monitor removes the utilization attribute host_memory of the resource. Only with "
          "autoset_utilization_host_memory=false." },
    { .name = "autoset_utilization_hv_memory",
      RA_FIELD_BOOLEAN(struct virtualdomain_config, autoset_hv_memory),
      .default_text = "true",
      .shortdesc = "Keep the utilization attribute hv_memory in step",
      .longdesc = "The monitor writes the guest's maximum memory in MiB into the utilization "
                  "attribute hv_memory "
                  "of the resource, for the cluster's placement strategy." },
    { .name = "unset_utilization_hv_memory",
      RA_FIELD_BOOLEAN(struct virtualdomain_config, unset_hv_memory),
      .default_text = "false",
      .shortdesc = "Remove the utilization attribute hv_memory",
      .longdesc =
          "The monitor removes the utilization attribute hv_memory of the resource. Only with "
          "autoset_utilization_hv_memory=false." },
};

static struct ra_result of_condition(const struct ra_virt_domain_facts *facts)
{
    switch (facts->condition) {
    case RA_VIRT_RUNNING:
    case RA_VIRT_PAUSED:
        return ra_result_success();
    case RA_VIRT_OFF:
        return ra_result_not_running("guest %s is %s", facts->name, facts->text);
    case RA_VIRT_INCOMING:
    case RA_VIRT_STRANDED:
    case RA_VIRT_FAILED:
    case RA_VIRT_CHANGING:
    default:
        return ra_result_failure(RA_ERR_GENERIC, "guest %s is %s", facts->name, facts->text);
    }
}

/*
 * libvirt does not answer, for the reason in *cause. A guest whose QEMU process lives is not made
 * to pay for that: it is reported as running, with a warning, so that a daemon that is restarted or
 * stuck does not cost a healthy guest.
 */
static struct ra_result monitor_process(struct guest *guest, const struct ra_error *cause)
{
    enum ra_action_kind kind = guest->context->kind;
    struct ra_virt_emulator emulator = { .pidfd = -1 };
    struct ra_error err;

    if (guest_find_process(guest, cause, &emulator, &err) != 0)
        return ra_result_of_error(kind, &err);
    (void)close(emulator.pidfd);
    if (emulator.stopped)
        return ra_result_failure(RA_ERR_GENERIC,
                                 "%s; and the QEMU process %d of guest %s is stopped", cause->text,
                                 emulator.pid, guest_name(guest));
    ra_log_warning("%s; but the QEMU process %d of guest %s runs", cause->text, emulator.pid,
                   guest_name(guest));
    return ra_result_success();
}

/*
 * One connection, one look-up by UUID, one look at the state: the configuration is not read as
 * long as there is a state file and its guest is found.
 */
static struct ra_result monitor(const struct ra_context *context)
{
    auto_guest struct guest guest = { 0 };
    struct ra_deadline deadline = ra_deadline_reserve_ms(context->deadline, FALLBACK_MS);
    const struct ra_virt_domain_facts *facts;
    struct ra_error err;

    if (guest_init(&guest, context, &err) != 0)
        return ra_result_of_error(context->kind, &err);
    if (guest_connect(&guest, (struct ra_deadline){ 0 }, deadline, &err) != 0 ||
        guest_find(&guest, deadline, &err) != 0 ||
        guest_settle(&guest, ra_deadline_earlier(deadline, ra_deadline_after_ms(SETTLE_MS)),
                     &err) != 0) {
        bool is_lost = err.kind == RA_ERROR_UNREACHABLE || err.kind == RA_ERROR_TIMEOUT;

        return is_lost ? monitor_process(&guest, &err) : ra_result_of_error(context->kind, &err);
    }
    facts = guest.virt->domain_facts(guest.domain);
    /* A guest that another agent started, or a start that was killed before its end. */
    if (facts->condition == RA_VIRT_RUNNING && guest_adopt(&guest, deadline, &err) != 0)
        ra_log_warning("%s", err.text);
    if (facts->condition == RA_VIRT_RUNNING)
        virtualdomain_update_utilization(&guest, deadline);
    return of_condition(facts);
}

/* As if to this node. */
static int check_migration(const struct guest *guest, struct ra_error *err)
{
    char *remote_uri = NULL;
    char *data_uri = NULL;
    int rc = virtualdomain_migration_uris(guest, guest->context->node, &remote_uri, &data_uri, err);

    free(remote_uri);
    free(data_uri);
    return rc;
}

static struct ra_result validate(const struct ra_context *context)
{
    auto_guest struct guest guest = { 0 };
    ra_auto_text_list char **modes = NULL;
    struct ra_deadline deadline = context->deadline;
    struct ra_error err;

    if (guest_init(&guest, context, &err) != 0)
        return ra_result_of_error(RA_ACTION_VALIDATE, &err);
    if (virtualdomain_shutdown_modes(&guest, &modes, &err) != 0)
        return ra_result_of_error(RA_ACTION_VALIDATE, &err);
    if (guest_read_config(&guest,
                          ra_deadline_earlier(deadline, ra_deadline_after_ms(VALIDATE_CONFIG_MS)),
                          &err) != 0)
        return guest_config_failure(&err);
    if (guest_connect(&guest, (struct ra_deadline){ 0 }, deadline, &err) != 0 ||
        check_migration(&guest, &err) != 0)
        return ra_result_of_error(RA_ACTION_VALIDATE, &err);
    return ra_result_success();
}

static const struct ra_action actions[] = {
    { .name = "start", .run = virtualdomain_start, .kind = RA_ACTION_START, .timeout_s = 90 },
    { .name = "stop",
      .run = virtualdomain_stop,
      .kind = RA_ACTION_STOP,
      .timeout_s = 90,
      .flags = RA_ACTION_LENIENT },
    { .name = "monitor",
      .run = monitor,
      .kind = RA_ACTION_MONITOR,
      .timeout_s = 30,
      .interval_s = 10,
      .flags = RA_ACTION_LENIENT },
    { .name = "status",
      .run = monitor,
      .kind = RA_ACTION_MONITOR,
      .timeout_s = 30,
      .interval_s = 10,
      .flags = RA_ACTION_LENIENT },
    { .name = "migrate_to",
      .run = virtualdomain_migrate_to,
      .kind = RA_ACTION_MIGRATE,
      .timeout_s = 120,
      .flags = RA_ACTION_CANCELLABLE },
    { .name = "migrate_from",
      .run = virtualdomain_migrate_from,
      .kind = RA_ACTION_MIGRATE,
      .timeout_s = 60,
      .flags = RA_ACTION_LENIENT },
    { .name = "validate-all", .run = validate, .kind = RA_ACTION_VALIDATE, .timeout_s = 5 },
};

static const struct ra_agent agent = {
    .name = "VirtualDomain",
    .shortdesc = "Manages a virtual machine through libvirt",
    .longdesc =
        "Starts, stops, watches and migrates a virtual machine that is described by a libvirt "
        "domain XML file.\n\n"
        "The guest runs as a transient domain, so that it can be started by the cluster alone. A "
        "guest is reported as stopped only if libvirt, or the table of processes where libvirt "
        "does not answer, proves it.",
    .config_bytes = sizeof(struct virtualdomain_config),
    .params = RA_PARAMS(params),
    .actions = actions,
    .action_count = sizeof(actions) / sizeof(actions[0]),
};

int main(int argc, char *argv[])
{
    return ra_agent_main(&agent, argc, argv);
}
