/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "reboot.h"

#include "base/log.h"

enum {
    /* The standard wants the power off for at least a second: pauses shorter than that see it. */
    WATCH_FIRST_MS = 20,
    WATCH_MOST_MS = 200,
    /* A cycle that has not begun by then is taken for one that does not come. */
    WATCH_MS = 5000,
    DIAGNOSE_COMMAND_MS = 4000,
    NO_CAUSE = -1,
};

enum cycle_proof {
    CYCLE_SEEN,     /* the BMC reported the power off in between */
    CYCLE_RECORDED, /* it recorded a restart by command that was not there before */
    CYCLE_WAS_OFF,  /* the node was off, nothing had to be proven; it has been powered on */
    CYCLE_NOT_PROVEN,
};

static int restart_cause(const struct power *power)
{
    struct ra_error err;
    int cause;

    if (power->ipmi->chassis_restart_cause(power->session, power->deadline, &cause, &err) != 0) {
        ra_log_note("%s", err.text);
        return NO_CAUSE;
    }
    return cause;
}

/* Look until the power is off, until the time is over, or until the look fails for good. */
static bool seen_off(const struct power *power, struct ra_deadline until)
{
    struct ra_backoff backoff = { .next_ms = WATCH_FIRST_MS, .most_ms = WATCH_MOST_MS };
    struct ra_ipmi_chassis chassis;

    do {
        if (power->ipmi->chassis_read(power->session, until, &chassis, NULL) == 0 &&
            !chassis.power_is_on)
            return true;
    } while (ra_backoff_sleep(&backoff, until));
    return false;
}

/* True if the BMC recorded a restart since `before`, when it had recorded `cause_before`. */
static bool recorded(const struct power *power, const struct ra_ipmi_chassis *before,
                     int cause_before)
{
    struct ra_ipmi_chassis after;

    if (power->ipmi->chassis_read(power->session, power->deadline, &after, NULL) != 0)
        return false;
    if (after.powered_on_by_ipmi && !before->powered_on_by_ipmi)
        return true;
    return cause_before != NO_CAUSE && cause_before != RA_IPMI_RESTART_BY_COMMAND &&
           restart_cause(power) == RA_IPMI_RESTART_BY_COMMAND;
}

/*
 * Cycle the power. The command is sent once; if its answer is lost it may have run, and the proof
 * decides. CYCLE_NOT_PROVEN with the reason in *ret_why when there is no proof. The node may still
 * be off when it is CYCLE_SEEN.
 */
static int cycle(const struct power *power, enum cycle_proof *ret_proof, struct ra_error *ret_why,
                 struct ra_error *err)
{
    struct ra_ipmi_chassis before;
    bool accepted, changed;
    int cause_before;

    if (power->ipmi->chassis_read(power->session, power->deadline, &before, err) != 0)
        return -1;
    if (!before.power_is_on) {
        /* Many BMCs refuse to cycle a node that is off. It is off: that is all a fencer wants. */
        *ret_proof = CYCLE_WAS_OFF;
        if (power_on(power, &changed, ret_why) == 0)
            ret_why->kind = 0;
        return 0;
    }
    power_going_down(power);
    cause_before = restart_cause(power);
    ret_why->kind = 0;
    accepted = power->ipmi->chassis_control(power->session, RA_IPMI_POWER_CYCLE, power->deadline,
                                            ret_why) == 0;
    if (!accepted)
        ra_log_note("%s", ret_why->text);
    *ret_proof = CYCLE_NOT_PROVEN;
    /* Refused is refused, but a lost answer says nothing. */
    if (!accepted && ret_why->kind != RA_ERROR_TIMEOUT && ret_why->kind != RA_ERROR_UNREACHABLE)
        return 0;
    if (seen_off(power, ra_deadline_earlier(power->deadline, ra_deadline_after_ms(WATCH_MS))))
        *ret_proof = CYCLE_SEEN;
    else if (recorded(power, &before, cause_before))
        *ret_proof = CYCLE_RECORDED;
    else if (accepted)
        (void)ra_error_set(ret_why, RA_ERROR_PROTOCOL,
                           "the BMC at %s accepted 'power cycle' and gave no proof of it",
                           power->name);
    return 0;
}

/* The node is off, and that was the fencing; that it comes back is a wish. */
static void bring_back(const struct power *power)
{
    struct ra_error err;
    bool changed;

    power->ipmi->console_end(power->session);
    /* A copy of the command that the network delivers late must not power the node off again. */
    power->ipmi->session_close(power->session);
    if (power_on(power, &changed, &err) != 0)
        ra_log_warning("the node is powered off, but did not come on again: %s", err.text);
}

static int by_off_and_on(const struct power *power, struct ra_error *err)
{
    bool changed;

    if (power_off(power, &changed, err) != 0)
        return -1;
    bring_back(power);
    return 0;
}

static int by_cycle(const struct power *power, const char **ret_how, struct ra_error *err)
{
    enum cycle_proof proof;
    struct ra_error why;

    if (cycle(power, &proof, &why, err) != 0)
        return -1;
    switch (proof) {
    case CYCLE_SEEN:
        bring_back(power);
        break;
    case CYCLE_WAS_OFF:
        if (why.kind != 0)
            ra_log_warning("the node was off, but did not come on: %s", why.text);
        break;
    case CYCLE_RECORDED:
        break;
    case CYCLE_NOT_PROVEN:
    default:
        ra_log_note("%s: powering off and on", why.text);
        *ret_how = " (by off and on: the cycle was not proven)";
        return by_off_and_on(power, err);
    }
    return 0;
}

int power_reboot(const struct power *power, bool cycle_it, const char **ret_how,
                 struct ra_error *err)
{
    *ret_how = "";
    return cycle_it ? by_cycle(power, ret_how, err) : by_off_and_on(power, err);
}

void power_diagnose(const struct power *power, int64_t wait_ms)
{
    struct ra_deadline until;
    struct ra_error err;
    bool on;

    if (power_read(power, &on, &err) != 0 || !on)
        return;
    power_going_down(power);
    until = ra_deadline_earlier(power->deadline, ra_deadline_after_ms(DIAGNOSE_COMMAND_MS));
    if (power->ipmi->chassis_control(power->session, RA_IPMI_DIAGNOSTIC_INTERRUPT, until, &err) !=
        0) {
        ra_log_warning("no crash dump: %s", err.text);
        if (err.kind != RA_ERROR_TIMEOUT)
            return; /* refused; after a lost answer the node may be writing */
    }
    RA_LOG_CALL("waiting for the node's crash dump");
    (void)seen_off(power, ra_deadline_earlier(power->deadline, ra_deadline_after_ms(wait_ms)));
}
