/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest.h"

#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/number.h"
#include "base/text.h"
#include "runtime/backend.h"

#define STATE_PREFIX     "VirtualDomain-"
#define STATE_BY_HAND    "VirtualDomain" /* without a resource: no resource's id gives this name */
#define CONNECT_AGAIN_MS 250
#define MARK_MS          2000

static char *state_name(const struct guest *guest)
{
    const char *instance = guest->context->instance;

    if (ra_text_is_empty(instance))
        return ra_text_copy(STATE_BY_HAND);
    return ra_text_format(STATE_PREFIX "%s", instance);
}

/* The value of `key` in lines of key=value; new memory or NULL. */
static char *state_value(char *const lines[], const char *key)
{
    size_t length = strlen(key);

    for (; *lines != NULL; lines++) {
        if (strncmp(*lines, key, length) == 0 && (*lines)[length] == '=')
            return ra_text_copy(*lines + length + 1);
    }
    return NULL;
}

/*
 * Version 0.1 kept the utilization attributes of resource X where the state of a resource
 * utilization-X belongs: a first line with a number, which no state has.
 */
static bool is_old_cache(const char *text)
{
    ra_auto_free char *line = ra_text_format("%.*s", (int)strcspn(text, "\n"), text);
    int64_t number;

    return ra_number_parse_integer(line, &number) == 0;
}

/* No state file is no error. A damaged one is: it stands for a guest that may be running. */
static int read_state(struct guest *guest, struct ra_error *err)
{
    ra_auto_free char *file = state_name(guest);
    ra_auto_free char *text = NULL;
    ra_auto_free char *phase = NULL;
    ra_auto_free char *marked = NULL;
    ra_auto_text_list char **lines = NULL;
    struct ra_error why;

    if (ra_file_state_read(file, &text, &why) != 0) {
        if (why.kind == RA_ERROR_NOT_FOUND)
            return 0;
        return ra_error_set(err, why.kind, "%s", why.text);
    }
    if (is_old_cache(text))
        return 0;
    lines = ra_text_split(text, "\n");
    guest->name = state_value(lines, "name");
    guest->uuid = state_value(lines, "uuid");
    guest->uri = state_value(lines, "uri");
    phase = state_value(lines, "phase");
    marked = state_value(lines, "marked"); /* a state of version 0.1 has none */
    if (guest->name == NULL || guest->uuid == NULL || guest->uri == NULL || phase == NULL)
        return ra_error_set(err, RA_ERROR_PROTOCOL, "the state file %s is damaged", file);
    guest->remembered = true;
    guest->started = ra_text_equal(phase, "started");
    guest->marked = marked != NULL;
    return 0;
}

int guest_init(struct guest *guest, const struct ra_context *context, struct ra_error *err)
{
    guest->context = context;
    guest->config = context->config;
    guest->virt = ra_backend_load("virt", err);
    return guest->virt == NULL ? -1 : read_state(guest, err);
}

void guest_release(struct guest *guest)
{
    if (guest->virt != NULL) {
        guest->virt->domain_free(guest->domain);
        guest->virt->connection_close(guest->connection);
        guest->virt->xml_free(guest->xml);
    }
    free(guest->name);
    free(guest->uuid);
    free(guest->uri);
}

int guest_read_config(struct guest *guest, struct ra_deadline deadline, struct ra_error *err)
{
    if (!guest->xml_tried) {
        guest->xml_tried = true;
        if (ra_text_is_empty(guest->config->config))
            (void)ra_error_set(&guest->xml_error, RA_ERROR_CONFIG,
                               "the parameter config is required");
        else
            (void)guest->virt->xml_read(guest->config->config, deadline, &guest->xml,
                                        &guest->xml_error);
    }
    if (guest->xml == NULL && err != NULL)
        *err = guest->xml_error;
    return guest->xml == NULL ? -1 : 0;
}

const char *guest_name(const struct guest *guest)
{
    if (guest->domain != NULL)
        return guest->virt->domain_facts(guest->domain)->name;
    if (guest->remembered)
        return guest->name;
    if (guest->xml != NULL)
        return guest->xml->name;
    return guest->context->instance;
}

const char *guest_uri(const struct guest *guest)
{
    /* Where it was started counts, whatever the parameter says now. */
    if (guest->remembered)
        return guest->uri;
    return ra_text_is_empty(guest->config->hypervisor) ? NULL : guest->config->hypervisor;
}

int guest_connect(struct guest *guest, struct ra_deadline patience, struct ra_deadline deadline,
                  struct ra_error *err)
{
    struct ra_error why;

    if (guest->connection != NULL)
        return 0;
    while (guest->virt->connection_open(guest_uri(guest), deadline, &guest->connection, &why) !=
           0) {
        if (why.kind == RA_ERROR_UNREACHABLE && ra_deadline_sleep_ms(patience, CONNECT_AGAIN_MS))
            continue;
        *err = why;
        return -1;
    }
    return 0;
}

static void take(char **field, const char *text)
{
    if (ra_text_equal(*field, text))
        return;
    free(*field);
    *field = ra_text_copy(text);
}

static int remember(struct guest *guest, const char *name, const char *uuid, bool started,
                    bool marked, struct ra_error *err)
{
    ra_auto_free char *file = state_name(guest);
    const char *uri = guest->connection == NULL ? guest_uri(guest)
                                                : guest->virt->connection_uri(guest->connection);
    ra_auto_free char *text = NULL;

    if (guest->remembered && guest->started == started && guest->marked == marked &&
        ra_text_equal(guest->name, name) && ra_text_equal(guest->uuid, uuid) &&
        ra_text_equal(guest->uri, uri))
        return 0;
    text = ra_text_format("name=%s\nuuid=%s\nuri=%s\nphase=%s\n%s", name, uuid, uri,
                          started ? "started" : "starting", marked ? "marked=1\n" : "");
    if (ra_file_state_write(file, text, err) != 0)
        return -1;
    ra_log_note("remembering domain %s, %s, at %s", name, uuid, uri);
    take(&guest->name, name);
    take(&guest->uuid, uuid);
    take(&guest->uri, uri);
    guest->remembered = true;
    guest->started = started;
    guest->marked = marked;
    return 0;
}

int guest_remember_start(struct guest *guest, struct ra_error *err)
{
    return remember(guest, guest->xml->name, guest->xml->uuid, false, true, err);
}

/* Mark guest->domain, which is the guest: a mark of another resource, renamed maybe, gives way. */
static int mark(struct guest *guest, struct ra_deadline deadline, struct ra_error *err)
{
    const struct ra_virt_backend *virt = guest->virt;
    const char *instance = guest->context->instance;
    ra_auto_free char *marked = NULL;

    if (virt->mark_read(guest->domain, deadline, &marked, err) != 0)
        return -1;
    if (ra_text_equal(marked, instance))
        return 0;
    if (marked != NULL)
        ra_log_warning("domain %s was marked as the guest of resource %s and is that of %s now: "
                       "two resources must not have one guest",
                       guest_name(guest), marked, instance);
    return virt->mark_set(guest->domain, instance, deadline, err);
}

int guest_adopt(struct guest *guest, struct ra_deadline deadline, struct ra_error *err)
{
    const struct ra_virt_domain_facts *facts = guest->virt->domain_facts(guest->domain);
    bool marked = guest->marked && ra_text_equal(guest->uuid, facts->uuid);
    struct ra_error why;

    if (!marked) {
        marked =
            mark(guest, ra_deadline_earlier(deadline, ra_deadline_after_ms(MARK_MS)), &why) == 0;
        if (!marked)
            ra_log_warning("%s", why.text);
        /* A driver that knows no marks is not asked at every monitor. */
        marked = marked || why.kind == RA_ERROR_PROTOCOL;
    }
    return remember(guest, facts->name, facts->uuid, true, marked, err);
}

void guest_forget(const struct guest *guest)
{
    ra_auto_free char *file = state_name(guest);
    struct ra_error err;

    if (ra_file_state_remove(file, &err) != 0)
        ra_log_warning("%s", err.text);
}

struct ra_result guest_config_failure(const struct ra_error *error)
{
    bool unreadable = error->kind != RA_ERROR_CONFIG && error->kind != RA_ERROR_PROTOCOL;

    /* The storage is ill, not the node without the file. */
    if (error->kind == RA_ERROR_TIMEOUT || error->kind == RA_ERROR_UNREACHABLE)
        return ra_result_failure(RA_ERR_GENERIC, "%s", error->text);
    return ra_result_failure(unreadable ? RA_ERR_INSTALLED : RA_ERR_ARGS, "parameter config: %s",
                             error->text);
}
