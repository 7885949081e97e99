/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Start. Idempotent: a guest that runs already is a success. Safe if killed midway: the state file
 * is written before libvirt is asked, so a stop knows the guest whatever became of the request.
 */
#include "virtualdomain.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"

#define PATIENCE_MS    10000 /* for a daemon that is being started */
#define AFTERWARDS_MS  2000  /* kept back for asking what became of the request */
#define FIRST_STEPS_MS 200   /* a guest that dies of its configuration does so at once */
#define LOG_TAIL_BYTES 4096

/* Where libvirt keeps persistent definitions, and QEMU's last words. */
static const char *const definition_paths[] = { "/etc/libvirt/qemu/%s.xml",
                                                "/etc/libvirt/libxl/%s.xml",
                                                "/etc/libvirt/lxc/%s.xml" };
#define QEMU_LOG "/var/log/libvirt/qemu/%s.log"

/* A random UUID, version 4 of RFC 4122. */
static void make_uuid(char text[RA_VIRT_UUID_BYTES])
{
    unsigned char b[16];

    if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
        abort();
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    (void)snprintf(text, RA_VIRT_UUID_BYTES,
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                   b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
                   b[14], b[15]);
}

/* True if the configuration is the very file in which libvirt keeps the definition. */
static bool is_definition(const char *config, const char *name)
{
    struct stat ours;
    struct stat theirs;

    if (stat(config, &ours) != 0)
        return false;
    for (size_t i = 0; i < sizeof(definition_paths) / sizeof(definition_paths[0]); i++) {
        ra_auto_free char *path = ra_text_replace(definition_paths[i], "%s", name);

        if (stat(path, &theirs) == 0 && ours.st_dev == theirs.st_dev &&
            ours.st_ino == theirs.st_ino)
            return true;
    }
    return false;
}

/*
 * A definition that is off would make the guest a persistent one, which libvirt may start by
 * itself at boot: it goes. If it is the configuration itself, removing it would delete that; then
 * the guest is created on top of it.
 */
static int clear_definition(struct guest *guest, struct ra_deadline deadline, struct ra_error *err)
{
    struct ra_virt_domain *old = guest->domain;
    const struct ra_virt_domain_facts *facts = guest->virt->domain_facts(old);

    if (guest->virt->domain_check_managed_save(old, deadline, err) != 0)
        return -1;
    if (guest->xml->uuid == NULL && guest->virt->xml_set_uuid(guest->xml, facts->uuid, err) != 0)
        return -1;
    if (is_definition(guest->config->config, facts->name)) {
        ra_log_note("%s is libvirt's own definition of domain %s: it stays", guest->config->config,
                    facts->name);
        return 0;
    }
    ra_log_note("removing libvirt's definition of domain %s, which is off", facts->name);
    return guest->virt->domain_undefine(old, deadline, err);
}

/* The last line of QEMU's log that QEMU wrote itself: the others begin with libvirt's date. */
static void read_last_words(const char *name, char *text, size_t size_bytes)
{
    ra_auto_free char *path = ra_text_replace(QEMU_LOG, "%s", name);
    ra_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    char tail[LOG_TAIL_BYTES + 1];
    off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    ssize_t count;
    char *line;

    text[0] = '\0';
    if (size < 0)
        return;
    count = pread(fd, tail, LOG_TAIL_BYTES, size > LOG_TAIL_BYTES ? size - LOG_TAIL_BYTES : 0);
    tail[count > 0 ? count : 0] = '\0';
    for (char *rest = tail; (line = strsep(&rest, "\n")) != NULL;) {
        if (isdigit((unsigned char)line[0]))
            text[0] = '\0'; /* the start or end of a run: what was said before is old */
        if (ra_text_starts_with(line, "qemu") || ra_text_starts_with(line, "kvm"))
            ra_text_join(text, size_bytes, line, "", "");
    }
}

static struct ra_result died(const char *name, const char *how)
{
    char words[300];

    read_last_words(name, words, sizeof(words));
    return ra_result_failure(RA_ERR_GENERIC, "guest %s %s right after its start%s%s", name, how,
                             words[0] == '\0' ? "" : "; QEMU's last words: ", words);
}

/* True if its QEMU process is proven gone; libvirt needs a moment to notice that. */
static bool has_no_process(const struct guest *guest, const char *name)
{
    struct ra_virt_emulator emulator = { .pidfd = -1 };
    struct ra_error err;

    if (!guest->virt->emulator_covers(guest->virt->connection_uri(guest->connection)))
        return false;
    if (guest->virt->emulator_find(name, &emulator, &err) != 0)
        return err.kind == RA_ERROR_NOT_FOUND;
    (void)close(emulator.pidfd);
    return false;
}

/* It was started: does it live? */
static struct ra_result watch_first_steps(struct guest *guest, const char *name)
{
    const struct ra_virt_domain_facts *facts = guest->virt->domain_facts(guest->domain);
    struct ra_deadline deadline = guest->context->deadline;
    struct ra_error err;

    (void)ra_deadline_sleep_ms(deadline, FIRST_STEPS_MS);
    if (has_no_process(guest, name))
        return died(name, "ended");
    if (guest->virt->domain_refresh(guest->domain, deadline, &err) != 0 ||
        guest_settle(guest, deadline, &err) != 0) {
        if (err.kind == RA_ERROR_NOT_FOUND)
            return died(name, "ended");
        return ra_result_of_error(RA_ACTION_START, &err);
    }
    if (facts->condition == RA_VIRT_OFF)
        return died(name, "ended");
    if (facts->condition != RA_VIRT_RUNNING)
        return died(name, facts->text);
    if (guest_remember(guest, name, facts->uuid, true, &err) != 0)
        return ra_result_of_error(RA_ACTION_START, &err);
    return ra_result_success();
}

/*
 * Ask libvirt to start it. A request that failed is not repeated: it may have been carried out, or
 * may yet be. Whether the domain is there decides.
 */
static struct ra_result create(struct guest *guest)
{
    struct ra_deadline deadline = ra_deadline_reserve_ms(guest->context->deadline, AFTERWARDS_MS);
    const char *name = guest->xml->name;
    char uuid[RA_VIRT_UUID_BYTES];
    struct ra_virt_domain *domain = NULL;
    struct ra_error why;
    struct ra_error err;

    if (guest->xml->uuid == NULL) {
        make_uuid(uuid);
        if (guest->virt->xml_set_uuid(guest->xml, uuid, &err) != 0)
            return ra_result_of_error(RA_ACTION_START, &err);
    }
    if (guest_remember(guest, name, guest->xml->uuid, false, &err) != 0)
        return ra_result_of_error(RA_ACTION_START, &err);
    guest->virt->domain_free(ra_steal_ptr(&guest->domain));
    if (guest->virt->domain_create(guest->connection, guest->xml->text, deadline, &domain, &why) !=
        0) {
        (void)ra_error_prefix(&why, "guest %s", name);
        if (guest->virt->domain_find(guest->connection, guest->xml->uuid, NULL,
                                     guest->context->deadline, &domain, &err) != 0 ||
            guest->virt->domain_facts(domain)->condition != RA_VIRT_RUNNING) {
            guest->virt->domain_free(domain);
            return ra_result_of_error(RA_ACTION_START, &why);
        }
        ra_log_warning("%s; but the guest runs", why.text);
    }
    guest->domain = domain;
    return watch_first_steps(guest, name);
}

/* There is a domain already. */
static struct ra_result start_existing(struct guest *guest)
{
    const struct ra_virt_domain_facts *facts = guest->virt->domain_facts(guest->domain);
    struct ra_error err;

    switch (facts->condition) {
    case RA_VIRT_RUNNING:
    case RA_VIRT_PAUSED:
        if (guest_remember(guest, facts->name, facts->uuid, true, &err) != 0)
            return ra_result_of_error(RA_ACTION_START, &err);
        ra_log_note("guest %s is %s already", facts->name, facts->text);
        return ra_result_success();
    case RA_VIRT_OFF:
        if (clear_definition(guest, guest->context->deadline, &err) != 0)
            return ra_result_of_error(RA_ACTION_START, &err);
        return create(guest);
    case RA_VIRT_INCOMING:
    case RA_VIRT_STRANDED:
    case RA_VIRT_FAILED:
    case RA_VIRT_CHANGING:
    default:
        return ra_result_failure(RA_ERR_GENERIC,
                                 "guest %s cannot be started: it exists and is %s; stop it first",
                                 facts->name, facts->text);
    }
}

struct ra_result virtualdomain_start(const struct ra_context *context)
{
    auto_guest struct guest guest = { 0 };
    struct ra_deadline deadline = context->deadline;
    int64_t half_ms = ra_deadline_remaining_ms(deadline) / 2;
    ra_auto_text_list char **modes = NULL;
    struct ra_error err;

    if (guest_init(&guest, context, &err) != 0)
        return ra_result_of_error(RA_ACTION_START, &err);
    if (guest_read_config(&guest, ra_deadline_reserve_ms(deadline, half_ms), &err) != 0)
        return guest_config_failure(&err);
    if (virtualdomain_shutdown_modes(&guest, &modes, &err) != 0)
        return ra_result_of_error(RA_ACTION_START, &err);
    if (guest_connect(&guest, ra_deadline_after_ms(half_ms < PATIENCE_MS ? half_ms : PATIENCE_MS),
                      ra_deadline_reserve_ms(deadline, AFTERWARDS_MS), &err) != 0)
        return ra_result_of_error(RA_ACTION_START, &err);
    if (guest_find(&guest, deadline, &err) == 0 && guest_settle(&guest, deadline, &err) == 0)
        return start_existing(&guest);
    if (err.kind != RA_ERROR_NOT_FOUND)
        return ra_result_of_error(RA_ACTION_START, &err);
    return create(&guest);
}
