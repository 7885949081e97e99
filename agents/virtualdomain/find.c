/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which domain, or which QEMU process, is the guest. What is known for certain comes first: the
 * UUID in the state file or the configuration, then the mark that the domain bears. A name counts
 * together with what the configuration says, and a guessed one never identifies anybody.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "find.h"
#include "guest.h"

#define CONFIG_MOST_MS 5000
#define MARK_MOST_MS   3000
#define XEN_HOST       "/proc/xen/capabilities"

/*
 * The names to ask for where only names can be asked for, at most two: from the configuration or
 * the state file, or else the guesses that struct guest's comment explains.
 */
struct names {
    char *list[3];
    char *uuids[3]; /* what belongs to the name, NULL if that is not known */
    bool guessed;
};

static void free_names(struct names *names)
{
    for (size_t i = 0; names->list[i] != NULL; i++) {
        free(names->list[i]);
        free(names->uuids[i]);
    }
}

static struct names list_names(const struct guest *guest)
{
    struct names names = { .guessed = false };
    const char *file = guest->config->config;
    size_t count = 0;
    size_t length;

    if (guest->domain != NULL) {
        names.list[0] = ra_text_copy(guest_name(guest));
        names.uuids[0] = ra_text_copy(guest->virt->domain_facts(guest->domain)->uuid);
        return names;
    }
    if (guest->remembered) {
        names.list[count] = ra_text_copy(guest->name);
        names.uuids[count++] = ra_text_copy(guest->uuid);
    }
    if (guest->xml != NULL && !(count > 0 && ra_text_equal(guest->xml->name, guest->name))) {
        names.list[count] = ra_text_copy(guest->xml->name);
        names.uuids[count++] = ra_text_copy(guest->xml->uuid);
    }
    if (count > 0)
        return names;
    names.guessed = true;
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

static int cannot_tell(const struct guest *guest, const char *what, const char *name,
                       struct ra_error *err)
{
    return ra_error_set(err, RA_ERROR_BUSY,
                        "%s called %s is here, and whether it is the guest of this resource cannot "
                        "be told without the configuration: %s",
                        what, name, guest->xml_error.text);
}

static bool has_disks(const struct guest *guest)
{
    return guest->virt->xml_shares_disk(guest->xml, guest->xml);
}

/* Does the domain write to a disk of the configuration's? 1, 0, or -1 with *err. */
static int shares_disk(struct guest *guest, struct ra_virt_domain *domain,
                       struct ra_deadline deadline, struct ra_error *err)
{
    ra_auto_free char *text = NULL;
    struct ra_virt_xml *live = NULL;
    int shares;

    if (guest->virt->domain_xml(domain, deadline, &text, err) != 0 ||
        guest->virt->xml_parse(text, "the domain's XML", &live, err) != 0)
        return -1;
    shares = guest->virt->xml_shares_disk(guest->xml, live) ? 1 : 0;
    guest->virt->xml_free(live);
    return shares;
}

/*
 * There is a configuration, and its name is the domain's. `marked` is the other resource whose mark
 * the domain bears, or NULL: a resource that was renamed finds its guest so.
 */
static int judge_by_config(struct guest *guest, struct ra_virt_domain *domain, const char *marked,
                           struct ra_deadline deadline, struct ra_error *err)
{
    const struct ra_virt_domain_facts *facts = guest->virt->domain_facts(domain);
    int shares;

    if (ra_text_equal(guest->xml->uuid, facts->uuid))
        return 1;
    /* A configuration without a UUID gets another at each start: the name is what there is. */
    if (guest->xml->uuid == NULL && marked == NULL)
        return 1;
    shares = shares_disk(guest, domain, deadline, err);
    if (shares != 0 || guest->xml->uuid != NULL || has_disks(guest))
        return shares;
    return ra_error_set(err, RA_ERROR_BUSY,
                        "domain %s has the name of this resource's guest and is marked as that of "
                        "resource %s: without a UUID or a disk in the configuration nobody can "
                        "tell whose it is",
                        facts->name, marked);
}

/*
 * Is a domain that has the guest's name the guest? 1 yes, 0 proven no, -1 cannot be told. A
 * definition that is off is nobody's running guest, so a guess about it proves no harm.
 */
static int judge_name(struct guest *guest, struct ra_virt_domain *domain, bool guessed,
                      struct ra_deadline deadline, struct ra_error *err)
{
    const struct ra_virt_domain_facts *facts = guest->virt->domain_facts(domain);
    bool is_off = facts->condition == RA_VIRT_OFF;
    ra_auto_free char *marked = NULL;

    if (!is_off && guest->virt->mark_read(domain, deadline, &marked, err) != 0)
        return -1;
    if (ra_text_equal(marked, guest->context->instance))
        return 1;
    if (guest->xml != NULL)
        return judge_by_config(guest, domain, marked, deadline, err);
    /* Guessed, or remembered with a UUID that no domain has any more. */
    if (is_off || marked != NULL)
        return 0;
    return cannot_tell(guest, guessed ? "a domain" : "another domain", facts->name, err);
}

static int find_by_name(struct guest *guest, const char *name, bool guessed,
                        struct ra_deadline deadline, struct ra_error *err)
{
    struct ra_virt_domain *domain = NULL;
    int ours;

    if (guest->virt->domain_find(guest->connection, NULL, name, deadline, &domain, err) != 0)
        return -1;
    ours = judge_name(guest, domain, guessed, deadline, err);
    if (ours == 1) {
        guest->domain = domain;
        return 0;
    }
    if (ours == 0)
        (void)ra_error_set(err, RA_ERROR_NOT_FOUND,
                           "the domain named %s, with the UUID %s, is not the guest of this "
                           "resource",
                           name, guest->virt->domain_facts(domain)->uuid);
    guest->virt->domain_free(domain);
    return -1;
}

/*
 * By the mark that the domain bears. Not for long: libvirt looks at every domain for it, and one
 * that is being started on storage that hangs holds that up.
 */
static int find_by_mark(struct guest *guest, struct ra_deadline deadline, struct ra_error *err)
{
    const char *instance = guest->context->instance;
    char uuid[RA_VIRT_UUID_BYTES];

    if (guest->virt->mark_find(guest->connection, instance,
                               ra_deadline_earlier(deadline, ra_deadline_after_ms(MARK_MOST_MS)),
                               uuid, err) != 0)
        return -1;
    return guest->virt->domain_find(guest->connection, uuid, NULL, deadline, &guest->domain, err);
}

int guest_find(struct guest *guest, struct ra_deadline deadline, struct ra_error *err)
{
    RA_CLEANUP(free_names) struct names names = { .guessed = false };
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
    if (guest->xml == NULL) {
        if (find_by_mark(guest, deadline, err) == 0)
            return 0;
        if (err->kind != RA_ERROR_NOT_FOUND)
            return -1;
    }
    names = list_names(guest);
    for (char **name = names.list; *name != NULL; name++) {
        if (find_by_name(guest, *name, names.guessed, deadline, &why) == 0)
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

/* A process has the name number `i`: 0 if it is the guest's, -1 if that cannot be told. */
static int judge_process(const struct guest *guest, const struct ra_error *cause,
                         const struct names *names, size_t i, struct ra_virt_emulator *emulator,
                         struct ra_error *err)
{
    const char *uuid = names->uuids[i];

    if (!names->guessed && (uuid == NULL || ra_text_equal(uuid, emulator->uuid)))
        return 0;
    ra_cleanup_close(&emulator->pidfd);
    if (names->guessed)
        (void)cannot_tell(guest, "a QEMU process of a guest", names->list[i], err);
    else
        (void)ra_error_set(err, RA_ERROR_BUSY,
                           "QEMU process %d is that of a guest %s, but with the UUID %s instead of "
                           "%s: whether it is the guest of this resource cannot be told without "
                           "libvirt",
                           (int)emulator->pid, names->list[i],
                           emulator->uuid[0] == '\0' ? "(none)" : emulator->uuid, uuid);
    return ra_error_prefix(err, "%s", cause->text);
}

/* Instead of guesses, what libvirt has noted of a domain with the resource's mark, if it has. */
static int name_by_status(const struct guest *guest, struct names *names, struct ra_error *err)
{
    struct names noted = { .guessed = false };

    if (guest->virt->mark_find_status(guest->context->instance, &noted.list[0], &noted.uuids[0],
                                      err) != 0)
        return err->kind == RA_ERROR_NOT_FOUND ? 0 : -1;
    free_names(names);
    *names = noted;
    return 0;
}

int guest_find_process(struct guest *guest, const struct ra_error *cause,
                       struct ra_virt_emulator *ret_emulator, struct ra_error *err)
{
    RA_CLEANUP(free_names) struct names names = { .guessed = false };

    if (!has_processes(guest))
        return ra_error_set(err, cause->kind, "%s", cause->text);
    if (!guest->remembered)
        (void)guest_read_config(guest, ra_deadline_after_ms(CONFIG_MOST_MS), NULL);
    names = list_names(guest);
    if (names.guessed && name_by_status(guest, &names, err) != 0)
        return ra_error_prefix(err, "%s", cause->text);
    for (size_t i = 0; names.list[i] != NULL; i++) {
        if (guest->virt->emulator_find(names.list[i], ret_emulator, err) == 0)
            return judge_process(guest, cause, &names, i, ret_emulator, err);
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
