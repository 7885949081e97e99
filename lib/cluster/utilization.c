/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cluster/utilization.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <crm/cib.h>
#include <crm/common/xml.h>
#include <crm/msg_xml.h>

#include "base/log.h"
#include "base/number.h"
#include "base/text.h"

#define CLIENT "native-agents"

static void free_cib(cib_t **cib)
{
    if (*cib == NULL)
        return;
    (void)(*cib)->cmds->signoff(*cib);
    cib_delete(*cib);
}

static void free_tree(xmlNode **tree)
{
    free_xml(*tree);
}

#define auto_cib  RA_CLEANUP(free_cib)
#define auto_tree RA_CLEANUP(free_tree)

/* A libcib return code, a negative errno or one of Pacemaker's own, as an error. */
static int fail(struct ra_error *err, int rc, const char *what, const char *resource)
{
    enum ra_error_kind kind = RA_ERROR_SYSTEM;

    if (rc == -ETIME || rc == -ETIMEDOUT)
        kind = RA_ERROR_TIMEOUT;
    else if (rc == -EACCES || rc == -EPERM)
        kind = RA_ERROR_PERMISSION;
    else if (rc == -ENOTCONN || rc == -ECONNREFUSED || rc == -ENXIO || rc == -ECOMM)
        kind = RA_ERROR_UNREACHABLE;
    return ra_error_set(err, kind,
                        "cannot %s the utilization of %s in the cluster's "
                        "configuration: %s",
                        what, resource, pcmk_strerror(rc));
}

/* The primitive's id, without an instance number; an id holds nothing that XPath would quote. */
static char *primitive_id(const char *resource)
{
    char *id = ra_text_copy(resource);

    id[strcspn(id, ":")] = '\0';
    for (const char *c = id; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("_-.", *c) == NULL)
            *id = '\0';
    return id;
}

static const xmlNode *find_child(const xmlNode *parent, const char *element, const char *attribute,
                                 const char *value)
{
    for (const xmlNode *child = parent == NULL ? NULL : parent->children; child != NULL;
         child = child->next)
        if (child->type == XML_ELEMENT_NODE && strcmp((const char *)child->name, element) == 0 &&
            (attribute == NULL || ra_text_equal(crm_element_value(child, attribute), value)))
            return child;
    return NULL;
}

static bool is_in_line(const xmlNode *pair, const struct ra_cluster_attribute *attribute)
{
    const char *text = pair == NULL ? NULL : crm_element_value(pair, XML_NVPAIR_ATTR_VALUE);
    int64_t value;

    if (!attribute->wanted)
        return pair == NULL;
    return text != NULL && ra_number_parse_integer(text, &value) == 0 && value == attribute->value;
}

/* Remove an attribute from the configuration: named by the id that it has there. */
static int remove_pair(cib_t *cib, const char *resource, const xmlNode *pair, struct ra_error *err)
{
    auto_tree xmlNode *tree = create_xml_node(NULL, XML_CIB_TAG_NVPAIR);
    int rc;
    RA_LOG_CALL("removing utilization attribute %s of %s",
                crm_element_value(pair, XML_NVPAIR_ATTR_NAME), resource);

    (void)crm_xml_add(tree, XML_ATTR_ID, crm_element_value(pair, XML_ATTR_ID));
    rc = cib->cmds->remove(cib, XML_CIB_TAG_RESOURCES, tree, cib_sync_call);
    return rc == pcmk_ok || rc == -ENXIO ? 0 : fail(err, rc, "change", resource);
}

/* Put a pair into the change; an attribute that exists keeps the ids that it has. */
static void add_pair(xmlNode *change_set, const xmlNode *pair,
                     const struct ra_cluster_attribute *attribute)
{
    xmlNode *added = create_xml_node(change_set, XML_CIB_TAG_NVPAIR);
    ra_auto_free char *new_id =
        ra_text_format("%s-%s", crm_element_value(change_set, XML_ATTR_ID), attribute->name);
    ra_auto_free char *value = ra_text_format("%lld", (long long)attribute->value);

    (void)crm_xml_add(added, XML_ATTR_ID,
                      pair != NULL ? crm_element_value(pair, XML_ATTR_ID) : new_id);
    (void)crm_xml_add(added, XML_NVPAIR_ATTR_NAME, attribute->name);
    (void)crm_xml_add(added, XML_NVPAIR_ATTR_VALUE, value);
}

static int change(cib_t *cib, const char *resource, const xmlNode *primitive,
                  const struct ra_cluster_attribute *attributes, size_t count, struct ra_error *err)
{
    const xmlNode *set = find_child(primitive, XML_TAG_UTILIZATION, NULL, NULL);
    ra_auto_free char *set_id = ra_text_format("%s-utilization", resource);
    auto_tree xmlNode *tree = create_xml_node(NULL, XML_CIB_TAG_RESOURCE);
    xmlNode *change_set = create_xml_node(tree, XML_TAG_UTILIZATION);
    bool changed = false;
    int rc = pcmk_ok;

    (void)crm_xml_add(tree, XML_ATTR_ID, resource);
    (void)crm_xml_add(change_set, XML_ATTR_ID,
                      set != NULL ? crm_element_value(set, XML_ATTR_ID) : set_id);
    for (size_t i = 0; i < count; i++) {
        const xmlNode *pair =
            find_child(set, XML_CIB_TAG_NVPAIR, XML_NVPAIR_ATTR_NAME, attributes[i].name);

        if (is_in_line(pair, &attributes[i]))
            continue;
        if (!attributes[i].wanted && remove_pair(cib, resource, pair, err) != 0)
            return -1;
        if (attributes[i].wanted) {
            add_pair(change_set, pair, &attributes[i]);
            changed = true;
        }
    }
    if (changed) {
        RA_LOG_CALL("changing the utilization of %s", resource);
        rc = cib->cmds->modify(cib, XML_CIB_TAG_RESOURCES, tree, cib_sync_call);
    }
    return rc == pcmk_ok ? 0 : fail(err, rc, "change", resource);
}

static int set(const char *resource, const struct ra_cluster_attribute *attributes, size_t count,
               int timeout_s, struct ra_error *err)
{
    ra_auto_free char *path = ra_text_format("//" XML_CIB_TAG_RESOURCE "[@id='%s']", resource);
    auto_cib cib_t *cib = cib_new();
    auto_tree xmlNode *primitive = NULL;
    int rc;

    if (cib == NULL)
        return ra_error_set_errno(err, ENOMEM, "cannot reach the cluster's configuration");
    {
        RA_LOG_CALL("connecting to the CIB manager");
        rc = cib->cmds->signon(cib, CLIENT, cib_command);
    }
    if (rc != pcmk_ok)
        return fail(err, rc, "reach", resource);
    cib->call_timeout = timeout_s;
    {
        RA_LOG_CALL("reading the utilization of %s", resource);
        rc = cib->cmds->query(cib, path, &primitive, cib_xpath | cib_sync_call);
    }
    if (rc != pcmk_ok)
        return fail(err, rc, "read", resource);
    return change(cib, resource, primitive, attributes, count, err);
}

/*
 * libcib's signon waits without limit for a CIB manager that accepts and says nothing, so the work
 * is done in a thread that can be left behind. It owns this; whoever comes last frees it.
 */
struct job {
    char *resource;
    struct ra_cluster_attribute *attributes;
    size_t count;
    int timeout_s;
    int rc;
    struct ra_error err;
    int ended_fd; /* an eventfd */
    atomic_int owners;
};

static void disown(struct job *job)
{
    if (atomic_fetch_sub(&job->owners, 1) != 1)
        return;
    free(job->resource);
    free(job->attributes);
    ra_cleanup_close(&job->ended_fd);
    free(job);
}

static void *work(void *argument)
{
    struct job *job = argument;
    const uint64_t one = 1;

    job->rc = set(job->resource, job->attributes, job->count, job->timeout_s, &job->err);
    while (write(job->ended_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        continue;
    disown(job);
    return NULL;
}

static int run(struct job *job, struct ra_deadline deadline, struct ra_error *err)
{
    struct pollfd ended = { .fd = job->ended_fd, .events = POLLIN };
    pthread_t thread;
    int rc;

    atomic_store(&job->owners, 2);
    rc = pthread_create(&thread, NULL, work, job);
    if (rc != 0) {
        atomic_store(&job->owners, 1);
        return ra_error_set_errno(err, rc, "cannot start a thread");
    }
    (void)pthread_detach(thread);
    while ((rc = poll(&ended, 1, ra_deadline_remaining_int_ms(deadline))) < 0 && errno == EINTR)
        continue;
    if (rc != 1)
        return ra_error_set(err, RA_ERROR_TIMEOUT,
                            "timed out while changing the utilization of %s: the CIB manager does "
                            "not answer",
                            job->resource);
    if (job->rc != 0 && err != NULL)
        *err = job->err;
    return job->rc;
}

int ra_cluster_utilization_set(const char *resource, const struct ra_cluster_attribute *attributes,
                               size_t count, struct ra_deadline deadline, struct ra_error *err)
{
    struct job *job = calloc(1, sizeof(*job));
    int rc = -1;

    if (job == NULL)
        abort();
    job->resource = primitive_id(resource);
    job->attributes = calloc(count + 1, sizeof(*attributes));
    if (job->attributes == NULL)
        abort();
    memcpy(job->attributes, attributes, count * sizeof(*attributes));
    job->count = count;
    job->timeout_s = ra_deadline_remaining_int_ms(deadline) / 1000 + 1;
    job->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_init(&job->owners, 1);
    if (*job->resource == '\0')
        (void)ra_error_set(err, RA_ERROR_CONFIG, "'%.60s' is not the id of a resource", resource);
    else if (job->ended_fd < 0)
        (void)ra_error_set_errno(err, errno, "cannot create an eventfd");
    else
        rc = run(job, deadline, err);
    disown(job);
    return rc;
}
