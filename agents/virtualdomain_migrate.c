/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Live migration. To the cluster a failed migrate_to means "possibly active on both nodes", and it
 * stops both. So this asks both ends before it says anything: a guest that arrived is a success
 * whatever libvirt said on the way; a failure leaves nothing on the target and no job running.
 *
 * The state file stays on the source: the stop that the cluster sends there afterwards proves by it
 * that this very guest is gone, and removes it. Killed midway, libvirt's daemons go on with the
 * migration; the stop that follows cancels it.
 */
#include "virtualdomain.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"

#define CONNECT_MS      15000
#define CHECK_MS        10000
#define SETTLE_MS       6000 /* kept back for asking both ends */
#define CANCELLED_MS    1000 /* the same when the cluster waits for us to end */

const char *const virtualdomain_transports[] = { "tls", "ssh", "tcp", "libssh", "libssh2", NULL };

/* The two ends of a migration. */
struct ends {
    struct guest *guest;
    const char *node;
    struct ra_virt_connection *there;
    struct ra_virt_domain *remote; /* what was found there */
};

static void release_ends(struct ends *ends)
{
    if (ends->guest == NULL || ends->guest->virt == NULL)
        return;
    ends->guest->virt->domain_free(ends->remote);
    ends->guest->virt->connection_close(ends->there);
}

static const char *transport_of(const struct virtualdomain_config *config)
{
    return config->migration_transport < 0 ? NULL :
                                             virtualdomain_transports[config->migration_transport];
}

int virtualdomain_migration_uris(const struct guest *guest, const char *node, char **ret_remote,
                                 char **ret_data, struct ra_error *err)
{
    const struct virtualdomain_config *config = guest->config;
    const struct ra_virt_backend *virt = guest->virt;
    const char *local = guest->connection == NULL ? guest_uri(guest) :
                                                    virt->connection_uri(guest->connection);
    ra_auto_free char *host = virt->uri_add_suffix(node, config->migration_network_suffix);
    ra_auto_free char *remote = NULL;

    if (!ra_text_is_empty(config->remoteuri))
        remote = ra_text_replace(config->remoteuri, "%n", node);
    else if (virt->uri_remote(local, transport_of(config), config->migration_user, host, &remote,
                              err) != 0)
        return -1;
    if (!ra_text_is_empty(config->migrateuri))
        *ret_data = ra_text_replace(config->migrateuri, "%n", node);
    else if (!ra_text_is_empty(config->migration_network_suffix) ||
             config->migrateport != RA_PARAM_UNSET)
        *ret_data = virt->uri_data(
            local, host, config->migrateport == RA_PARAM_UNSET ? 0 : config->migrateport);
    else
        *ret_data = NULL;
    *ret_remote = ra_steal_ptr(&remote);
    return 0;
}

/* Where the guest is, by what its daemon says. *found is replaced. */
static enum ra_virt_presence look(const struct ra_virt_backend *virt,
                                  struct ra_virt_connection *connection, const char *uuid,
                                  struct ra_virt_domain **found, struct ra_deadline deadline,
                                  struct ra_error *err)
{
    virt->domain_free(ra_steal_ptr(found));
    if (virt->domain_find(connection, uuid, NULL, deadline, found, err) == 0)
        return virt->migration_presence(virt->domain_facts(*found)->condition);
    return err->kind == RA_ERROR_NOT_FOUND ? RA_VIRT_PRESENCE_ABSENT : RA_VIRT_PRESENCE_UNKNOWN;
}

/* Remove what a failed migration left on the target; it has never run there. */
static int clean_target(struct ends *ends, struct ra_deadline deadline, struct ra_error *err)
{
    const struct ra_virt_backend *virt = ends->guest->virt;

    ra_log_warning("removing what a failed migration of guest %s left on node %s",
                   guest_name(ends->guest), ends->node);
    if (virt->domain_destroy(ends->remote, false, deadline, err) != 0 &&
        err->kind != RA_ERROR_NOT_FOUND)
        return ra_error_prefix(err, "node %s", ends->node);
    return 0;
}

/* What would stop the migration, or make it dangerous, and can be known beforehand. */
static int check_target(struct ends *ends, const char *remote_uri, struct ra_deadline deadline,
                        struct ra_error *err)
{
    struct guest *guest = ends->guest;
    const struct ra_virt_backend *virt = guest->virt;
    const struct ra_virt_domain_facts *here = virt->domain_facts(guest->domain);
    struct ra_deadline soon = ra_deadline_earlier(deadline, ra_deadline_after_ms(CHECK_MS));

    if (virt->connection_open(remote_uri,
                              ra_deadline_earlier(deadline, ra_deadline_after_ms(CONNECT_MS)),
                              &ends->there, err) != 0)
        return ra_error_prefix(err, "the libvirt daemon of node %s cannot be used", ends->node);
    switch (look(virt, ends->there, here->uuid, &ends->remote, soon, err)) {
    case RA_VIRT_PRESENCE_INCOMING:
    case RA_VIRT_PRESENCE_STRANDED:
        return clean_target(ends, soon, err);
    case RA_VIRT_PRESENCE_ACTIVE:
    case RA_VIRT_PRESENCE_FAILED:
        return ra_error_set(err, RA_ERROR_BUSY, "it exists on node %s too, where it is %s",
                            ends->node, virt->domain_facts(ends->remote)->text);
    case RA_VIRT_PRESENCE_UNKNOWN:
        return ra_error_prefix(err, "node %s", ends->node);
    case RA_VIRT_PRESENCE_ABSENT:
    default:
        break;
    }
    if (ends->remote != NULL) /* defined there, and off */
        return 0;
    if (virt->domain_find(ends->there, NULL, here->name, soon, &ends->remote, err) == 0)
        return ra_error_set(err, RA_ERROR_BUSY,
                            "node %s has another domain of the name %s, with the UUID %s",
                            ends->node, here->name, virt->domain_facts(ends->remote)->uuid);
    return err->kind == RA_ERROR_NOT_FOUND ? 0 : ra_error_prefix(err, "node %s", ends->node);
}

/* Act on what both ends say, until it can be said where the guest is. */
static struct ra_result settle(struct ends *ends, int rc, const struct ra_error *why,
                               struct ra_deadline deadline)
{
    struct guest *guest = ends->guest;
    const struct ra_virt_backend *virt = guest->virt;
    ra_auto_free char *name = ra_text_copy(guest_name(guest));
    ra_auto_free char *uuid = ra_text_copy(virt->domain_facts(guest->domain)->uuid);
    struct ra_backoff backoff = { .next_ms = 20, .most_ms = 250 };
    const char *cause = rc == 0 ? "libvirt reported success" : why->text;
    enum ra_virt_presence here;
    enum ra_virt_presence there;
    struct ra_error err;

    do {
        here = look(virt, guest->connection, uuid, &guest->domain, deadline, &err);
        there = look(virt, ends->there, uuid, &ends->remote, deadline, &err);
        switch (virt->migration_judge(here, there)) {
        case RA_VIRT_VERDICT_ARRIVED:
            if (rc != 0)
                ra_log_warning("%s; but guest %s runs on node %s and not here", cause, name,
                               ends->node);
            return ra_result_success();
        case RA_VIRT_VERDICT_STAYED:
            return ra_result_failure(RA_ERR_GENERIC,
                                     "guest %s did not move to node %s and runs here: %s", name,
                                     ends->node, cause);
        case RA_VIRT_VERDICT_LOST:
            return ra_result_failure(RA_ERR_GENERIC,
                                     "guest %s runs neither here nor on node %s: %s", name,
                                     ends->node, cause);
        case RA_VIRT_VERDICT_TWICE:
            return ra_result_failure(RA_ERR_GENERIC,
                                     "guest %s is active here and on node %s: %s", name,
                                     ends->node, cause);
        case RA_VIRT_VERDICT_CLEAN:
            (void)clean_target(ends, deadline, &err);
            break;
        case RA_VIRT_VERDICT_RESUME:
            ra_log_warning("guest %s was left paused by its migration: resuming it here", name);
            (void)virt->domain_resume(guest->domain, deadline, &err);
            break;
        case RA_VIRT_VERDICT_WAIT:
        default:
            break;
        }
        /* libvirt saw it arrive, and here it is proven gone: the target need not confirm. */
        if (rc == 0 && here == RA_VIRT_PRESENCE_ABSENT && there == RA_VIRT_PRESENCE_UNKNOWN)
            return ra_result_success();
    } while (ra_backoff_sleep(&backoff, deadline));
    return ra_result_failure(RA_ERR_GENERIC,
                             "cannot tell whether guest %s runs here or on node %s: %s", name,
                             ends->node, cause);
}

static struct ra_result migrate(struct ends *ends, const char *remote_uri, const char *data_uri)
{
    struct guest *guest = ends->guest;
    const struct virtualdomain_config *config = guest->config;
    struct ra_deadline deadline = guest->context->deadline;
    const char *local = guest->virt->connection_uri(guest->connection);
    bool is_qemu = guest->virt->uri_has_driver(local, "qemu");
    struct ra_virt_migration migration = {
        .remote_uri = remote_uri,
        .data_uri = data_uri,
        /* Xen's driver has neither; its own stream is set up by xl's toolstack. */
        .tls = is_qemu && ra_text_equal(transport_of(config), "tls"),
        .auto_converge = is_qemu,
        .speed_mib_s = config->migration_speed_mib_s,
        .downtime_ms = config->migration_downtime_ms,
    };
    struct ra_error err;
    int rc;

    rc = guest->virt->migration_run(guest->domain, &migration,
                                    ra_deadline_reserve_ms(deadline, SETTLE_MS),
                                    ra_action_cancel_fd(), &err);
    if (ra_action_cancelled())
        deadline = ra_deadline_after_ms(CANCELLED_MS);
    return settle(ends, rc, &err, deadline);
}

struct ra_result virtualdomain_migrate_to(const struct ra_context *context)
{
    auto_guest struct guest guest = { 0 };
    RA_CLEANUP(release_ends) struct ends ends = { .guest = &guest, .node = context->migrate_target };
    ra_auto_free char *remote_uri = NULL;
    ra_auto_free char *data_uri = NULL;
    struct ra_deadline deadline = context->deadline;
    const struct ra_virt_domain_facts *facts;
    struct ra_error err;

    if (ra_text_is_empty(ends.node))
        return ra_result_failure(RA_ERR_ARGS, "the cluster did not say where to migrate to");
    if (guest_init(&guest, context, &err) != 0 ||
        guest_connect(&guest, (struct ra_deadline){ 0 }, deadline, &err) != 0)
        return ra_result_of_error(RA_ACTION_MIGRATE, &err);
    if (guest_find(&guest, deadline, &err) != 0 || guest_settle(&guest, deadline, &err) != 0)
        return ra_result_of_error(RA_ACTION_MIGRATE, &err);
    facts = guest.virt->domain_facts(guest.domain);
    if (facts->condition != RA_VIRT_RUNNING && facts->condition != RA_VIRT_PAUSED)
        return ra_result_failure(RA_ERR_GENERIC, "guest %s cannot be migrated: it is %s",
                                 facts->name, facts->text);
    if (virtualdomain_migration_uris(&guest, ends.node, &remote_uri, &data_uri, &err) != 0 ||
        check_target(&ends, remote_uri, deadline, &err) != 0) {
        (void)ra_error_prefix(&err, "guest %s cannot be migrated to node %s", facts->name,
                              ends.node);
        return ra_result_of_error(RA_ACTION_MIGRATE, &err);
    }
    return migrate(&ends, remote_uri, data_uri);
}

/* On the target: it has arrived when it runs here. The configuration may be missing here. */
struct ra_result virtualdomain_migrate_from(const struct ra_context *context)
{
    auto_guest struct guest guest = { 0 };
    struct ra_deadline deadline = context->deadline;
    struct ra_backoff backoff = { .next_ms = 20, .most_ms = 250 };
    const struct ra_virt_domain_facts *facts;
    struct ra_error err;

    if (guest_init(&guest, context, &err) != 0 ||
        guest_connect(&guest, (struct ra_deadline){ 0 }, deadline, &err) != 0 ||
        guest_find(&guest, deadline, &err) != 0)
        return ra_result_of_error(RA_ACTION_MIGRATE, &err);
    facts = guest.virt->domain_facts(guest.domain);
    while (facts->condition == RA_VIRT_INCOMING || facts->condition == RA_VIRT_CHANGING ||
           facts->condition == RA_VIRT_STRANDED) {
        if (!ra_backoff_sleep(&backoff, deadline))
            return ra_result_failure(RA_ERR_GENERIC,
                                     "guest %s has not arrived from node %s: it is %s",
                                     facts->name, context->migrate_source, facts->text);
        if (guest.virt->domain_refresh(guest.domain, deadline, &err) != 0)
            return ra_result_of_error(RA_ACTION_MIGRATE, &err);
    }
    if (facts->condition != RA_VIRT_RUNNING && facts->condition != RA_VIRT_PAUSED)
        return ra_result_failure(RA_ERR_GENERIC, "guest %s arrived from node %s and is %s",
                                 facts->name, context->migrate_source, facts->text);
    if (guest_remember(&guest, facts->name, facts->uuid, true, &err) != 0)
        return ra_result_of_error(RA_ACTION_MIGRATE, &err);
    return ra_result_success();
}
