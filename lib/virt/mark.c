/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "virt/mark.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "virt/call.h"
#include "virt/connection_private.h"
#include "virt/error.h"
#include "virt/xml.h"

/* Where the QEMU driver keeps its status files: a local file system that a reboot empties. */
#define STATUS_DIRECTORY  "/run/libvirt/qemu"
#define STATUS_MOST_BYTES (4 * 1024 * 1024)

struct mark_call {
    struct ra_virt_call call;
    virConnectPtr connection;
    virDomainPtr handle;
    char *name; /* of the domain */
    char *resource;
    char uuid[RA_VIRT_UUID_BYTES];
};

static void release(struct ra_virt_call *call)
{
    struct mark_call *self = (struct mark_call *)call;

    if (self->handle != NULL)
        (void)virDomainFree(self->handle);
    if (self->connection != NULL)
        (void)virConnectClose(self->connection);
    free(self->name);
    free(self->resource);
}

static struct mark_call *new_call(int (*run)(struct ra_virt_call *, struct ra_error *),
                                  virConnectPtr connection, virDomainPtr handle,
                                  const char *resource)
{
    struct mark_call *self = ra_virt_call_new(sizeof(*self), run, release);

    if (connection != NULL && virConnectRef(connection) == 0)
        self->connection = connection;
    if (handle != NULL && virDomainRef(handle) == 0) {
        self->handle = handle;
        self->name = ra_text_copy(virDomainGetName(handle));
    }
    self->resource = ra_text_copy(resource);
    return self;
}

/* True if the last error says that there is no mark, or cannot be one. */
static bool is_unmarked(void)
{
    int code = virGetLastErrorCode();

    return code == VIR_ERR_NO_DOMAIN_METADATA || code == VIR_ERR_NO_SUPPORT ||
           code == VIR_ERR_OPERATION_UNSUPPORTED;
}

/* The resource in the domain's mark, NULL if it bears none. In the call's thread. */
static int read_mark(virDomainPtr handle, char **ret_resource, struct ra_error *err)
{
    char *element = virDomainGetMetadata(handle, VIR_DOMAIN_METADATA_ELEMENT, RA_VIRT_MARK_URI, 0);

    char uuid[RA_VIRT_UUID_BYTES];

    *ret_resource = NULL;
    if (element == NULL) {
        if (!is_unmarked()) {
            const char *name = virDomainGetName(handle);

            return ra_virt_error_take_lookup(err, "cannot read the metadata of a domain (%s)",
                                             name == NULL ? "?" : name);
        }
        virResetLastError();
        return 0;
    }
    if (virDomainGetUUIDString(handle, uuid) == 0)
        *ret_resource = ra_virt_xml_read_mark(element, uuid);
    free(element);
    return 0;
}

static int run_read(struct ra_virt_call *call, struct ra_error *err)
{
    struct mark_call *self = (struct mark_call *)call;

    return read_mark(self->handle, &self->resource, err);
}

int ra_virt_mark_read(const struct ra_virt_domain *domain, struct ra_deadline deadline,
                      char **ret_resource, struct ra_error *err)
{
    ra_auto_virt_call struct mark_call *self = new_call(run_read, NULL, domain->handle, NULL);

    if (ra_virt_call_run(&self->call, deadline, err, "reading the mark of domain %s",
                         domain->facts.name) != 0)
        return -1;
    *ret_resource = ra_steal_ptr(&self->resource);
    return 0;
}

static int run_set(struct ra_virt_call *call, struct ra_error *err)
{
    struct mark_call *self = (struct mark_call *)call;
    ra_auto_free char *element = ra_virt_xml_make_mark(self->resource, self->uuid);

    if (virDomainSetMetadata(self->handle, VIR_DOMAIN_METADATA_ELEMENT, element,
                             RA_VIRT_MARK_PREFIX, RA_VIRT_MARK_URI, VIR_DOMAIN_AFFECT_LIVE) != 0)
        return ra_virt_error_take_lookup(err, "cannot mark domain %s", self->name);
    return 0;
}

int ra_virt_mark_set(const struct ra_virt_domain *domain, const char *resource,
                     struct ra_deadline deadline, struct ra_error *err)
{
    ra_auto_virt_call struct mark_call *self = new_call(run_set, NULL, domain->handle, resource);

    memcpy(self->uuid, domain->facts.uuid, sizeof(self->uuid));
    return ra_virt_call_run(&self->call, deadline, err, "marking domain %s", domain->facts.name);
}

/*
 * Is it the resource's? A domain that ends while it is being asked bears no mark. One that cannot
 * be asked (*err) is no reason not to find the right one.
 */
static void compare(struct mark_call *self, virDomainPtr handle, struct ra_error *err)
{
    ra_auto_free char *marked = NULL;
    struct ra_error why;

    if (read_mark(handle, &marked, &why) != 0) {
        if (why.kind != RA_ERROR_NOT_FOUND)
            *err = why;
    } else if (ra_text_equal(marked, self->resource)) {
        (void)virDomainGetUUIDString(handle, self->uuid);
    }
}

static int run_find(struct ra_virt_call *call, struct ra_error *err)
{
    struct mark_call *self = (struct mark_call *)call;
    virDomainPtr *domains = NULL;
    int count =
        virConnectListAllDomains(self->connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    struct ra_error why = { .kind = 0 };

    if (count < 0)
        return ra_virt_error_take(err, "cannot list the active domains");
    for (int i = 0; i < count; i++) {
        if (self->uuid[0] == '\0')
            compare(self, domains[i], &why);
        (void)virDomainFree(domains[i]);
    }
    free(domains);
    if (self->uuid[0] != '\0')
        return 0;
    if (why.kind == 0)
        return ra_error_set(err, RA_ERROR_NOT_FOUND,
                            "no active domain is marked as the guest of resource %s",
                            self->resource);
    *err = why;
    return -1;
}

int ra_virt_mark_find(struct ra_virt_connection *connection, const char *resource,
                      struct ra_deadline deadline, char ret_uuid[RA_VIRT_UUID_BYTES],
                      struct ra_error *err)
{
    ra_auto_virt_call struct mark_call *self =
        new_call(run_find, connection->handle, NULL, resource);

    if (ra_virt_call_run(&self->call, deadline, err, "looking for the domain of resource %s",
                         resource) != 0)
        return -1;
    memcpy(ret_uuid, self->uuid, sizeof(self->uuid));
    return 0;
}

/* One status file: 1 it tells of the mark, 0 it does not or has just gone, -1 with *err. */
static int look_into(const char *file, const char *resource, char **ret_name, char **ret_uuid,
                     struct ra_error *err)
{
    ra_auto_free char *path = ra_text_format(STATUS_DIRECTORY "/%s", file);
    ra_auto_free char *text = NULL;
    bool marked;

    if (ra_file_read(path, STATUS_MOST_BYTES, &text, err) != 0)
        return access(path, F_OK) != 0 && errno == ENOENT ? 0 : -1;
    if (ra_virt_xml_read_status(text, path, resource, &marked, ret_name, ret_uuid, err) != 0)
        return -1;
    return marked ? 1 : 0;
}

int ra_virt_mark_find_status(const char *resource, char **ret_name, char **ret_uuid,
                             struct ra_error *err)
{
    ra_auto_closedir DIR *directory = opendir(STATUS_DIRECTORY);
    struct ra_error why = { .kind = 0 };
    struct dirent *entry;

    if (directory == NULL && errno != ENOENT)
        return ra_error_set_errno(err, errno, "cannot read " STATUS_DIRECTORY);
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        size_t length = strlen(entry->d_name);

        if (length <= 4 || strcmp(entry->d_name + length - 4, ".xml") != 0)
            continue;
        if (look_into(entry->d_name, resource, ret_name, ret_uuid, &why) == 1)
            return 0;
    }
    if (why.kind == 0)
        return ra_error_set(err, RA_ERROR_NOT_FOUND,
                            "no domain that libvirt has noted is marked as the guest of resource "
                            "%s",
                            resource);
    return ra_error_set(err, RA_ERROR_SYSTEM, "%s", why.text);
}
