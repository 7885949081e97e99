/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Start. Idempotent: a guest that runs already is a success. Safe if killed midway: the state file
 * is written before libvirt is asked, so a stop knows the guest whatever became of the request. A
 * disk image that is locked, by a node that has just lost its power for example, is waited for.
 */
#include "actions.h"
#include "find.h"
#include "guest.h"
#include "refusal.h"

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
#define CREATING_MS    15000 /* kept back of the time for reading the configuration */

/* A held lock is tried again at these intervals, and not in the last moments: see await_lock(). */
#define LOCK_PAUSE_MS      250
#define LOCK_PAUSE_MOST_MS 2000
#define LOCK_RESERVE_MS    5000

/* Where libvirt keeps persistent definitions. */
static const char *const definition_paths[] = { "/etc/libvirt/qemu/%s.xml",
                                                "/etc/libvirt/libxl/%s.xml",
                                                "/etc/libvirt/lxc/%s.xml" };

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

static struct ra_result died(const struct guest *guest, const char *name, const char *how)
{
    char words[300];

    virtualdomain_last_words(guest, name, words, sizeof(words));
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
        return died(guest, name, "ended");
    if (guest->virt->domain_refresh(guest->domain, deadline, &err) != 0 ||
        guest_settle(guest, deadline, &err) != 0) {
        if (err.kind == RA_ERROR_NOT_FOUND)
            return died(guest, name, "ended");
        return ra_result_of_error(RA_ACTION_START, &err);
    }
    if (facts->condition == RA_VIRT_OFF)
        return died(guest, name, "ended");
    if (facts->condition != RA_VIRT_RUNNING)
        return died(guest, name, facts->text);
    if (guest_adopt(guest, deadline, &err) != 0)
        return ra_result_of_error(RA_ACTION_START, &err);
    return ra_result_success();
}

/* Waiting for the lock of a disk image. */
struct lock_wait {
    int64_t began_ms; /* 0: not met one */
    struct ra_backoff pause;
    struct ra_deadline until;
    struct ra_error met; /* what was said of the lock the last time */
    char whose[400];
};

/*
 * libvirt refused, and says that there is no such domain. True if that was because of a held lock
 * and the start is to be tried again. The last moments are left out: a start that was begun then
 * could not be followed to its end, and the reason would be "timed out" instead of the lock.
 */
static bool await_lock(struct guest *guest, const char *name, struct lock_wait *wait,
                       struct ra_error *why)
{
    if (!virtualdomain_met_lock(guest, name, why))
        return false;
    wait->met = *why;
    if (wait->began_ms == 0) {
        wait->began_ms = ra_deadline_now_ms();
        virtualdomain_explain_lock(why->text, wait->whose, sizeof(wait->whose));
        ra_log_warning("%s: waiting for the lock for up to %lld s: %s", why->text,
                       (long long)ra_deadline_remaining_ms(wait->until) / 1000, wait->whose);
    }
    return ra_backoff_sleep(&wait->pause, wait->until);
}

/*
 * The start has failed. A lock that was met stays a part of the reason, also when the last attempt
 * ended otherwise: storage whose locks wait for a dead client may let an attempt hang, too.
 */
static struct ra_result refused(const struct lock_wait *wait, const struct ra_error *why)
{
    long long waited_s = (long long)(ra_deadline_now_ms() - wait->began_ms) / 1000;

    if (wait->began_ms == 0)
        return ra_result_of_error(RA_ACTION_START, why);
    if (ra_text_equal(why->text, wait->met.text))
        return ra_result_failure(RA_ERR_GENERIC, "%s: still so after %lld s; %s", why->text,
                                 waited_s, wait->whose);
    return ra_result_failure(RA_ERR_GENERIC, "%s; %lld s earlier, and perhaps still: %s; %s",
                             why->text, waited_s, wait->met.text, wait->whose);
}

enum aftermath { RUNS, ABSENT, CUT_OFF, UNCLEAR };

/*
 * The request to start it has failed: what became of it? ABSENT: libvirt refused, and has no such
 * domain, or its mere definition. CUT_OFF: the daemon went away over it and is back, and neither it
 * nor the table of processes has the domain; that is tried again once. UNCLEAR: none of these is
 * proven, and the request's own failure is the reason.
 */
static enum aftermath look_after(struct guest *guest, const char *name, bool *may_reconnect)
{
    const struct ra_virt_backend *virt = guest->virt;
    struct ra_deadline deadline = guest->context->deadline;
    enum aftermath gone = ABSENT;
    struct ra_error err;
    int failed = virt->domain_find(guest->connection, guest->xml->uuid, NULL, deadline,
                                   &guest->domain, &err);

    if (failed != 0 && err.kind == RA_ERROR_UNREACHABLE && *may_reconnect) {
        *may_reconnect = false;
        virt->connection_close(ra_steal_ptr(&guest->connection));
        if (guest_connect(guest, ra_deadline_after_ms(PATIENCE_MS), deadline, &err) != 0)
            return UNCLEAR;
        gone = virt->emulator_covers(virt->connection_uri(guest->connection)) &&
                       !has_no_process(guest, name)
                   ? UNCLEAR
                   : CUT_OFF;
        failed = virt->domain_find(guest->connection, guest->xml->uuid, NULL, deadline,
                                   &guest->domain, &err);
    }
    if (failed != 0)
        return err.kind == RA_ERROR_NOT_FOUND ? gone : UNCLEAR;
    if (virt->domain_facts(guest->domain)->condition == RA_VIRT_RUNNING)
        return RUNS;
    if (virt->domain_facts(guest->domain)->condition != RA_VIRT_OFF)
        return UNCLEAR;
    virt->domain_free(ra_steal_ptr(&guest->domain));
    return gone;
}

/*
 * Ask libvirt to start it. A request that failed is not repeated, for it may have been carried out,
 * or may yet be: whether the domain is there decides. The exceptions are a held lock, where QEMU
 * has ended, and a daemon that was restarted, where there is no QEMU.
 */
static struct ra_result create_marked(struct guest *guest)
{
    struct ra_deadline deadline = ra_deadline_reserve_ms(guest->context->deadline, AFTERWARDS_MS);
    int64_t quarter_ms = ra_deadline_remaining_ms(deadline) / 4;
    struct lock_wait wait = {
        .pause = { .next_ms = LOCK_PAUSE_MS, .most_ms = LOCK_PAUSE_MOST_MS },
        .until = ra_deadline_reserve_ms(deadline, quarter_ms < LOCK_RESERVE_MS ? quarter_ms
                                                                               : LOCK_RESERVE_MS),
    };
    const char *name = guest->xml->name;
    bool may_reconnect = true;
    enum aftermath aftermath;
    struct ra_error why;

    while (guest->log_end_bytes = virtualdomain_log_end(name),
           guest->virt->domain_create(guest->connection, guest->xml->text, deadline, &guest->domain,
                                      &why) != 0) {
        (void)ra_error_prefix(&why, "guest %s", name);
        aftermath = look_after(guest, name, &may_reconnect);
        if (aftermath == RUNS) {
            ra_log_warning("%s; but the guest runs", why.text);
            break;
        }
        if (aftermath == CUT_OFF)
            ra_log_warning("%s; the daemon is back without it: trying again", why.text);
        else if (aftermath == UNCLEAR || !await_lock(guest, name, &wait, &why))
            return refused(&wait, &why);
    }
    if (wait.began_ms != 0)
        ra_log_warning("guest %s has the lock after %lld s", name,
                       (long long)(ra_deadline_now_ms() - wait.began_ms) / 1000);
    return watch_first_steps(guest, name);
}

static struct ra_result create(struct guest *guest)
{
    char uuid[RA_VIRT_UUID_BYTES];
    struct ra_error err;

    if (guest->xml->uuid == NULL) {
        make_uuid(uuid);
        if (guest->virt->xml_set_uuid(guest->xml, uuid, &err) != 0)
            return ra_result_of_error(RA_ACTION_START, &err);
    }
    if (guest->virt->xml_set_mark(guest->xml, guest->context->instance, &err) != 0 ||
        guest_remember_start(guest, &err) != 0)
        return ra_result_of_error(RA_ACTION_START, &err);
    guest->virt->domain_free(ra_steal_ptr(&guest->domain));
    return create_marked(guest);
}

/* There is a domain already. */
static struct ra_result start_existing(struct guest *guest)
{
    const struct ra_virt_domain_facts *facts = guest->virt->domain_facts(guest->domain);
    struct ra_error err;

    switch (facts->condition) {
    case RA_VIRT_RUNNING:
    case RA_VIRT_PAUSED:
        if (guest_adopt(guest, guest->context->deadline, &err) != 0)
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

/*
 * The configuration. A volume that waits for the brick of a dead node answers in the end, and one
 * whose client has died may be mounted anew: that is given as much time as a daemon that is being
 * started, and no more, because the cluster mends a dead mount after this start only.
 */
static int read_config(struct guest *guest, struct ra_error *err)
{
    struct ra_deadline deadline = guest->context->deadline;
    int64_t half_ms = ra_deadline_remaining_ms(deadline) / 2;
    struct ra_deadline patience =
        ra_deadline_after_ms(half_ms < PATIENCE_MS ? half_ms : PATIENCE_MS);
    struct ra_backoff pause = { .next_ms = 100, .most_ms = 1000 };

    deadline = ra_deadline_reserve_ms(deadline, half_ms < CREATING_MS ? half_ms : CREATING_MS);
    while (guest_read_config(guest, deadline, err) != 0) {
        if (err->kind != RA_ERROR_UNREACHABLE || !ra_backoff_sleep(&pause, patience))
            return -1;
        guest->xml_tried = false;
    }
    return 0;
}

/*
 * Connect and look whether the guest exists, once more if the daemon goes away over it: it is
 * restarted then, and nothing was asked of it yet.
 */
static int find(struct guest *guest, struct ra_error *err)
{
    struct ra_deadline deadline = guest->context->deadline;
    int64_t half_ms = ra_deadline_remaining_ms(deadline) / 2;

    for (bool again = false;; again = true) {
        if (guest_connect(guest,
                          ra_deadline_after_ms(half_ms < PATIENCE_MS ? half_ms : PATIENCE_MS),
                          ra_deadline_reserve_ms(deadline, AFTERWARDS_MS), err) != 0)
            return -1;
        if (guest_find(guest, deadline, err) == 0 && guest_settle(guest, deadline, err) == 0)
            return 0;
        if (err->kind != RA_ERROR_UNREACHABLE || again)
            return -1;
        ra_log_warning("%s: connecting again", err->text);
        guest->virt->domain_free(ra_steal_ptr(&guest->domain));
        guest->virt->connection_close(ra_steal_ptr(&guest->connection));
    }
}

struct ra_result virtualdomain_start(const struct ra_context *context)
{
    auto_guest struct guest guest = { 0 };
    ra_auto_text_list char **modes = NULL;
    struct ra_error err;

    if (guest_init(&guest, context, &err) != 0)
        return ra_result_of_error(RA_ACTION_START, &err);
    if (read_config(&guest, &err) != 0)
        return guest_config_failure(&err);
    if (virtualdomain_shutdown_modes(&guest, &modes, &err) != 0)
        return ra_result_of_error(RA_ACTION_START, &err);
    if (find(&guest, &err) == 0)
        return start_existing(&guest);
    if (err.kind != RA_ERROR_NOT_FOUND)
        return ra_result_of_error(RA_ACTION_START, &err);
    return create(&guest);
}
