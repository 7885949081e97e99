/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the guest is: by libvirt, or by its process. */
#ifndef RA_AGENTS_VIRTUALDOMAIN_FIND_H
#define RA_AGENTS_VIRTUALDOMAIN_FIND_H

#include "base/deadline.h"
#include "base/error.h"
#include "guest.h"
#include "virt/backend.h"

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

#endif
