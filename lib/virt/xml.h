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

/* True if both domains write to the same file, device or network image. */
bool ra_virt_xml_shares_disk(const struct ra_virt_xml *one, const struct ra_virt_xml *other);

#endif
