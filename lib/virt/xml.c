/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "virt/xml.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xpath.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "virt/call.h"
#include "virt/mark.h"

#define XML_MOST_BYTES (1024 * 1024)
#define UUID_DIGITS    32
#define MARK_ELEMENT   "resource"

/* The elements below a disk's <source> that hold data, and the attributes that say where. */
static const char *const source_attributes[] = { "file", "dev",    "dir",  "protocol",
                                                 "name", "volume", "pool", NULL };

static void cleanup_doc(xmlDocPtr *doc)
{
    if (*doc != NULL)
        xmlFreeDoc(*doc);
}

static void cleanup_xpath_context(xmlXPathContextPtr *context)
{
    if (*context != NULL)
        xmlXPathFreeContext(*context);
}

static void cleanup_xpath_object(xmlXPathObjectPtr *object)
{
    if (*object != NULL)
        xmlXPathFreeObject(*object);
}

static void cleanup_string(xmlChar **text)
{
    if (*text != NULL)
        xmlFree(*text);
}

#define auto_doc           RA_CLEANUP(cleanup_doc)
#define auto_xpath_context RA_CLEANUP(cleanup_xpath_context)
#define auto_xpath_object  RA_CLEANUP(cleanup_xpath_object)
#define auto_string        RA_CLEANUP(cleanup_string)

/* The element `name` directly below `parent`; *ret_count says how many there are. */
static xmlNodePtr find_child(xmlNodePtr parent, const char *name, unsigned *ret_count)
{
    xmlNodePtr found = NULL;

    *ret_count = 0;
    for (xmlNodePtr node = parent->children; node != NULL; node = node->next) {
        if (node->type != XML_ELEMENT_NODE || strcmp((const char *)node->name, name) != 0)
            continue;
        if ((*ret_count)++ == 0)
            found = node;
    }
    return found;
}

static int parse_rooted(const char *text, const char *origin, const char *element,
                        xmlDocPtr *ret_doc, struct ra_error *err)
{
    size_t length = strlen(text);
    auto_doc xmlDocPtr doc = NULL;
    xmlNodePtr root;

    if (length > XML_MOST_BYTES)
        return ra_error_set(err, RA_ERROR_CONFIG, "%s is larger than %d bytes", origin,
                            XML_MOST_BYTES);
    xmlResetLastError();
    doc = xmlReadMemory(text, (int)length, NULL, NULL,
                        XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (doc == NULL) {
        xmlErrorPtr last = xmlGetLastError();

        return ra_error_set(err, RA_ERROR_CONFIG, "%s is not well-formed XML: line %d: %s", origin,
                            last == NULL ? 0 : last->line,
                            last == NULL || last->message == NULL ? "unknown" : last->message);
    }
    if (doc->intSubset != NULL || doc->extSubset != NULL)
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "%s has a document type declaration, which is not allowed", origin);
    root = xmlDocGetRootElement(doc);
    if (root == NULL || strcmp((const char *)root->name, element) != 0)
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "%s is not a libvirt domain: its root element is <%s>, not <%s>",
                            origin, root == NULL ? "" : (const char *)root->name, element);
    *ret_doc = ra_steal_ptr(&doc);
    return 0;
}

static int parse_document(const char *text, const char *origin, xmlDocPtr *ret_doc,
                          struct ra_error *err)
{
    return parse_rooted(text, origin, "domain", ret_doc, err);
}

/* As virUUIDParse reads it: 32 hexadecimal digits, dashes and spaces anywhere. */
static char *normalise_uuid(const char *text)
{
    char uuid[37];
    size_t used = 0;
    size_t digits = 0;

    for (; *text != '\0'; text++) {
        if (*text == '-' || isspace((unsigned char)*text))
            continue;
        if (!isxdigit((unsigned char)*text) || digits == UUID_DIGITS)
            return NULL;
        if (digits == 8 || digits == 12 || digits == 16 || digits == 20)
            uuid[used++] = '-';
        uuid[used++] = (char)tolower((unsigned char)*text);
        digits++;
    }
    uuid[used] = '\0';
    return digits == UUID_DIGITS ? ra_text_copy(uuid) : NULL;
}

static int read_identity(xmlNodePtr root, const char *origin, struct ra_virt_xml *xml,
                         struct ra_error *err)
{
    unsigned names;
    unsigned uuids;
    xmlNodePtr name = find_child(root, "name", &names);
    xmlNodePtr uuid = find_child(root, "uuid", &uuids);
    auto_string xmlChar *name_text = name == NULL ? NULL : xmlNodeGetContent(name);
    auto_string xmlChar *uuid_text = uuid == NULL ? NULL : xmlNodeGetContent(uuid);

    if (names != 1 || name_text == NULL || *name_text == '\0')
        return ra_error_set(err, RA_ERROR_CONFIG, "%s has %s <name> directly below <domain>",
                            origin, names > 1 ? "more than one" : "no");
    xml->name = ra_text_copy((const char *)name_text);
    if (strpbrk(xml->name, "\n/") != NULL)
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "%s: the domain's name may contain neither a line break nor a slash",
                            origin);
    if (uuids == 0)
        return 0;
    xml->uuid = uuid_text == NULL ? NULL : normalise_uuid((const char *)uuid_text);
    if (uuids != 1 || xml->uuid == NULL)
        return ra_error_set(err, RA_ERROR_CONFIG, "%s: <uuid> is not one UUID", origin);
    return 0;
}

void ra_virt_xml_free(struct ra_virt_xml *xml)
{
    if (xml == NULL)
        return;
    free(xml->name);
    free(xml->uuid);
    free(xml->text);
    free(xml);
}

static void cleanup_xml(struct ra_virt_xml **xml)
{
    ra_virt_xml_free(*xml);
}

int ra_virt_xml_parse(const char *text, const char *origin, struct ra_virt_xml **ret_xml,
                      struct ra_error *err)
{
    RA_CLEANUP(cleanup_xml) struct ra_virt_xml *xml = calloc(1, sizeof(*xml));
    auto_doc xmlDocPtr doc = NULL;

    if (xml == NULL)
        abort();
    if (parse_document(text, origin, &doc, err) != 0 ||
        read_identity(xmlDocGetRootElement(doc), origin, xml, err) != 0)
        return -1;
    xml->text = ra_text_copy(text);
    *ret_xml = ra_steal_ptr(&xml);
    return 0;
}

struct read_call {
    struct ra_virt_call call;
    char *path;
    struct ra_virt_xml *xml;
};

static int run_read(struct ra_virt_call *call, struct ra_error *err)
{
    struct read_call *self = (struct read_call *)call;
    ra_auto_free char *text = NULL;

    if (ra_file_read(self->path, XML_MOST_BYTES, &text, err) != 0)
        return -1;
    return ra_virt_xml_parse(text, self->path, &self->xml, err);
}

static void release_read(struct ra_virt_call *call)
{
    struct read_call *self = (struct read_call *)call;

    free(self->path);
    ra_virt_xml_free(self->xml);
}

int ra_virt_xml_read(const char *path, struct ra_deadline deadline, struct ra_virt_xml **ret_xml,
                     struct ra_error *err)
{
    ra_auto_virt_call struct read_call *self =
        ra_virt_call_new(sizeof(*self), run_read, release_read);

    self->path = ra_text_copy(path);
    if (ra_virt_call_run(&self->call, deadline, err, "reading %s", path) != 0)
        return -1;
    *ret_xml = ra_steal_ptr(&self->xml);
    return 0;
}

/* Take the document's text over into `xml`. */
static void take_text(struct ra_virt_xml *xml, xmlDocPtr doc)
{
    auto_string xmlChar *dumped = NULL;
    int length;

    xmlDocDumpMemory(doc, &dumped, &length);
    if (dumped == NULL)
        abort();
    free(xml->text);
    xml->text = ra_text_copy((const char *)dumped);
}

int ra_virt_xml_set_uuid(struct ra_virt_xml *xml, const char *uuid, struct ra_error *err)
{
    auto_doc xmlDocPtr doc = NULL;

    if (parse_document(xml->text, "the domain's XML", &doc, err) != 0)
        return -1;
    if (xmlNewTextChild(xmlDocGetRootElement(doc), NULL, (const xmlChar *)"uuid",
                        (const xmlChar *)uuid) == NULL)
        abort();
    take_text(xml, doc);
    free(xml->uuid);
    xml->uuid = ra_text_copy(uuid);
    return 0;
}

/* --- the mark --- */

static void fill_mark(xmlNodePtr mark, const char *resource, const char *uuid)
{
    if (mark == NULL ||
        xmlNewProp(mark, (const xmlChar *)"id", (const xmlChar *)resource) == NULL ||
        xmlNewProp(mark, (const xmlChar *)"uuid", (const xmlChar *)uuid) == NULL)
        abort();
}

/*
 * The resource that a mark names; new memory, or NULL. A mark is valid on the domain that it was
 * made for alone: a copy of the domain's XML, which must have a UUID of its own, has it too.
 */
static char *resource_of(xmlNodePtr mark, const char *uuid)
{
    auto_string xmlChar *id = xmlGetNoNsProp(mark, (const xmlChar *)"id");
    auto_string xmlChar *bound = xmlGetNoNsProp(mark, (const xmlChar *)"uuid");

    if (id == NULL || *id == '\0' || bound == NULL || strcmp((const char *)bound, uuid) != 0)
        return NULL;
    return ra_text_copy((const char *)id);
}

static bool is_mark(const xmlNode *node)
{
    return node->type == XML_ELEMENT_NODE && node->ns != NULL &&
           strcmp((const char *)node->ns->href, RA_VIRT_MARK_URI) == 0;
}

int ra_virt_xml_set_mark(struct ra_virt_xml *xml, const char *resource, struct ra_error *err)
{
    auto_doc xmlDocPtr doc = NULL;
    xmlNodePtr metadata;
    xmlNodePtr mark;
    unsigned count;

    if (parse_document(xml->text, "the domain's XML", &doc, err) != 0)
        return -1;
    metadata = find_child(xmlDocGetRootElement(doc), "metadata", &count);
    if (metadata == NULL)
        metadata = xmlNewChild(xmlDocGetRootElement(doc), NULL, (const xmlChar *)"metadata", NULL);
    if (metadata == NULL)
        abort();
    for (xmlNodePtr node = metadata->children, next; node != NULL; node = next) {
        next = node->next;
        if (!is_mark(node))
            continue;
        xmlUnlinkNode(node);
        xmlFreeNode(node);
    }
    mark = xmlNewChild(metadata, NULL, (const xmlChar *)MARK_ELEMENT, NULL);
    fill_mark(mark, resource, xml->uuid);
    xmlSetNs(mark, xmlNewNs(mark, (const xmlChar *)RA_VIRT_MARK_URI,
                            (const xmlChar *)RA_VIRT_MARK_PREFIX));
    take_text(xml, doc);
    return 0;
}

char *ra_virt_xml_make_mark(const char *resource, const char *uuid)
{
    xmlNodePtr mark = xmlNewNode(NULL, (const xmlChar *)MARK_ELEMENT);
    xmlBufferPtr buffer = xmlBufferCreate();
    char *text;

    /* libvirt adds the namespace. */
    fill_mark(mark, resource, uuid);
    if (buffer == NULL || xmlNodeDump(buffer, NULL, mark, 0, 0) < 0)
        abort();
    text = ra_text_copy((const char *)xmlBufferContent(buffer));
    xmlBufferFree(buffer);
    xmlFreeNode(mark);
    return text;
}

char *ra_virt_xml_read_mark(const char *element, const char *uuid)
{
    auto_doc xmlDocPtr doc =
        xmlReadMemory(element, (int)strnlen(element, XML_MOST_BYTES), NULL, NULL,
                      XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    xmlNodePtr root = doc == NULL ? NULL : xmlDocGetRootElement(doc);

    if (root == NULL || strcmp((const char *)root->name, MARK_ELEMENT) != 0)
        return NULL;
    return resource_of(root, uuid);
}

int ra_virt_xml_read_status(const char *text, const char *origin, const char *resource,
                            bool *ret_marked, char **ret_name, char **ret_uuid,
                            struct ra_error *err)
{
    RA_CLEANUP(cleanup_xml) struct ra_virt_xml *xml = calloc(1, sizeof(*xml));
    auto_doc xmlDocPtr doc = NULL;
    xmlNodePtr domain, metadata;
    unsigned count;

    if (xml == NULL)
        abort();
    if (parse_rooted(text, origin, "domstatus", &doc, err) != 0)
        return -1;
    domain = find_child(xmlDocGetRootElement(doc), "domain", &count);
    if (domain == NULL)
        return ra_error_set(err, RA_ERROR_CONFIG, "%s has no <domain>", origin);
    if (read_identity(domain, origin, xml, err) != 0)
        return -1;
    *ret_marked = false;
    metadata = find_child(domain, "metadata", &count);
    for (xmlNodePtr node = metadata == NULL ? NULL : metadata->children; node != NULL;
         node = node->next) {
        ra_auto_free char *named =
            is_mark(node) && xml->uuid != NULL ? resource_of(node, xml->uuid) : NULL;

        *ret_marked = *ret_marked || ra_text_equal(named, resource);
    }
    if (*ret_marked) {
        *ret_name = ra_steal_ptr(&xml->name);
        *ret_uuid = ra_steal_ptr(&xml->uuid);
    }
    return 0;
}

/* The writable disks' sources, each as one text; NULL-terminated, freed as a text list. */
static char **list_sources(const struct ra_virt_xml *xml)
{
    static const char *const path = "/domain/devices/disk[not(readonly) and not(@device='cdrom')]"
                                    "/source";
    auto_doc xmlDocPtr doc = NULL;
    auto_xpath_context xmlXPathContextPtr context = NULL;
    auto_xpath_object xmlXPathObjectPtr found = NULL;
    int count = 0;
    char **list;

    if (parse_document(xml->text, "", &doc, NULL) == 0)
        context = xmlXPathNewContext(doc);
    if (context != NULL)
        found = xmlXPathEvalExpression((const xmlChar *)path, context);
    if (found != NULL && found->nodesetval != NULL)
        count = found->nodesetval->nodeNr;
    list = calloc((size_t)count + 1, sizeof(*list));
    if (list == NULL)
        abort();
    for (int i = 0; i < count; i++) {
        struct ra_text_buffer text = { 0 };

        ra_text_buffer_add(&text, "");
        for (size_t a = 0; source_attributes[a] != NULL; a++) {
            auto_string xmlChar *value =
                xmlGetProp(found->nodesetval->nodeTab[i], (const xmlChar *)source_attributes[a]);

            if (value != NULL)
                ra_text_buffer_addf(&text, "%s=%s\n", source_attributes[a], (const char *)value);
        }
        list[i] = text.data;
    }
    return list;
}

bool ra_virt_xml_shares_disk(const struct ra_virt_xml *one, const struct ra_virt_xml *other)
{
    ra_auto_text_list char **ours = list_sources(one);
    ra_auto_text_list char **theirs = list_sources(other);

    for (size_t i = 0; ours[i] != NULL; i++) {
        for (size_t k = 0; theirs[k] != NULL; k++) {
            if (*ours[i] != '\0' && ra_text_equal(ours[i], theirs[k]))
                return true;
        }
    }
    return false;
}
