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
#include "actions.h"
#include "config.h"
#include "find.h"
#include "guest.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"

#define CONNECT_MS     15000
#define CHECK_MS       10000
#define LOOK_MS        3000
#define SETTLE_MS      6000  /* of the action's time, at most a quarter, for asking both ends */
#define SETTLE_MOST_MS 15000 /* a target that died in the middle of it need not be waited for */
#define CANCELLED_MS   1000  /* the same when the cluster waits for us to end */

const char *const virtualdomain_transports[] = { "tls", "ssh", "tcp", "libssh", "libssh2", NULL };

/* The two ends of a migration. */
struct ends {
    struct guest *guest;
    const char *node;
    char *local_uri;
    char *remote_uri;
    struct ra_virt_connection *there;
    struct ra_virt_domain *remote; /* what was found there */
};

static void release_ends(struct ends *ends)
{
    if (ends->guest == NULL || ends->guest->virt == NULL)
        return;
    ends->guest->virt->domain_free(ends->remote);
    ends->guest->virt->connection_close(ends->there);
    free(ends->local_uri);
    free(ends->remote_uri);
}

static const char *transport_of(const struct virtualdomain_config *config)
{
    return config->migration_transport < 0 ? NULL
                                           : virtualdomain_transports[config->migration_transport];
}

int virtualdomain_migration_uris(const struct guest *guest, const char *node, char **ret_remote,
                                 char **ret_data, struct ra_error *err)
{
    const struct virtualdomain_config *config = guest->config;
    const struct ra_virt_backend *virt = guest->virt;
    const char *local =
        guest->connection == NULL ? guest_uri(guest) : virt->connection_uri(guest->connection);
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
        *ret_data = virt->uri_data(local, host,
                                   config->migrateport == RA_PARAM_UNSET ? 0 : config->migrateport);
    else
        *ret_data = NULL;
    *ret_remote = ra_steal_ptr(&remote);
    return 0;
}

/*
 * Where the guest is, by what its daemon says. *found is replaced; a connection that broke, because
 * the daemon was restarted for example, is renewed once. *err is written if the answer is UNKNOWN.
 */
static enum ra_virt_presence look(const struct ra_virt_backend *virt, const char *uri,
                                  struct ra_virt_connection **connection, const char *uuid,
                                  struct ra_virt_domain **found, struct ra_deadline deadline,
                                  struct ra_error *err)
{
    struct ra_deadline soon = ra_deadline_earlier(deadline, ra_deadline_after_ms(LOOK_MS));
    const struct ra_virt_domain_facts *facts;

    for (int attempt = 0; attempt < 2; attempt++) {
        virt->domain_free(ra_steal_ptr(found));
        if (*connection == NULL && virt->connection_open(uri, soon, connection, err) != 0)
            return RA_VIRT_PRESENCE_UNKNOWN;
        if (virt->domain_find(*connection, uuid, NULL, soon, found, err) == 0) {
            facts = virt->domain_facts(*found);
            (void)ra_error_set(err, RA_ERROR_BUSY, "guest %s is %s", facts->name, facts->text);
            return virt->migration_presence(facts->condition);
        }
        if (err->kind == RA_ERROR_NOT_FOUND)
            return RA_VIRT_PRESENCE_ABSENT;
        if (err->kind != RA_ERROR_UNREACHABLE)
            break;
        virt->connection_close(ra_steal_ptr(connection));
    }
    return RA_VIRT_PRESENCE_UNKNOWN;
}

static enum ra_virt_presence look_here(struct ends *ends, const char *uuid,
                                       struct ra_deadline deadline, struct ra_error *err)
{
    return look(ends->guest->virt, ends->local_uri, &ends->guest->connection, uuid,
                &ends->guest->domain, deadline, err);
}

static enum ra_virt_presence look_there(struct ends *ends, const char *uuid,
                                        struct ra_deadline deadline, struct ra_error *err)
{
    return look(ends->guest->virt, ends->remote_uri, &ends->there, uuid, &ends->remote, deadline,
                err);
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

/* No other domain of the target has the guest's name. */
static int check_name(struct ends *ends, const char *name, struct ra_deadline deadline,
                      struct ra_error *err)
{
    const struct ra_virt_backend *virt = ends->guest->virt;

    if (virt->domain_find(ends->there, NULL, name, deadline, &ends->remote, err) == 0)
        return ra_error_set(err, RA_ERROR_BUSY,
                            "node %s has another domain of the name %s, with the UUID %s",
                            ends->node, name, virt->domain_facts(ends->remote)->uuid);
    return err->kind == RA_ERROR_NOT_FOUND ? 0 : ra_error_prefix(err, "node %s", ends->node);
}

/* What would stop the migration, or make it dangerous, and can be known beforehand. */
static int check_target(struct ends *ends, struct ra_deadline deadline, struct ra_error *err)
{
    const struct ra_virt_backend *virt = ends->guest->virt;
    const struct ra_virt_domain_facts *here = virt->domain_facts(ends->guest->domain);
    struct ra_deadline soon = ra_deadline_earlier(deadline, ra_deadline_after_ms(CHECK_MS));
    struct ra_backoff backoff = { .next_ms = 50, .most_ms = 500 };
    enum ra_virt_presence there;

    if (virt->connection_open(ends->remote_uri,
                              ra_deadline_earlier(deadline, ra_deadline_after_ms(CONNECT_MS)),
                              &ends->there, err) != 0)
        return ra_error_prefix(err, "the libvirt daemon of node %s cannot be used", ends->node);
    /* The remnant of an earlier migration may be about to vanish by itself. */
    do
        there = look_there(ends, here->uuid, soon, err);
    while (there == RA_VIRT_PRESENCE_UNKNOWN && ra_backoff_sleep(&backoff, soon));
    switch (there) {
    case RA_VIRT_PRESENCE_INCOMING:
    case RA_VIRT_PRESENCE_STRANDED:
        return clean_target(ends, soon, err);
    case RA_VIRT_PRESENCE_ABSENT:
        /* Defined there, and off: libvirt takes that over. */
        return ends->remote != NULL ? 0 : check_name(ends, here->name, soon, err);
    case RA_VIRT_PRESENCE_ACTIVE:
    case RA_VIRT_PRESENCE_FAILED:
        return ra_error_prefix(err, "it exists on node %s too", ends->node);
    case RA_VIRT_PRESENCE_UNKNOWN:
    case RA_VIRT_PRESENCES:
    default:
        return ra_error_prefix(err, "node %s", ends->node);
    }
}

/* It failed, or nobody knows; `cause` is what libvirt said about it. */
static struct ra_result failed(const struct ends *ends, enum ra_virt_verdict verdict,
                               enum ra_virt_presence here, const char *name, const char *cause)
{
    const char *node = ends->node;

    switch (verdict) {
    case RA_VIRT_VERDICT_STAYED:
        return ra_result_failure(RA_ERR_GENERIC,
                                 "guest %s did not move to node %s and runs here: %s", name, node,
                                 cause);
    case RA_VIRT_VERDICT_LOST:
        return ra_result_failure(RA_ERR_GENERIC, "guest %s runs neither here nor on node %s: %s",
                                 name, node, cause);
    case RA_VIRT_VERDICT_TWICE:
        return ra_result_failure(RA_ERR_GENERIC, "guest %s is active here and on node %s: %s", name,
                                 node, cause);
    case RA_VIRT_VERDICT_ARRIVED:
    case RA_VIRT_VERDICT_CLEAN:
    case RA_VIRT_VERDICT_RESUME:
    case RA_VIRT_VERDICT_WAIT:
    default:
        if (here == RA_VIRT_PRESENCE_ACTIVE)
            return ra_result_failure(RA_ERR_GENERIC,
                                     "guest %s did not move to node %s and runs here; what that "
                                     "node has of it is unknown: %s",
                                     name, node, cause);
        return ra_result_failure(RA_ERR_GENERIC,
                                 "cannot tell whether guest %s runs here or on node %s: %s", name,
                                 node, cause);
    }
}

/* Act on what both ends say, until it can be said where the guest is. */
static struct ra_result settle(struct ends *ends, int rc, const struct ra_error *why,
                               const char *name, struct ra_deadline deadline)
{
    struct guest *guest = ends->guest;
    const struct ra_virt_backend *virt = guest->virt;
    ra_auto_free char *uuid = ra_text_copy(virt->domain_facts(guest->domain)->uuid);
    struct ra_backoff backoff = { .next_ms = 20, .most_ms = 250 };
    /* Then the target's half is no remnant: it may yet become the guest. */
    bool job_runs = rc != 0 && why->kind == RA_ERROR_BUSY;
    enum ra_virt_presence here;
    enum ra_virt_presence there;
    enum ra_virt_verdict verdict;
    struct ra_error err;

    do {
        here = look_here(ends, uuid, deadline, &err);
        there = look_there(ends, uuid, deadline, &err);
        verdict = virt->migration_judge(here, there);
        /* libvirt saw it arrive, and here it is proven gone: the target need not confirm. */
        if (rc == 0 && here == RA_VIRT_PRESENCE_ABSENT && there == RA_VIRT_PRESENCE_UNKNOWN)
            verdict = RA_VIRT_VERDICT_ARRIVED;
        if (verdict == RA_VIRT_VERDICT_ARRIVED) {
            if (rc != 0)
                ra_log_warning("%s; but guest %s is on node %s and does not run here", why->text,
                               name, ends->node);
            return ra_result_success();
        }
        if (job_runs && (verdict == RA_VIRT_VERDICT_CLEAN || verdict == RA_VIRT_VERDICT_WAIT)) {
            if (guest->domain != NULL)
                (void)virt->domain_abort_job(guest->domain, deadline, &err);
        } else if (verdict == RA_VIRT_VERDICT_CLEAN) {
            (void)clean_target(ends, deadline, &err);
        } else if (verdict == RA_VIRT_VERDICT_RESUME) {
            ra_log_warning("guest %s was left paused by its migration: resuming it here", name);
            (void)virt->domain_resume(guest->domain, deadline, &err);
        } else if (verdict != RA_VIRT_VERDICT_WAIT) {
            break;
        }
    } while (ra_backoff_sleep(&backoff, deadline));
    return failed(ends, verdict, here, name, rc == 0 ? "libvirt reported success" : why->text);
}

static struct ra_result migrate(struct ends *ends, const char *data_uri)
{
    struct guest *guest = ends->guest;
    const struct virtualdomain_config *config = guest->config;
    struct ra_deadline deadline = guest->context->deadline;
    ra_auto_free char *name = ra_text_copy(guest_name(guest));
    bool is_qemu = guest->virt->uri_has_driver(ends->local_uri, "qemu");
    struct ra_virt_migration migration = {
        .remote_uri = ends->remote_uri,
        .data_uri = data_uri,
        /* Xen's driver has neither of these. */
        .tls = is_qemu && ra_text_equal(transport_of(config), "tls"),
        .auto_converge = is_qemu,
        .speed_mib_s = config->migration_speed_mib_s,
        .downtime_ms = config->migration_downtime_ms,
    };
    int64_t reserve_ms = ra_deadline_remaining_ms(deadline) / 4;
    struct ra_error err = { 0 };
    int rc;

    if (reserve_ms > SETTLE_MS)
        reserve_ms = SETTLE_MS;
    rc = guest->virt->migration_run(guest->domain, &migration,
                                    ra_deadline_reserve_ms(deadline, reserve_ms),
                                    ra_action_cancel_fd(), &err);
    return settle(ends, rc, &err, name,
                  ra_action_cancelled()
                      ? ra_deadline_after_ms(CANCELLED_MS)
                      : ra_deadline_earlier(deadline, ra_deadline_after_ms(SETTLE_MOST_MS)));
}

struct ra_result virtualdomain_migrate_to(const struct ra_context *context)
{
    auto_guest struct guest guest = { 0 };
    RA_CLEANUP(release_ends)
    struct ends ends = { .guest = &guest, .node = context->migrate_target };
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
    /* The target may not be able to read the configuration: it goes by the mark then. */
    guest.marked = false;
    if (guest_adopt(&guest, deadline, &err) != 0)
        return ra_result_of_error(RA_ACTION_MIGRATE, &err);
    ends.local_uri = ra_text_copy(guest.virt->connection_uri(guest.connection));
    if (virtualdomain_migration_uris(&guest, ends.node, &ends.remote_uri, &data_uri, &err) != 0 ||
        check_target(&ends, deadline, &err) != 0) {
        (void)ra_error_prefix(&err, "guest %s cannot be migrated to node %s", facts->name,
                              ends.node);
        return ra_result_of_error(RA_ACTION_MIGRATE, &err);
    }
    return migrate(&ends, data_uri);
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
                                     "guest %s has not arrived from node %s: it is %s", facts->name,
                                     context->migrate_source, facts->text);
        if (guest.virt->domain_refresh(guest.domain, deadline, &err) != 0)
            return ra_result_of_error(RA_ACTION_MIGRATE, &err);
    }
    if (facts->condition != RA_VIRT_RUNNING && facts->condition != RA_VIRT_PAUSED)
        return ra_result_failure(RA_ERR_GENERIC, "guest %s arrived from node %s and is %s",
                                 facts->name, context->migrate_source, facts->text);
    if (guest_adopt(&guest, deadline, &err) != 0)
        return ra_result_of_error(RA_ACTION_MIGRATE, &err);
    return ra_result_success();
}
