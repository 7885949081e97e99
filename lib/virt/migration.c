/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "virt/migration.h"

#include <poll.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "virt/call.h"
#include "virt/connection_private.h"
#include "virt/error.h"

#define ABORT_AGAIN_MS 250
#define PROGRESS_MS    500

struct migrate_call {
    struct ra_virt_call call;
    virDomainPtr handle;
    char *remote_uri;
    char *data_uri;
    unsigned flags;
    unsigned long long speed_mib_s;
};

/* In the call's thread. */
static int add_parameters(const struct migrate_call *self, virTypedParameterPtr *params, int *count)
{
    int room = 0;

    if (self->data_uri != NULL &&
        virTypedParamsAddString(params, count, &room, VIR_MIGRATE_PARAM_URI, self->data_uri) != 0)
        return -1;
    if (self->speed_mib_s > 0 &&
        virTypedParamsAddULLong(params, count, &room, VIR_MIGRATE_PARAM_BANDWIDTH,
                                self->speed_mib_s) != 0)
        return -1;
    return 0;
}

static int run_migrate(struct ra_virt_call *call, struct ra_error *err)
{
    struct migrate_call *self = (struct migrate_call *)call;
    virTypedParameterPtr params = NULL;
    int count = 0;
    int rc = add_parameters(self, &params, &count);

    if (rc == 0)
        rc = virDomainMigrateToURI3(self->handle, self->remote_uri, params, (unsigned)count,
                                    self->flags);
    if (rc != 0) {
        (void)ra_virt_error_take(err, "libvirt cannot migrate it");
        if (err->kind == RA_ERROR_BUSY)
            err->kind = RA_ERROR_SYSTEM; /* BUSY has a meaning of its own here */
    }
    virTypedParamsFree(params, count);
    return rc;
}

static void release_migrate(struct ra_virt_call *call)
{
    struct migrate_call *self = (struct migrate_call *)call;

    (void)virDomainFree(self->handle);
    free(self->remote_uri);
    free(self->data_uri);
}

struct number_call {
    struct ra_virt_call call;
    virDomainPtr handle;
    unsigned long long value;
    char text[200];
};

static void release_number(struct ra_virt_call *call)
{
    (void)virDomainFree(((struct number_call *)call)->handle);
}

static struct number_call *new_number_call(int (*run)(struct ra_virt_call *, struct ra_error *),
                                           const struct ra_virt_domain *domain)
{
    struct number_call *self = ra_virt_call_new(sizeof(*self), run, release_number);

    (void)virDomainRef(domain->handle);
    self->handle = domain->handle;
    return self;
}

/* Set before the migration begins, and read back: some drivers accept it and forget it. */
static int run_downtime(struct ra_virt_call *call, struct ra_error *err)
{
    struct number_call *self = (struct number_call *)call;
    unsigned long long now = 0;

    if (virDomainMigrateSetMaxDowntime(self->handle, self->value, 0) != 0 ||
        virDomainMigrateGetMaxDowntime(self->handle, &now, 0) != 0)
        return ra_virt_error_take(err, "cannot set migration_downtime");
    if (now != self->value)
        return ra_error_set(err, RA_ERROR_PROTOCOL,
                            "cannot set migration_downtime: asked for %llu ms, libvirt made it "
                            "%llu ms",
                            self->value, now);
    return 0;
}

static int set_downtime(struct ra_virt_domain *domain, int64_t downtime_ms,
                        struct ra_deadline deadline, struct ra_error *err)
{
    ra_auto_virt_call struct number_call *self = new_number_call(run_downtime, domain);

    self->value = (unsigned long long)downtime_ms;
    return ra_virt_call_run(&self->call, deadline, err, "setting the downtime of domain %s",
                            domain->facts.name);
}

static int run_progress(struct ra_virt_call *call, struct ra_error *err)
{
    struct number_call *self = (struct number_call *)call;
    virTypedParameterPtr params = NULL;
    int count = 0;
    int type = 0;
    unsigned long long total = 0;
    unsigned long long remaining = 0;
    unsigned long long iteration = 0;

    (void)err;
    if (virDomainGetJobStats(self->handle, &type, &params, &count, 0) != 0)
        return -1;
    (void)virTypedParamsGetULLong(params, count, VIR_DOMAIN_JOB_MEMORY_TOTAL, &total);
    (void)virTypedParamsGetULLong(params, count, VIR_DOMAIN_JOB_MEMORY_REMAINING, &remaining);
    (void)virTypedParamsGetULLong(params, count, VIR_DOMAIN_JOB_MEMORY_ITERATION, &iteration);
    if (total > 0)
        (void)snprintf(self->text, sizeof(self->text),
                       "%llu of %llu MiB of memory were still to be sent, in round %llu",
                       remaining >> 20, total >> 20, iteration);
    virTypedParamsFree(params, count);
    return 0;
}

/* How far the migration has come, for a person; "" if nobody says. */
static void describe_progress(struct ra_virt_domain *domain, char *text, size_t size_bytes)
{
    ra_auto_virt_call struct number_call *self = new_number_call(run_progress, domain);

    text[0] = '\0';
    if (ra_virt_call_run(&self->call, ra_deadline_after_ms(PROGRESS_MS), NULL,
                         "asking how far the migration of domain %s is", domain->facts.name) == 0)
        ra_text_join(text, size_bytes, "", "", self->text);
}

static struct migrate_call *new_migrate_call(const struct ra_virt_domain *domain,
                                             const struct ra_virt_migration *migration)
{
    struct migrate_call *self = ra_virt_call_new(sizeof(*self), run_migrate, release_migrate);

    (void)virDomainRef(domain->handle);
    self->handle = domain->handle;
    self->remote_uri = ra_text_copy(migration->remote_uri);
    self->data_uri = ra_text_copy(migration->data_uri);
    self->speed_mib_s = (unsigned long long)migration->speed_mib_s;
    self->flags = VIR_MIGRATE_LIVE | VIR_MIGRATE_PEER2PEER;
    if (migration->tls)
        self->flags |= VIR_MIGRATE_TLS;
    if (migration->auto_converge)
        self->flags |= VIR_MIGRATE_AUTO_CONVERGE | VIR_MIGRATE_ABORT_ON_ERROR;
    return self;
}

/*
 * Cancel until the migration is over: a request that comes before libvirt has made the job, or
 * in its last moments, cancels nothing. True if it is over.
 */
static bool cancel(struct ra_virt_domain *domain, struct migrate_call *self,
                   struct ra_deadline deadline)
{
    struct ra_error err;

    RA_LOG_CALL("cancelling the migration of domain %s", domain->facts.name);
    while (!ra_deadline_expired(deadline)) {
        if (ra_virt_domain_abort_job(domain, deadline, &err) != 0)
            ra_log_note("%s", err.text);
        if (ra_virt_call_wait(&self->call,
                              ra_deadline_earlier(deadline, ra_deadline_after_ms(ABORT_AGAIN_MS)),
                              -1))
            return true;
    }
    return false;
}

/* The migration was given up: by the cluster, or for lack of time. */
static int give_up(struct ra_virt_domain *domain, struct migrate_call *self,
                   struct ra_deadline deadline, const char *cause, struct ra_error *err)
{
    char progress[200];
    bool over;

    describe_progress(domain, progress, sizeof(progress));
    over = cancel(domain, self,
                  ra_deadline_earlier(deadline, ra_deadline_after_ms(RA_VIRT_CANCEL_MS)));
    if (!over)
        return ra_error_set(err, RA_ERROR_BUSY,
                            "the migration was given up (%s) and could not be cancelled within "
                            "%d ms",
                            cause, RA_VIRT_CANCEL_MS);
    if (ra_virt_call_result(&self->call, NULL) == 0)
        return 0; /* it was quicker */
    return ra_error_set(err, RA_ERROR_TIMEOUT, "the migration was cancelled, %s%s%s", cause,
                        progress[0] == '\0' ? "" : ": ", progress);
}

int ra_virt_migration_run(struct ra_virt_domain *domain, const struct ra_virt_migration *migration,
                          struct ra_deadline deadline, int cancel_fd, struct ra_error *err)
{
    ra_auto_virt_call struct migrate_call *self = NULL;
    struct pollfd asked = { .fd = cancel_fd, .events = POLLIN };

    if (migration->downtime_ms > 0 &&
        set_downtime(domain, migration->downtime_ms, deadline, err) != 0)
        return -1;
    self = new_migrate_call(domain, migration);
    RA_LOG_CALL("migrating domain %s to %s", domain->facts.name, migration->remote_uri);
    if (ra_virt_call_start(&self->call, err) != 0)
        return -1;
    if (ra_virt_call_wait(&self->call, ra_deadline_reserve_ms(deadline, RA_VIRT_CANCEL_MS),
                          cancel_fd))
        return ra_virt_call_result(&self->call, err);
    return give_up(domain, self, deadline,
                   poll(&asked, 1, 0) > 0 ? "the cluster ended the action"
                                          : "it did not end within the action's timeout",
                   err);
}

enum ra_virt_presence ra_virt_migration_presence(enum ra_virt_condition condition)
{
    switch (condition) {
    case RA_VIRT_RUNNING:
    case RA_VIRT_PAUSED:
        return RA_VIRT_PRESENCE_ACTIVE;
    case RA_VIRT_FAILED:
        return RA_VIRT_PRESENCE_FAILED;
    case RA_VIRT_STRANDED:
        return RA_VIRT_PRESENCE_STRANDED;
    case RA_VIRT_INCOMING:
        return RA_VIRT_PRESENCE_INCOMING;
    case RA_VIRT_OFF:
        return RA_VIRT_PRESENCE_ABSENT;
    case RA_VIRT_CHANGING:
    default:
        return RA_VIRT_PRESENCE_UNKNOWN;
    }
}

#define WAIT   RA_VIRT_VERDICT_WAIT
#define LOST   RA_VIRT_VERDICT_LOST
#define HERE   RA_VIRT_VERDICT_STAYED
#define THERE  RA_VIRT_VERDICT_ARRIVED
#define TWICE  RA_VIRT_VERDICT_TWICE
#define CLEAN  RA_VIRT_VERDICT_CLEAN
#define RESUME RA_VIRT_VERDICT_RESUME

static const enum ra_virt_verdict verdicts[RA_VIRT_PRESENCES][RA_VIRT_PRESENCES] = {
    /* clang-format off */
    /* there:                        unknown absent  active failed stranded incoming */
    [RA_VIRT_PRESENCE_UNKNOWN]  = { WAIT,   WAIT,   WAIT,  WAIT,  WAIT,    WAIT },
    [RA_VIRT_PRESENCE_ABSENT]   = { WAIT,   LOST,   THERE, THERE, WAIT,    WAIT },
    [RA_VIRT_PRESENCE_ACTIVE]   = { WAIT,   HERE,   TWICE, TWICE, CLEAN,   CLEAN },
    [RA_VIRT_PRESENCE_FAILED]   = { WAIT,   HERE,   TWICE, TWICE, CLEAN,   CLEAN },
    [RA_VIRT_PRESENCE_STRANDED] = { WAIT,   RESUME, THERE, TWICE, WAIT,    CLEAN },
    [RA_VIRT_PRESENCE_INCOMING] = { WAIT,   WAIT,   WAIT,  WAIT,  WAIT,    WAIT },
    /* clang-format on */
};

enum ra_virt_verdict ra_virt_migration_judge(enum ra_virt_presence here,
                                             enum ra_virt_presence there)
{
    return verdicts[here][there];
}
