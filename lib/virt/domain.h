/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One domain of a connection: find, look, start, shut down, destroy. Every function blocks until
 * its deadline at most. RA_ERROR_NOT_FOUND is libvirt's VIR_ERR_NO_DOMAIN and nothing else: the
 * daemon of this connection says that the domain does not exist. Every other error leaves the
 * domain's state unknown.
 */
#ifndef RA_VIRT_DOMAIN_H
#define RA_VIRT_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/error.h"
#include "virt/connection.h"

struct ra_virt_domain;

#define RA_VIRT_UUID_BYTES 37

/* What virDomainGetState's state and reason mean for a cluster. */
enum ra_virt_condition {
    RA_VIRT_RUNNING = 1, /* it runs; also on its way down, and moments of being saved or copied */
    RA_VIRT_PAUSED,      /* it exists, somebody paused it */
    RA_VIRT_INCOMING,    /* it is being migrated to this node and does not run here yet */
    RA_VIRT_STRANDED,    /* it was left paused by a migration that is over */
    RA_VIRT_FAILED,      /* it exists and needs recovery: crashed, paused on an I/O error */
    RA_VIRT_CHANGING,    /* between two states; look again */
    RA_VIRT_OFF,         /* defined, with no process behind it */
};

struct ra_virt_domain_facts {
    char uuid[RA_VIRT_UUID_BYTES];
    const char *name; /* valid as long as the domain */
    enum ra_virt_condition condition;
    const char *text; /* the state in words, "paused on an I/O error"; static */
};

/* The condition of a VIR_DOMAIN_ state and its reason; *ret_text as facts.text. Pure. */
enum ra_virt_condition ra_virt_domain_condition(int state, int reason, const char **ret_text);

/*
 * Look up by UUID, then by name; either may be NULL. The caller frees the domain, before it closes
 * the connection. NOT_FOUND: there is none with the UUID, nor one with the name.
 */
int ra_virt_domain_find(struct ra_virt_connection *connection, const char *uuid, const char *name,
                        struct ra_deadline deadline, struct ra_virt_domain **ret_domain,
                        struct ra_error *err);

/* Ask for the state again. NOT_FOUND: the domain is gone; the facts stay as they were. */
int ra_virt_domain_refresh(struct ra_virt_domain *domain, struct ra_deadline deadline,
                           struct ra_error *err);

/* What find or refresh saw; valid as long as the domain, changed by a refresh. */
const struct ra_virt_domain_facts *ra_virt_domain_facts(const struct ra_virt_domain *domain);

/* NULL is allowed. Does not block. */
void ra_virt_domain_free(struct ra_virt_domain *domain);

/*
 * Start a transient domain (virDomainCreateXML). When it fails, the domain may exist all the same:
 * a deadline ends our waiting, not the daemon's work. The caller asks. BUSY: the lock of one of its
 * disks is held by somebody else; trying again later may help.
 */
int ra_virt_domain_create(struct ra_virt_connection *connection, const char *xml,
                          struct ra_deadline deadline, struct ra_virt_domain **ret_domain,
                          struct ra_error *err);

/*
 * Remove an inactive domain's definition; NVRAM, TPM state and snapshots' contents stay. BUSY if
 * there is a managed save image, which is a guest's memory: nothing is touched then.
 */
int ra_virt_domain_undefine(struct ra_virt_domain *domain, struct ra_deadline deadline,
                            struct ra_error *err);

/* BUSY if the domain has a managed save image. */
int ra_virt_domain_check_managed_save(struct ra_virt_domain *domain, struct ra_deadline deadline,
                                      struct ra_error *err);

/*
 * Ask the guest to shut down, in one way: "acpi", "agent", "initctl", "signal", "paravirt" (those
 * of virDomainShutdownFlags), or NULL for the hypervisor's choice. Success means that the request
 * was delivered. A guest agent that does not answer blocks it for a minute: TIMEOUT.
 */
int ra_virt_domain_shutdown(struct ra_virt_domain *domain, const char *mode,
                            struct ra_deadline deadline, struct ra_error *err);

/* True if ra_virt_domain_shutdown knows the mode. */
bool ra_virt_domain_knows_mode(const char *mode);

/*
 * End the domain now. `graceful`: only as far as SIGTERM goes, which lets an emulator flush its
 * files; libvirt tries that for 10 s. Otherwise SIGKILL follows, up to 40 s in all.
 */
int ra_virt_domain_destroy(struct ra_virt_domain *domain, bool graceful,
                           struct ra_deadline deadline, struct ra_error *err);

/* Cancel what the daemon does with the domain (a migration). No error if nothing is under way. */
int ra_virt_domain_abort_job(struct ra_virt_domain *domain, struct ra_deadline deadline,
                             struct ra_error *err);

/* Let a paused guest run. */
int ra_virt_domain_resume(struct ra_virt_domain *domain, struct ra_deadline deadline,
                          struct ra_error *err);

/* The number of virtual CPUs and the memory that the domain may use, as virDomainGetInfo has it. */
int ra_virt_domain_capacity(struct ra_virt_domain *domain, struct ra_deadline deadline,
                            unsigned *ret_cpus, uint64_t *ret_memory_kib, struct ra_error *err);

/* The domain's XML as it is now; new memory that the caller frees. */
int ra_virt_domain_xml(struct ra_virt_domain *domain, struct ra_deadline deadline, char **ret_xml,
                       struct ra_error *err);

#endif
