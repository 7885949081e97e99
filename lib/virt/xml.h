/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Domain XML (libvirt's "Domain XML format"), read and written with libxml2 only. No network, no
 * external entities: a document with a document type declaration is refused.
 */
#ifndef RA_VIRT_XML_H
#define RA_VIRT_XML_H

#include <stdbool.h>

#include "base/deadline.h"
#include "base/error.h"

struct ra_virt_xml {
    char *name; /* never empty */
    char *uuid; /* lower case with dashes; NULL if the document leaves it to libvirt */
    char *text; /* the document */
};

/*
 * Read and parse the file. Blocks until the deadline at most, whatever the file system does; the
 * caller frees the result with ra_virt_xml_free().
 * Errors: CONFIG (the text is not a domain with a name), TIMEOUT, and those of ra_file_read().
 */
int ra_virt_xml_read(const char *path, struct ra_deadline deadline, struct ra_virt_xml **ret_xml,
                     struct ra_error *err);

/* Parse a text; `origin` names it in errors. Does not block. Errors: CONFIG. */
int ra_virt_xml_parse(const char *text, const char *origin, struct ra_virt_xml **ret_xml,
                      struct ra_error *err);

/* NULL is allowed. */
void ra_virt_xml_free(struct ra_virt_xml *xml);

/* Put a UUID into a document that has none; xml->uuid and xml->text change. Errors: CONFIG. */
int ra_virt_xml_set_uuid(struct ra_virt_xml *xml, const char *uuid, struct ra_error *err);

/*
 * Put the mark of `resource` (mark.h) into a document that has a UUID, in place of one that is
 * there. Errors: CONFIG.
 */
int ra_virt_xml_set_mark(struct ra_virt_xml *xml, const char *resource, struct ra_error *err);

/* The mark's element by itself, as virDomainSetMetadata wants it; new memory. */
char *ra_virt_xml_make_mark(const char *resource, const char *uuid);

/*
 * The resource that a mark's element names; new memory. NULL if it is no mark of the domain with
 * this UUID, but one that was copied along with another domain's XML, for example.
 */
char *ra_virt_xml_read_mark(const char *element, const char *uuid);

/*
 * Does the text of a status file of libvirt's (its daemon keeps one for each active domain) tell
 * of a domain with the mark of `resource`? Name and UUID are new memory. Errors: CONFIG.
 */
int ra_virt_xml_read_status(const char *text, const char *origin, const char *resource,
                            bool *ret_marked, char **ret_name, char **ret_uuid,
                            struct ra_error *err);

/* True if both domains write to the same file, device or network image. */
bool ra_virt_xml_shares_disk(const struct ra_virt_xml *one, const struct ra_virt_xml *other);

#endif
