/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The mark of a resource on its domain: an element of our own namespace in the domain's
 * <metadata> ("Domain XML format", general metadata). libvirt keeps it with the domain and takes
 * it along in a migration, so it tells whose a domain is where no configuration can be read and
 * no state file was written. The documents' side of it is in xml.h.
 *
 * The mark holds the domain's UUID, too, and counts on the domain with that UUID alone: whoever
 * makes another domain from a copy of the XML copies the mark as well.
 *
 * Every function blocks until its deadline at most. A hypervisor's driver that knows no metadata
 * is one whose domains bear no mark.
 */
#ifndef RA_VIRT_MARK_H
#define RA_VIRT_MARK_H

#include "base/deadline.h"
#include "base/error.h"
#include "virt/connection.h"
#include "virt/domain.h"

#define RA_VIRT_MARK_URI    "urn:native-agents:resource"
#define RA_VIRT_MARK_PREFIX "native"

/* The resource that the domain is marked with; new memory that the caller frees, or NULL. */
int ra_virt_mark_read(const struct ra_virt_domain *domain, struct ra_deadline deadline,
                      char **ret_resource, struct ra_error *err);

/* Mark a domain that is active. PROTOCOL: the hypervisor's driver knows no metadata. */
int ra_virt_mark_set(const struct ra_virt_domain *domain, const char *resource,
                     struct ra_deadline deadline, struct ra_error *err);

/*
 * The UUID of the active domain that bears the mark of `resource`. NOT_FOUND: the daemon has no
 * active domain with it. While any domain is being started, libvirt may keep this waiting: it looks
 * at each of them.
 */
int ra_virt_mark_find(struct ra_virt_connection *connection, const char *resource,
                      struct ra_deadline deadline, char ret_uuid[RA_VIRT_UUID_BYTES],
                      struct ra_error *err);

/*
 * The same without libvirt, for QEMU's domains: by the status files in which its daemon keeps what
 * is active. NOT_FOUND: none of them tells of the mark. Every other error leaves that unknown. Name
 * and UUID are new memory.
 */
int ra_virt_mark_find_status(const char *resource, char **ret_name, char **ret_uuid,
                             struct ra_error *err);

#endif
