/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The guest of one action: who it is, what is known of it, and what is remembered. */
#ifndef RA_AGENTS_VIRTUALDOMAIN_GUEST_H
#define RA_AGENTS_VIRTUALDOMAIN_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/error.h"
#include "config.h"
#include "runtime/action.h"
#include "runtime/result.h"
#include "virt/backend.h"

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

#endif
