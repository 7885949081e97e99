/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "virtualdomain.h"

#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "runtime/backend.h"

#define STATE_PREFIX     "VirtualDomain-"
#define CONNECT_AGAIN_MS 250
#define CONFIG_MOST_MS   5000
#define XEN_HOST         "/proc/xen/capabilities"

static char *state_name(const struct guest *guest)
{
    const char *instance = guest->context->instance;

    return ra_text_format(STATE_PREFIX "%s", ra_text_is_empty(instance) ? "default" : instance);
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

/* No state file is no error. A damaged one is: it stands for a guest that may be running. */
static int read_state(struct guest *guest, struct ra_error *err)
{
    ra_auto_free char *file = state_name(guest);
    ra_auto_free char *text = NULL;
    ra_auto_free char *phase = NULL;
    ra_auto_text_list char **lines = NULL;
    struct ra_error why;

    if (ra_file_state_read(file, &text, &why) != 0) {
        if (why.kind == RA_ERROR_NOT_FOUND)
            return 0;
        return ra_error_set(err, why.kind, "%s", why.text);
    }
    lines = ra_text_split(text, "\n");
    guest->name = state_value(lines, "name");
    guest->uuid = state_value(lines, "uuid");
    guest->uri = state_value(lines, "uri");
    phase = state_value(lines, "phase");
    if (guest->name == NULL || guest->uuid == NULL || guest->uri == NULL || phase == NULL)
        return ra_error_set(err, RA_ERROR_PROTOCOL, "the state file %s is damaged", file);
    guest->remembered = true;
    guest->started = ra_text_equal(phase, "started");
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

/*
 * The names to ask for where only names can be asked for, at most two. From the configuration or
 * the state file, or else the guesses that struct guest's comment explains.
 */
struct names {
    char *list[3];
};

static void free_names(struct names *names)
{
    free(names->list[0]);
    free(names->list[1]);
}

static struct names list_names(const struct guest *guest)
{
    struct names names = { { NULL } };
    const char *file = guest->config->config;
    size_t length;

    if (guest->domain != NULL) {
        names.list[0] = ra_text_copy(guest_name(guest));
        return names;
    }
    if (guest->remembered || guest->xml != NULL) {
        names.list[0] = ra_text_copy(guest->remembered ? guest->name : guest->xml->name);
        if (guest->remembered && guest->xml != NULL &&
            !ra_text_equal(guest->xml->name, guest->name))
            names.list[1] = ra_text_copy(guest->xml->name);
        return names;
    }
    names.list[0] = ra_text_copy(guest->context->instance);
    if (ra_text_is_empty(file))
        return names;
    file = strrchr(file, '/') == NULL ? file : strrchr(file, '/') + 1;
    length = strlen(file);
    if (length > 4 && strcmp(file + length - 4, ".xml") == 0)
        length -= 4;
    names.list[1] = ra_text_format("%.*s", (int)length, file);
    return names;
}

/* True if a domain that only has the guest's name is the guest all the same. */
static int is_ours(struct guest *guest, struct ra_virt_domain *domain, struct ra_deadline deadline,
                   bool *ret_ours, struct ra_error *err)
{
    ra_auto_free char *text = NULL;
    struct ra_virt_xml *live = NULL;

    /* A configuration without a UUID gets another at each start. */
    if (guest->xml == NULL || guest->xml->uuid == NULL ||
        ra_text_equal(guest->xml->uuid, guest->virt->domain_facts(domain)->uuid)) {
        *ret_ours = true;
        return 0;
    }
    if (guest->virt->domain_xml(domain, deadline, &text, err) != 0 ||
        guest->virt->xml_parse(text, "the running domain's XML", &live, err) != 0)
        return -1;
    *ret_ours = guest->virt->xml_shares_disk(guest->xml, live);
    guest->virt->xml_free(live);
    return 0;
}

static int find_by_name(struct guest *guest, const char *name, struct ra_deadline deadline,
                        struct ra_error *err)
{
    struct ra_virt_domain *domain = NULL;
    bool ours = false;

    if (guest->virt->domain_find(guest->connection, NULL, name, deadline, &domain, err) != 0)
        return -1;
    if (is_ours(guest, domain, deadline, &ours, err) != 0) {
        guest->virt->domain_free(domain);
        return -1;
    }
    if (!ours) {
        (void)ra_error_set(err, RA_ERROR_NOT_FOUND,
                           "the domain named %s has the UUID %s and other disks: it is not the "
                           "guest of this resource, whose UUID is %s",
                           name, guest->virt->domain_facts(domain)->uuid, guest->xml->uuid);
        guest->virt->domain_free(domain);
        return -1;
    }
    guest->domain = domain;
    return 0;
}

int guest_find(struct guest *guest, struct ra_deadline deadline, struct ra_error *err)
{
    RA_CLEANUP(free_names) struct names names = { { NULL } };
    const struct ra_virt_backend *virt = guest->virt;
    struct ra_error why;

    virt->domain_free(ra_steal_ptr(&guest->domain));
    if (guest->remembered) {
        if (virt->domain_find(guest->connection, guest->uuid, NULL, deadline, &guest->domain,
                              err) == 0)
            return 0;
        if (err->kind != RA_ERROR_NOT_FOUND)
            return -1;
    }
    /* A configuration on storage that hangs must not use up the time. */
    (void)guest_read_config(
        guest, ra_deadline_earlier(deadline, ra_deadline_after_ms(CONFIG_MOST_MS)), NULL);
    if (guest->xml != NULL && guest->xml->uuid != NULL) {
        if (virt->domain_find(guest->connection, guest->xml->uuid, NULL, deadline, &guest->domain,
                              err) == 0)
            return 0;
        if (err->kind != RA_ERROR_NOT_FOUND)
            return -1;
    }
    names = list_names(guest);
    for (char **name = names.list; *name != NULL; name++) {
        if (find_by_name(guest, *name, deadline, &why) == 0)
            return 0;
        *err = why;
        if (why.kind != RA_ERROR_NOT_FOUND)
            return -1;
    }
    return -1;
}

int guest_settle(struct guest *guest, struct ra_deadline deadline, struct ra_error *err)
{
    struct ra_backoff backoff = { .next_ms = 20, .most_ms = 250 };

    while (guest->virt->domain_facts(guest->domain)->condition == RA_VIRT_CHANGING) {
        if (!ra_backoff_sleep(&backoff, deadline))
            return ra_error_set(err, RA_ERROR_TIMEOUT, "guest %s is still %s", guest_name(guest),
                                guest->virt->domain_facts(guest->domain)->text);
        if (guest->virt->domain_refresh(guest->domain, deadline, err) != 0)
            return -1;
    }
    return 0;
}

/* True if guests here are QEMU processes; without a URI, libvirt's default is QEMU but on Xen. */
static bool has_processes(const struct guest *guest)
{
    const char *uri = guest_uri(guest);

    if (uri == NULL)
        return access(XEN_HOST, F_OK) != 0;
    return guest->virt->emulator_covers(uri);
}

int guest_find_process(struct guest *guest, const struct ra_error *cause,
                       struct ra_virt_emulator *ret_emulator, struct ra_error *err)
{
    RA_CLEANUP(free_names) struct names names = { { NULL } };

    if (!has_processes(guest))
        return ra_error_set(err, cause->kind, "%s", cause->text);
    if (!guest->remembered)
        (void)guest_read_config(guest, ra_deadline_after_ms(CONFIG_MOST_MS), NULL);
    names = list_names(guest);
    for (char **name = names.list; *name != NULL; name++) {
        if (guest->virt->emulator_find(*name, ret_emulator, err) == 0)
            return 0;
        if (err->kind != RA_ERROR_NOT_FOUND)
            return -1;
    }
    /* A daemon that hangs may yet carry out a start that was given up; one that is dead may not. */
    if (cause->kind != RA_ERROR_UNREACHABLE && guest->remembered && !guest->started)
        return ra_error_set(err, RA_ERROR_TIMEOUT,
                            "%s; no QEMU process of guest %s exists, but libvirt may be about to "
                            "start one",
                            cause->text, names.list[0]);
    return ra_error_set(err, RA_ERROR_NOT_FOUND, "%s; no QEMU process of guest %s exists",
                        cause->text, names.list[0]);
}

int guest_remember(struct guest *guest, const char *name, const char *uuid, bool started,
                   struct ra_error *err)
{
    ra_auto_free char *file = state_name(guest);
    const char *uri = guest->connection == NULL ? guest_uri(guest)
                                                : guest->virt->connection_uri(guest->connection);
    ra_auto_free char *text = NULL;

    if (guest->remembered && guest->started == started && ra_text_equal(guest->name, name) &&
        ra_text_equal(guest->uuid, uuid) && ra_text_equal(guest->uri, uri))
        return 0;
    text = ra_text_format("name=%s\nuuid=%s\nuri=%s\nphase=%s\n", name, uuid, uri,
                          started ? "started" : "starting");
    if (ra_file_state_write(file, text, err) != 0)
        return -1;
    ra_log_note("remembering domain %s, %s, at %s", name, uuid, uri);
    return 0;
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

    if (error->kind == RA_ERROR_TIMEOUT)
        return ra_result_failure(RA_ERR_GENERIC, "%s", error->text);
    return ra_result_failure(unreadable ? RA_ERR_INSTALLED : RA_ERR_ARGS, "parameter config: %s",
                             error->text);
}
