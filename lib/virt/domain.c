/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "virt/domain.h"

#include <string.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "virt/call.h"
#include "virt/connection_private.h"
#include "virt/error.h"

#define ANY (-1)

/* The first row that fits counts. */
static const struct {
    int state;
    int reason;
    enum ra_virt_condition condition;
    const char *text;
} conditions[] = {
    { VIR_DOMAIN_NOSTATE, ANY, RA_VIRT_RUNNING, "active" }, /* what Xen says of an idle guest */
    { VIR_DOMAIN_RUNNING, ANY, RA_VIRT_RUNNING, "running" },
    { VIR_DOMAIN_BLOCKED, ANY, RA_VIRT_RUNNING, "idle" },
    { VIR_DOMAIN_SHUTDOWN, ANY, RA_VIRT_RUNNING, "shutting down" },
    { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_IOERROR, RA_VIRT_FAILED, "paused on an I/O error" },
    { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_WATCHDOG, RA_VIRT_FAILED, "paused by its watchdog" },
    { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_CRASHED, RA_VIRT_FAILED,
      "paused because its kernel panicked" },
    { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_POSTCOPY_FAILED, RA_VIRT_FAILED,
      "paused because a post-copy migration failed" },
#if LIBVIR_VERSION_NUMBER >= 9002000
    { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_API_ERROR, RA_VIRT_FAILED,
      "paused because an operation on it failed halfway" },
#endif
    { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_STARTING_UP, RA_VIRT_CHANGING, "starting up" },
    { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION, RA_VIRT_RUNNING,
      "paused for a moment by its migration" },
    { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_POSTCOPY, RA_VIRT_RUNNING,
      "paused for a moment by its migration" },
    { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_SAVE, RA_VIRT_RUNNING, "being saved" },
    { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_DUMP, RA_VIRT_RUNNING, "being dumped" },
    { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_SNAPSHOT, RA_VIRT_RUNNING, "being copied" },
    { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_SHUTTING_DOWN, RA_VIRT_RUNNING, "shutting down" },
    { VIR_DOMAIN_PAUSED, ANY, RA_VIRT_PAUSED, "paused" },
    { VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_CRASHED, RA_VIRT_OFF, "off after a crash" },
    { VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_FAILED, RA_VIRT_OFF, "off, it failed to start" },
    { VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_MIGRATED, RA_VIRT_OFF, "off, it was migrated away" },
    { VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_SAVED, RA_VIRT_OFF, "off, its memory is saved" },
    { VIR_DOMAIN_SHUTOFF, ANY, RA_VIRT_OFF, "off" },
    { VIR_DOMAIN_CRASHED, VIR_DOMAIN_CRASHED_PANICKED, RA_VIRT_FAILED,
      "crashed, its kernel panicked" },
    { VIR_DOMAIN_CRASHED, ANY, RA_VIRT_FAILED, "crashed" },
    { VIR_DOMAIN_PMSUSPENDED, ANY, RA_VIRT_FAILED, "suspended by its own power management" },
};

enum ra_virt_condition ra_virt_domain_condition(int state, int reason, const char **ret_text)
{
    for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
        if (conditions[i].state == state &&
            (conditions[i].reason == ANY || conditions[i].reason == reason)) {
            *ret_text = conditions[i].text;
            return conditions[i].condition;
        }
    }
    *ret_text = "in a state that this version does not know";
    return RA_VIRT_FAILED;
}

/*
 * In the call's thread. A migration pauses the guest at both ends, and a failed one may leave it
 * so: the job that is under way tells which of these it is.
 */
static int read_job(virDomainPtr handle, struct ra_virt_domain_facts *facts, struct ra_error *err)
{
    virTypedParameterPtr params = NULL;
    int count = 0;
    int type = VIR_DOMAIN_JOB_NONE;
    int operation = VIR_DOMAIN_JOB_OPERATION_UNKNOWN;

    if (virDomainGetJobStats(handle, &type, &params, &count, 0) == 0) {
        if (type == VIR_DOMAIN_JOB_BOUNDED || type == VIR_DOMAIN_JOB_UNBOUNDED)
            (void)virTypedParamsGetInt(params, count, VIR_DOMAIN_JOB_OPERATION, &operation);
        virTypedParamsFree(params, count);
    } else if (virGetLastErrorCode() == VIR_ERR_OPERATION_UNSUPPORTED) {
        /* QEMU's driver keeps statistics on the source alone, and says so on the target. */
        operation = VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN;
    } else {
        return ra_virt_error_take_lookup(err, "cannot read the job of domain %s", facts->name);
    }
    if (operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN) {
        facts->condition = RA_VIRT_INCOMING;
        facts->text = "being migrated to this node";
    } else if (operation != VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT) {
        facts->condition = RA_VIRT_STRANDED;
        facts->text = "left paused by a migration";
    }
    return 0;
}

/* In the call's thread. */
static int read_facts(virDomainPtr handle, struct ra_virt_domain_facts *facts, struct ra_error *err)
{
    int state;
    int reason;

    facts->name = virDomainGetName(handle);
    if (virDomainGetUUIDString(handle, facts->uuid) != 0)
        return ra_virt_error_take(err, "cannot read the UUID of domain %s", facts->name);
    if (virDomainGetState(handle, &state, &reason, 0) != 0)
        return ra_virt_error_take_lookup(err, "cannot read the state of domain %s", facts->name);
    facts->condition = ra_virt_domain_condition(state, reason, &facts->text);
    if (state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_MIGRATION &&
        read_job(handle, facts, err) != 0)
        return -1;
    /* Only a persistent domain stays off: a transient one is about to start, or to vanish. */
    if (facts->condition == RA_VIRT_OFF && virDomainIsPersistent(handle) == 0) {
        facts->condition = RA_VIRT_CHANGING;
        facts->text = "neither on nor off yet";
    }
    virResetLastError();
    return 0;
}

/* One call on a domain that exists, or that comes into existence by it. */
struct domain_call {
    struct ra_virt_call call;
    virConnectPtr connection;
    virDomainPtr handle;
    char *uuid;
    char *name;
    char *xml;
    unsigned flags;
    virDomainInfo info;
    struct ra_virt_domain_facts facts;
};

static void release_domain_call(struct ra_virt_call *call)
{
    struct domain_call *self = (struct domain_call *)call;

    if (self->handle != NULL)
        (void)virDomainFree(self->handle);
    if (self->connection != NULL)
        (void)virConnectClose(self->connection);
    free(self->uuid);
    free(self->name);
    free(self->xml);
}

static struct domain_call *new_call(int (*run)(struct ra_virt_call *, struct ra_error *),
                                    virConnectPtr connection, virDomainPtr handle)
{
    struct domain_call *self = ra_virt_call_new(sizeof(*self), run, release_domain_call);

    if (connection != NULL && virConnectRef(connection) == 0)
        self->connection = connection;
    if (handle != NULL && virDomainRef(handle) == 0) {
        self->handle = handle;
        /* Now, because every call of libvirt's, this one too, forgets the last error. */
        self->name = ra_text_copy(virDomainGetName(handle));
    }
    return self;
}

static struct ra_virt_domain *make_domain(struct domain_call *self)
{
    struct ra_virt_domain *domain = calloc(1, sizeof(*domain));

    if (domain == NULL)
        abort();
    domain->handle = ra_steal_ptr(&self->handle);
    domain->facts = self->facts;
    return domain;
}

static int run_find(struct ra_virt_call *call, struct ra_error *err)
{
    struct domain_call *self = (struct domain_call *)call;

    if (self->uuid != NULL) {
        self->handle = virDomainLookupByUUIDString(self->connection, self->uuid);
        if (self->handle == NULL &&
            (virGetLastErrorCode() != VIR_ERR_NO_DOMAIN || self->name == NULL))
            return ra_virt_error_take_lookup(err, "cannot look up domain %s", self->uuid);
    }
    if (self->handle == NULL) {
        self->handle = virDomainLookupByName(self->connection, self->name);
        if (self->handle == NULL)
            return ra_virt_error_take_lookup(err, "cannot look up domain %s", self->name);
    }
    return read_facts(self->handle, &self->facts, err);
}

int ra_virt_domain_find(struct ra_virt_connection *connection, const char *uuid, const char *name,
                        struct ra_deadline deadline, struct ra_virt_domain **ret_domain,
                        struct ra_error *err)
{
    ra_auto_virt_call struct domain_call *self = new_call(run_find, connection->handle, NULL);

    self->uuid = ra_text_copy(uuid);
    self->name = ra_text_copy(name);
    if (ra_virt_call_run(&self->call, deadline, err, "looking up domain %s",
                         name == NULL ? uuid : name) != 0)
        return -1;
    *ret_domain = make_domain(self);
    return 0;
}

static int run_refresh(struct ra_virt_call *call, struct ra_error *err)
{
    struct domain_call *self = (struct domain_call *)call;

    return read_facts(self->handle, &self->facts, err);
}

int ra_virt_domain_refresh(struct ra_virt_domain *domain, struct ra_deadline deadline,
                           struct ra_error *err)
{
    ra_auto_virt_call struct domain_call *self = new_call(run_refresh, NULL, domain->handle);

    if (ra_virt_call_run(&self->call, deadline, err, "reading the state of domain %s",
                         domain->facts.name) != 0)
        return -1;
    domain->facts = self->facts;
    return 0;
}

const struct ra_virt_domain_facts *ra_virt_domain_facts(const struct ra_virt_domain *domain)
{
    return &domain->facts;
}

void ra_virt_domain_free(struct ra_virt_domain *domain)
{
    if (domain == NULL)
        return;
    (void)virDomainFree(domain->handle);
    free(domain);
}

static int run_create(struct ra_virt_call *call, struct ra_error *err)
{
    struct domain_call *self = (struct domain_call *)call;

    self->handle = virDomainCreateXML(self->connection, self->xml, 0);
    if (self->handle == NULL) {
        const char *lock = ra_virt_error_find_lock(virGetLastErrorMessage());

        if (lock != NULL)
            return ra_error_set(err, RA_ERROR_BUSY, "libvirt cannot start the domain: %s", lock);
        return ra_virt_error_take(err, "libvirt cannot start the domain");
    }
    return read_facts(self->handle, &self->facts, err);
}

int ra_virt_domain_create(struct ra_virt_connection *connection, const char *xml,
                          struct ra_deadline deadline, struct ra_virt_domain **ret_domain,
                          struct ra_error *err)
{
    ra_auto_virt_call struct domain_call *self = new_call(run_create, connection->handle, NULL);

    self->xml = ra_text_copy(xml);
    if (ra_virt_call_run(&self->call, deadline, err, "starting the domain") != 0)
        return -1;
    *ret_domain = make_domain(self);
    return 0;
}

static int check_managed_save(struct domain_call *self, struct ra_error *err)
{
    int has = virDomainHasManagedSaveImage(self->handle, 0);

    if (has < 0)
        return ra_virt_error_take(err, "cannot look for a managed save image");
    if (has > 0)
        return ra_error_set(err, RA_ERROR_BUSY,
                            "domain %s has a managed save image, the memory of a guest: start it "
                            "with 'virsh start' and shut it down, or drop the image with 'virsh "
                            "managedsave-remove'",
                            self->name);
    return 0;
}

static int run_check_managed_save(struct ra_virt_call *call, struct ra_error *err)
{
    return check_managed_save((struct domain_call *)call, err);
}

int ra_virt_domain_check_managed_save(struct ra_virt_domain *domain, struct ra_deadline deadline,
                                      struct ra_error *err)
{
    ra_auto_virt_call struct domain_call *self =
        new_call(run_check_managed_save, NULL, domain->handle);

    return ra_virt_call_run(&self->call, deadline, err,
                            "looking for a managed save image of domain %s", domain->facts.name);
}

static int run_undefine(struct ra_virt_call *call, struct ra_error *err)
{
    struct domain_call *self = (struct domain_call *)call;
    unsigned flags = VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | VIR_DOMAIN_UNDEFINE_KEEP_TPM |
                     VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
                     VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA;

    if (check_managed_save(self, err) != 0)
        return -1;
    if (virDomainUndefineFlags(self->handle, flags) == 0)
        return 0;
    /* A driver without one of these (Xen's) has nothing that the flag would keep. */
    if (virGetLastErrorCode() == VIR_ERR_INVALID_ARG &&
        virDomainUndefineFlags(self->handle, 0) == 0)
        return 0;
    return ra_virt_error_take(err, "cannot remove the definition of domain %s", self->name);
}

int ra_virt_domain_undefine(struct ra_virt_domain *domain, struct ra_deadline deadline,
                            struct ra_error *err)
{
    ra_auto_virt_call struct domain_call *self = new_call(run_undefine, NULL, domain->handle);

    return ra_virt_call_run(&self->call, deadline, err, "removing the definition of domain %s",
                            domain->facts.name);
}

static const struct {
    const char *name;
    unsigned flag;
} shutdown_modes[] = {
    { "acpi", VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN }, { "agent", VIR_DOMAIN_SHUTDOWN_GUEST_AGENT },
    { "initctl", VIR_DOMAIN_SHUTDOWN_INITCTL },     { "signal", VIR_DOMAIN_SHUTDOWN_SIGNAL },
    { "paravirt", VIR_DOMAIN_SHUTDOWN_PARAVIRT },
};

static bool find_mode(const char *name, unsigned *ret_flag)
{
    for (size_t i = 0; i < sizeof(shutdown_modes) / sizeof(shutdown_modes[0]); i++) {
        if (ra_text_equal(name, shutdown_modes[i].name)) {
            *ret_flag = shutdown_modes[i].flag;
            return true;
        }
    }
    return false;
}

bool ra_virt_domain_knows_mode(const char *mode)
{
    unsigned flag;

    return find_mode(mode, &flag);
}

static int run_shutdown(struct ra_virt_call *call, struct ra_error *err)
{
    struct domain_call *self = (struct domain_call *)call;

    if (virDomainShutdownFlags(self->handle, self->flags) != 0)
        return ra_virt_error_take_lookup(err, "cannot ask domain %s to shut down", self->name);
    return 0;
}

int ra_virt_domain_shutdown(struct ra_virt_domain *domain, const char *mode,
                            struct ra_deadline deadline, struct ra_error *err)
{
    ra_auto_virt_call struct domain_call *self = new_call(run_shutdown, NULL, domain->handle);

    if (mode != NULL && !find_mode(mode, &self->flags))
        return ra_error_set(err, RA_ERROR_CONFIG, "'%s' is not a way to shut a guest down", mode);
    return ra_virt_call_run(&self->call, deadline, err, "asking domain %s to shut down (%s)",
                            domain->facts.name, mode == NULL ? "default" : mode);
}

static int run_destroy(struct ra_virt_call *call, struct ra_error *err)
{
    struct domain_call *self = (struct domain_call *)call;

    if (virDomainDestroyFlags(self->handle, self->flags) != 0)
        return ra_virt_error_take_lookup(err, "cannot destroy domain %s", self->name);
    return 0;
}

int ra_virt_domain_destroy(struct ra_virt_domain *domain, bool graceful,
                           struct ra_deadline deadline, struct ra_error *err)
{
    ra_auto_virt_call struct domain_call *self = new_call(run_destroy, NULL, domain->handle);

    self->flags = graceful ? VIR_DOMAIN_DESTROY_GRACEFUL : VIR_DOMAIN_DESTROY_DEFAULT;
    return ra_virt_call_run(&self->call, deadline, err, "destroying domain %s%s",
                            domain->facts.name, graceful ? " gracefully" : "");
}

static int run_abort_job(struct ra_virt_call *call, struct ra_error *err)
{
    struct domain_call *self = (struct domain_call *)call;

    if (virDomainAbortJob(self->handle) == 0)
        return 0;
    /* Nothing is under way, or the driver (Xen's) has no such thing. */
    if (virGetLastErrorCode() == VIR_ERR_OPERATION_INVALID ||
        virGetLastErrorCode() == VIR_ERR_NO_SUPPORT) {
        virResetLastError();
        return 0;
    }
    return ra_virt_error_take_lookup(err, "cannot cancel the job of domain %s", self->name);
}

int ra_virt_domain_abort_job(struct ra_virt_domain *domain, struct ra_deadline deadline,
                             struct ra_error *err)
{
    ra_auto_virt_call struct domain_call *self = new_call(run_abort_job, NULL, domain->handle);

    return ra_virt_call_run(&self->call, deadline, err, "cancelling the job of domain %s",
                            domain->facts.name);
}

static int run_resume(struct ra_virt_call *call, struct ra_error *err)
{
    struct domain_call *self = (struct domain_call *)call;

    if (virDomainResume(self->handle) != 0)
        return ra_virt_error_take_lookup(err, "cannot resume domain %s", self->name);
    return 0;
}

int ra_virt_domain_resume(struct ra_virt_domain *domain, struct ra_deadline deadline,
                          struct ra_error *err)
{
    ra_auto_virt_call struct domain_call *self = new_call(run_resume, NULL, domain->handle);

    return ra_virt_call_run(&self->call, deadline, err, "resuming domain %s", domain->facts.name);
}

static int run_xml(struct ra_virt_call *call, struct ra_error *err)
{
    struct domain_call *self = (struct domain_call *)call;

    self->xml = virDomainGetXMLDesc(self->handle, 0);
    if (self->xml == NULL)
        return ra_virt_error_take_lookup(err, "cannot read the XML of domain %s", self->name);
    return 0;
}

int ra_virt_domain_xml(struct ra_virt_domain *domain, struct ra_deadline deadline, char **ret_xml,
                       struct ra_error *err)
{
    ra_auto_virt_call struct domain_call *self = new_call(run_xml, NULL, domain->handle);

    if (ra_virt_call_run(&self->call, deadline, err, "reading the XML of domain %s",
                         domain->facts.name) != 0)
        return -1;
    *ret_xml = ra_steal_ptr(&self->xml);
    return 0;
}

static int run_info(struct ra_virt_call *call, struct ra_error *err)
{
    struct domain_call *self = (struct domain_call *)call;

    if (virDomainGetInfo(self->handle, &self->info) != 0)
        return ra_virt_error_take_lookup(err, "cannot read the size of domain %s", self->name);
    return 0;
}

int ra_virt_domain_capacity(struct ra_virt_domain *domain, struct ra_deadline deadline,
                            unsigned *ret_cpus, uint64_t *ret_memory_kib, struct ra_error *err)
{
    ra_auto_virt_call struct domain_call *self = new_call(run_info, NULL, domain->handle);

    if (ra_virt_call_run(&self->call, deadline, err, "reading the size of domain %s",
                         domain->facts.name) != 0)
        return -1;
    *ret_cpus = self->info.nrVirtCpu;
    *ret_memory_kib = self->info.maxMem;
    return 0;
}
