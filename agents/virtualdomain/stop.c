/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Stop. A success is a proof: libvirt says that the domain does not exist or is off, or, where
 * libvirt does not answer, the guest's QEMU process is gone. Everything else is a failure, on
 * which the cluster fences the node. Idempotent; safe if killed midway, because the state file
 * goes last.
 */
#include "actions.h"
#include "find.h"
#include "guest.h"
#include "utilization.h"

#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"

/*
 * libvirt's own limits: destroying gracefully it waits 10 s after SIGTERM, destroying plainly up
 * to 30 s more after SIGKILL, for a process that is stuck in an I/O request. 5 s are for us.
 */
#define KILL_MS          45000
#define GRACEFUL_KILL_MS 12000

#define PATIENCE_MS     10000 /* for a daemon that is being restarted */
#define REQUEST_MS      1500  /* a guest agent that is not there would block for a minute */
#define FIRST_RESEND_MS 3000  /* a guest that is still booting misses the first request */
#define RESEND_MS       10000
#define LOOK_MS         100
#define LOOK_TWICE_MS   1000

int virtualdomain_shutdown_modes(const struct guest *guest, char ***ret_modes, struct ra_error *err)
{
    const char *text = guest->config->shutdown_mode;
    ra_auto_text_list char **modes = ra_text_split(text == NULL ? "" : text, ", ");

    for (char **mode = modes; *mode != NULL; mode++) {
        if (!guest->virt->domain_knows_mode(*mode))
            return ra_error_set(err, RA_ERROR_CONFIG,
                                "parameter shutdown_mode: '%s' is not one of acpi, agent, initctl, "
                                "signal, paravirt",
                                *mode);
    }
    *ret_modes = ra_steal_ptr(&modes);
    return 0;
}

static struct ra_result stopped(const struct guest *guest)
{
    guest_forget(guest);
    virtualdomain_forget_utilization(guest);
    return ra_result_success();
}

/* libvirt is of no help, for the reason in *cause: the process itself, then. */
static struct ra_result stop_process(struct guest *guest, const struct ra_error *cause)
{
    struct ra_virt_emulator emulator = { .pidfd = -1 };
    struct ra_error err;
    int rc;

    if (guest_find_process(guest, cause, &emulator, &err) != 0) {
        if (err.kind != RA_ERROR_NOT_FOUND)
            return ra_result_of_error(RA_ACTION_STOP, &err);
        ra_log_warning("%s: it is stopped", err.text);
        return stopped(guest);
    }
    ra_log_warning("%s; ending the QEMU process %d of guest %s without libvirt", cause->text,
                   emulator.pid, guest_name(guest));
    rc = guest->virt->emulator_kill(&emulator, guest->context->deadline, &err);
    (void)close(emulator.pidfd);
    if (rc != 0)
        return ra_result_failure(RA_ERR_GENERIC, "guest %s: %s; %s", guest_name(guest), cause->text,
                                 err.text);
    return stopped(guest);
}

/* True once it is proven off. False with *err when that cannot be said. */
static bool is_off(struct guest *guest, struct ra_deadline deadline, struct ra_error *err)
{
    if (guest->virt->domain_refresh(guest->domain, deadline, err) != 0)
        return err->kind == RA_ERROR_NOT_FOUND;
    (void)ra_error_set(err, RA_ERROR_BUSY, "guest %s is still %s", guest_name(guest),
                       guest->virt->domain_facts(guest->domain)->text);
    return guest->virt->domain_facts(guest->domain)->condition == RA_VIRT_OFF;
}

static bool libvirt_is_lost(const struct ra_error *err)
{
    return err->kind == RA_ERROR_UNREACHABLE || err->kind == RA_ERROR_TIMEOUT;
}

/* Look until it is off (true), libvirt is lost, or `until`. */
static bool wait_off(struct guest *guest, struct ra_deadline until, struct ra_deadline deadline,
                     struct ra_error *err)
{
    do {
        if (is_off(guest, deadline, err))
            return true;
    } while (!libvirt_is_lost(err) && ra_deadline_sleep_ms(until, LOOK_MS));
    return false;
}

/*
 * Ask the guest to shut down, with one mode after the other and over again, until it is off
 * (true), nobody takes the request, libvirt is lost, or `until`.
 */
static bool shut_down(struct guest *guest, struct ra_deadline until, struct ra_deadline deadline,
                      struct ra_error *err)
{
    ra_auto_text_list char **modes = NULL;
    size_t count = 0;
    int64_t pause_ms = FIRST_RESEND_MS;

    if (virtualdomain_shutdown_modes(guest, &modes, err) != 0) {
        ra_log_warning("%s; using the hypervisor's default", err->text);
        modes = ra_text_split("", " ");
    }
    while (modes != NULL && modes[count] != NULL)
        count++;
    for (size_t turn = 0, refused = 0; !ra_deadline_expired(until); turn++) {
        const char *mode = count == 0 ? NULL : modes[turn % count];
        struct ra_error why;

        if (guest->virt->domain_shutdown(
                guest->domain, mode, ra_deadline_earlier(until, ra_deadline_after_ms(REQUEST_MS)),
                &why) == 0 ||
            why.kind == RA_ERROR_TIMEOUT) {
            refused = 0;
        } else {
            ra_log_warning("%s", why.text);
            if (is_off(guest, deadline, err))
                return true;
            if (libvirt_is_lost(err) || ++refused >= (count == 0 ? 1 : count))
                return false;
            continue;
        }
        if (wait_off(guest, ra_deadline_earlier(until, ra_deadline_after_ms(pause_ms)), deadline,
                     err))
            return true;
        if (libvirt_is_lost(err))
            return false;
        pause_ms = turn < 2 ? FIRST_RESEND_MS : RESEND_MS;
    }
    return false;
}

/* Destroy, gracefully first if there is the time. True once it is off. */
static bool destroy(struct guest *guest, struct ra_deadline deadline, struct ra_error *err)
{
    struct ra_deadline gently = ra_deadline_earlier(
        ra_deadline_after_ms(GRACEFUL_KILL_MS),
        ra_deadline_reserve_ms(deadline, ra_deadline_remaining_ms(deadline) / 2));
    struct ra_error why;

    if (guest->virt->domain_destroy(guest->domain, true, gently, &why) != 0) {
        if (why.kind == RA_ERROR_NOT_FOUND)
            return true;
        ra_log_note("%s", why.text);
        if (guest->virt->domain_destroy(guest->domain, false, deadline, &why) != 0) {
            if (why.kind == RA_ERROR_NOT_FOUND || is_off(guest, deadline, err))
                return true;
            *err = why;
            return false;
        }
    }
    return wait_off(guest, deadline, deadline, err);
}

/* The domain exists and is on. */
static struct ra_result stop_domain(struct guest *guest)
{
    struct ra_deadline deadline = guest->context->deadline;
    int64_t left_ms = ra_deadline_remaining_ms(deadline);
    /* What the process fallback needs at the end, and before that libvirt's own kill. */
    struct ra_deadline ours = ra_deadline_reserve_ms(deadline, left_ms / 6);
    struct ra_deadline polite =
        ra_deadline_reserve_ms(deadline, left_ms / 2 < KILL_MS ? left_ms / 2 : KILL_MS);
    bool can_react = guest->virt->domain_facts(guest->domain)->condition == RA_VIRT_RUNNING;
    struct ra_error err = { 0 };

    /* A migration that a killed agent left behind would go on moving the guest. */
    if (guest->virt->domain_abort_job(guest->domain, ours, &err) != 0) {
        if (err.kind == RA_ERROR_NOT_FOUND)
            return stopped(guest);
        if (libvirt_is_lost(&err))
            return stop_process(guest, &err);
        ra_log_warning("%s", err.text);
    }
    if (!guest->config->force_stop && can_react) {
        if (shut_down(guest, polite, ours, &err))
            return stopped(guest);
        if (libvirt_is_lost(&err))
            return stop_process(guest, &err);
        ra_log_warning("guest %s did not shut down when asked; ending it", guest_name(guest));
    }
    if (destroy(guest, ours, &err))
        return stopped(guest);
    return stop_process(guest, &err);
}

/*
 * Found by the configuration alone, for no state says that this very domain is the resource's: if
 * it bears the mark of another one, it is not ours to end.
 */
static int refuse_anothers(const struct guest *guest, struct ra_deadline deadline,
                           struct ra_error *err)
{
    ra_auto_free char *marked = NULL;

    if (guest->remembered &&
        ra_text_equal(guest->uuid, guest->virt->domain_facts(guest->domain)->uuid))
        return 0;
    if (guest->virt->mark_read(guest->domain, deadline, &marked, err) != 0)
        return err->kind == RA_ERROR_NOT_FOUND ? 0 : -1;
    if (marked == NULL || ra_text_equal(marked, guest->context->instance))
        return 0;
    return ra_error_set(err, RA_ERROR_BUSY,
                        "guest %s runs and is marked as that of resource %s: two resources must "
                        "not have one guest",
                        guest_name(guest), marked);
}

struct ra_result virtualdomain_stop(const struct ra_context *context)
{
    auto_guest struct guest guest = { 0 };
    struct ra_deadline deadline = context->deadline;
    int64_t quarter_ms = ra_deadline_remaining_ms(deadline) / 4;
    struct ra_deadline finding = ra_deadline_reserve_ms(deadline, 2 * quarter_ms);
    bool looked_twice = false;
    struct ra_error err;

    if (guest_init(&guest, context, &err) != 0)
        return ra_result_of_error(RA_ACTION_STOP, &err);
    if (guest_connect(&guest,
                      ra_deadline_after_ms(quarter_ms < PATIENCE_MS ? quarter_ms : PATIENCE_MS),
                      finding, &err) != 0)
        return stop_process(&guest, &err);
    for (;;) {
        if (guest_find(&guest, finding, &err) == 0) {
            if (guest_settle(&guest, finding, &err) != 0 && err.kind != RA_ERROR_NOT_FOUND)
                ra_log_note("%s", err.text);
            if (guest.virt->domain_facts(guest.domain)->condition == RA_VIRT_OFF)
                return stopped(&guest);
            if (refuse_anothers(&guest, finding, &err) != 0) {
                if (libvirt_is_lost(&err))
                    return stop_process(&guest, &err);
                return ra_result_of_error(RA_ACTION_STOP, &err);
            }
            return stop_domain(&guest);
        }
        /* Somebody is there of whom nobody can tell whether it is the guest: not ours to end. */
        if (err.kind == RA_ERROR_BUSY)
            return ra_result_of_error(RA_ACTION_STOP, &err);
        if (err.kind != RA_ERROR_NOT_FOUND)
            return stop_process(&guest, &err);
        /* A start that was given up may only now reach the daemon. */
        if (looked_twice || !guest.remembered || guest.started)
            break;
        looked_twice = true;
        (void)ra_deadline_sleep_ms(deadline, LOOK_TWICE_MS);
    }
    ra_log_note("%s", err.text);
    return stopped(&guest);
}
