/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "virt/connection.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "virt/call.h"
#include "virt/connection_private.h"
#include "virt/error.h"

#define GOODBYE_MS 1000

/* libvirt prints errors to standard error unless it is given a function that does not. */
static void say_nothing(void *data, virErrorPtr error)
{
    (void)data;
    (void)error;
}

/* libvirt calls this for what neither its files nor the URI answer; there is nobody to ask. */
static int no_credentials(virConnectCredentialPtr credentials, unsigned int count, void *data)
{
    (void)credentials;
    (void)count;
    (void)data;
    return -1;
}

struct open_call {
    struct ra_virt_call call;
    char *uri;
    virConnectPtr handle;
    char *full_uri;
};

static int run_open(struct ra_virt_call *call, struct ra_error *err)
{
    struct open_call *self = (struct open_call *)call;
    int types[] = { VIR_CRED_USERNAME, VIR_CRED_AUTHNAME, VIR_CRED_PASSPHRASE };
    virConnectAuth auth = { .credtype = types,
                            .ncredtype = sizeof(types) / sizeof(types[0]),
                            .cb = no_credentials };
    const char *shown = self->uri == NULL ? "libvirt" : self->uri;

    virSetErrorFunc(NULL, say_nothing);
    if (virInitialize() != 0)
        return ra_virt_error_take(err, "cannot initialise libvirt");
    self->handle = virConnectOpenAuth(self->uri, &auth, 0);
    if (self->handle == NULL)
        return ra_virt_error_take(err, "cannot connect to %s", shown);
    self->full_uri = virConnectGetURI(self->handle);
    if (self->full_uri == NULL)
        return ra_virt_error_take(err, "cannot connect to %s", shown);
    return 0;
}

static void release_open(struct ra_virt_call *call)
{
    struct open_call *self = (struct open_call *)call;

    if (self->handle != NULL)
        (void)virConnectClose(self->handle);
    free(self->full_uri);
    free(self->uri);
}

int ra_virt_connection_open(const char *uri, struct ra_deadline deadline,
                            struct ra_virt_connection **ret_connection, struct ra_error *err)
{
    ra_auto_virt_call struct open_call *self =
        ra_virt_call_new(sizeof(*self), run_open, release_open);
    struct ra_virt_connection *connection;

    self->uri = ra_text_is_empty(uri) ? NULL : ra_text_copy(uri);
    if (ra_virt_call_run(&self->call, deadline, err, "connecting to %s",
                         ra_text_is_empty(uri) ? "libvirt" : uri) != 0)
        return -1;
    connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        abort();
    connection->handle = ra_steal_ptr(&self->handle);
    connection->uri = ra_steal_ptr(&self->full_uri);
    *ret_connection = connection;
    return 0;
}

struct close_call {
    struct ra_virt_call call;
    virConnectPtr handle;
};

static int run_close(struct ra_virt_call *call, struct ra_error *err)
{
    (void)err;
    (void)virConnectClose(((struct close_call *)call)->handle);
    return 0;
}

static void release_close(struct ra_virt_call *call)
{
    (void)call;
}

void ra_virt_connection_close(struct ra_virt_connection *connection)
{
    ra_auto_virt_call struct close_call *self = NULL;

    if (connection == NULL)
        return;
    self = ra_virt_call_new(sizeof(*self), run_close, release_close);
    self->handle = connection->handle;
    (void)ra_virt_call_run(&self->call, ra_deadline_after_ms(GOODBYE_MS), NULL,
                           "disconnecting from %s", connection->uri);
    free(connection->uri);
    free(connection);
}

const char *ra_virt_connection_uri(const struct ra_virt_connection *connection)
{
    return connection->uri;
}
