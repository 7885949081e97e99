/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the files of the VirtualDomain agent share: its configuration, and the guest.
 */
#ifndef RA_AGENTS_VIRTUALDOMAIN_H
#define RA_AGENTS_VIRTUALDOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/error.h"
#include "runtime/action.h"
#include "virt/backend.h"

struct virtualdomain_config {
    const char *config;
    const char *hypervisor;
    bool force_stop;
    const char *shutdown_mode;
    int migration_transport; /* index into virtualdomain_transports, -1: none */
    const char *migration_user;
    int64_t migration_downtime_ms;
    int64_t migration_speed_mib_s;
    const char *migration_network_suffix;
    const char *migrateuri;
    int64_t migrateport;
    const char *remoteuri;
    bool autoset_cpu;
    bool autoset_host_memory;
    bool autoset_hv_memory;
    bool unset_cpu;
    bool unset_host_memory;
    bool unset_hv_memory;
};

extern const char *const virtualdomain_transports[];

/*
 * The guest of one action.
 *
 * Who it is. A start writes the domain's name, UUID and libvirt URI into a state file before the
 * guest exists, so from then on, until a stop has proven it gone, every action finds the guest
 * without its configuration, by UUID: the file may be unreadable, edited or deleted meanwhile.
 * The domain itself bears the resource's mark (virt/mark.h), which a migration takes along: so the
 * target of a migration knows the guest even where it cannot read the configuration. Without state
 * and mark (a guest that another agent started, or none) the configuration says who it is. Without
 * that, too, a domain that is named like the configuration's file or like the resource may be the
 * guest or a stranger: nobody can tell, so it is neither "running" nor "not running", and it is
 * left alone.
 */
struct guest {
    const struct ra_context *context;
    const struct virtualdomain_config *config;
    const struct ra_virt_backend *virt;

    bool remembered; /* there is a state file; the three texts are its */
    bool started;    /* and the start that wrote it was seen to succeed */
    bool marked;     /* and the domain bears the resource's mark, as far as it can */
    char *name;
    char *uuid;
    char *uri;

    struct ra_virt_xml *xml;   /* the configuration, once read */
    struct ra_error xml_error; /* why it could not be */
    bool xml_tried;

    struct ra_virt_connection *connection;
    struct ra_virt_domain *domain;

    int64_t log_end_bytes; /* of QEMU's log, before the start */
};

/* Load libvirt's backend and read the state file. Does not block. */
int guest_init(struct guest *guest, const struct ra_context *context, struct ra_error *err);

/* Disconnect and free; the struct must have been zeroed before guest_init(). */
void guest_release(struct guest *guest);
#define auto_guest RA_CLEANUP(guest_release)

/* Read the configuration, once. Errors: those of xml_read, and CONFIG if there is no path. */
int guest_read_config(struct guest *guest, struct ra_deadline deadline, struct ra_error *err);

/* The best name known, for messages; never NULL. */
const char *guest_name(const struct guest *guest);

/* The libvirt URI to use; NULL leaves it to libvirt. */
const char *guest_uri(const struct guest *guest);

/* Connect to this node's libvirt, trying again until `patience` while nobody listens. */
int guest_connect(struct guest *guest, struct ra_deadline patience, struct ra_deadline deadline,
                  struct ra_error *err);

/*
 * Find the domain; guest->domain and what is known of it. NOT_FOUND is proof: libvirt says that
 * nothing which could be this guest exists. A domain that has the guest's name but neither its
 * UUID nor any disk of it is somebody else's. BUSY: there is a domain of which nobody can tell
 * whether it is the guest.
 */
int guest_find(struct guest *guest, struct ra_deadline deadline, struct ra_error *err);

/* Look again until the domain is in none of the short states between two others. */
int guest_settle(struct guest *guest, struct ra_deadline deadline, struct ra_error *err);

/*
 * Find the guest's QEMU process without libvirt, which failed with *cause. The caller closes
 * ret_emulator->pidfd. NOT_FOUND is proof that no process of the guest exists or is about to;
 * every other error leaves that unknown; BUSY, as for guest_find().
 */
int guest_find_process(struct guest *guest, const struct ra_error *cause,
                       struct ra_virt_emulator *ret_emulator, struct ra_error *err);

/* Write the state file before the guest is started; its configuration bears the mark. */
int guest_remember_start(struct guest *guest, struct ra_error *err);

/*
 * guest->domain was seen running: write that into the state file, and mark the domain unless it
 * bears the mark. Blocks only then. That it cannot be marked is a warning.
 */
int guest_adopt(struct guest *guest, struct ra_deadline deadline, struct ra_error *err);

/* Remove the state file, when the guest is proven gone. */
void guest_forget(const struct guest *guest);

/* The result for an unusable configuration file, which is this node's: others have their own. */
struct ra_result guest_config_failure(const struct ra_error *error);

/*
 * Keep the resource's utilization attributes in step with the running guest->domain; what goes
 * wrong is a warning. Blocks for some milliseconds where something is to be written, 2 seconds at
 * most.
 */
void virtualdomain_update_utilization(const struct guest *guest, struct ra_deadline deadline);

/* Remove what the last update left for the next one. */
void virtualdomain_forget_utilization(const struct guest *guest);

/* --- virtualdomain_refusal.c: why QEMU ended at once --- */

/* Where QEMU's log ends now, in bytes: what is behind that later was written since. */
int64_t virtualdomain_log_end(const char *name);

/*
 * The last that QEMU wrote into its log since it ended at guest->log_end_bytes, on one line; "" if
 * it wrote nothing.
 */
void virtualdomain_last_words(const struct guest *guest, const char *name, char *text,
                              size_t size_bytes);

/*
 * libvirt could not start guest `name`, for the reason in *why. True if that was the lock of a disk
 * image that somebody else holds; *why is then of kind BUSY and says which.
 */
bool virtualdomain_met_lock(const struct guest *guest, const char *name, struct ra_error *why);

/* Whose lock it probably is, and what makes it go away: a sentence by the image's file system. */
void virtualdomain_explain_lock(const char *lock, char *text, size_t size_bytes);

/* The actions that have files of their own. */
struct ra_result virtualdomain_start(const struct ra_context *context);
struct ra_result virtualdomain_stop(const struct ra_context *context);
struct ra_result virtualdomain_migrate_to(const struct ra_context *context);
struct ra_result virtualdomain_migrate_from(const struct ra_context *context);

/* Check shutdown_mode; NULL-terminated list of modes that the caller frees as a text list. */
int virtualdomain_shutdown_modes(const struct guest *guest, char ***ret_modes,
                                 struct ra_error *err);

/* Check the parameters of a migration to `node` and derive its URIs; the caller frees both. */
int virtualdomain_migration_uris(const struct guest *guest, const char *node, char **ret_remote,
                                 char **ret_data, struct ra_error *err);

#endif
