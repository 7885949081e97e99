/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "power.h"

#include "base/log.h"

enum {
    FIRST_PAUSE_MS = 20,
    /* DOWN and UP may be repeated: a BMC can accept a command while it is about to restart. */
    REPEAT_MS = 5000,
};

void power_going_down(const struct power *power)
{
    if (power->going_down != NULL)
        power->going_down(power->data);
}

int power_read(const struct power *power, bool *ret_on, struct ra_error *err)
{
    struct ra_ipmi_chassis chassis;

    if (power->ipmi->chassis_read(power->session, power->deadline, &chassis, err) != 0)
        return -1;
    *ret_on = chassis.power_is_on;
    return 0;
}

/* True for a failure that time may cure. */
static bool may_pass(const struct ra_error *err)
{
    return err->kind == RA_ERROR_BUSY || err->kind == RA_ERROR_TIMEOUT ||
           err->kind == RA_ERROR_UNREACHABLE;
}

/* What happened on the way, for the sentence at the end. */
struct attempt {
    bool on; /* the state that is wanted */
    struct ra_deadline until;
    struct ra_deadline due;        /* when the command is to be sent (again) */
    struct ra_error command_error; /* kind 0: the BMC has accepted it */
    struct ra_error look_error;    /* kind 0: the last look was good */
    struct ra_ipmi_chassis seen;
};

static int too_late(const struct power *power, const struct attempt *attempt, struct ra_error *err)
{
    long long timeout_s = (long long)power->timeout_ms / 1000;
    bool on = attempt->on;
    char faults[160];

    if (attempt->command_error.kind != 0 || attempt->look_error.kind != 0) {
        *err = attempt->command_error.kind != 0 ? attempt->command_error : attempt->look_error;
        return ra_error_prefix(err, "power %s not proven within %lld s (power_timeout)",
                               on ? "on" : "off", timeout_s);
    }
    power->ipmi->chassis_describe(&attempt->seen, faults, sizeof(faults));
    return ra_error_set(
        err, RA_ERROR_TIMEOUT,
        "timed out: the BMC at %s accepted 'power %s', but %lld s later (power_timeout) the power "
        "is still %s%s%s: %s",
        power->name, on ? "up" : "down", timeout_s, on ? "off" : "on",
        faults[0] == '\0' ? "" : ", and it reports ", faults,
        on ? "check the power supply and the BMC's event log"
           : "raise power_timeout if the node needs longer, else the BMC does not control its "
             "power");
}

/* Send the command if it is due. -1 when it failed in a way that time does not cure. */
static int command(const struct power *power, struct attempt *attempt)
{
    if (!ra_deadline_expired(attempt->due))
        return 0;
    if (power->ipmi->chassis_control(power->session,
                                     attempt->on ? RA_IPMI_POWER_UP : RA_IPMI_POWER_DOWN,
                                     attempt->until, &attempt->command_error) != 0) {
        ra_log_note("%s", attempt->command_error.text);
        return may_pass(&attempt->command_error) ? 0 : -1;
    }
    attempt->due = ra_deadline_after_ms(REPEAT_MS);
    attempt->command_error.kind = 0;
    return 0;
}

static int look(const struct power *power, struct attempt *attempt)
{
    attempt->look_error.kind = 0;
    return power->ipmi->chassis_read(power->session, attempt->until, &attempt->seen,
                                     &attempt->look_error);
}

/*
 * Send the command and look until the state is reached. Whatever the BMC answered to the command,
 * the state decides: a refused command may have had its effect.
 */
static int switch_to(const struct power *power, bool on, struct ra_error *err)
{
    struct ra_backoff backoff = { .next_ms = FIRST_PAUSE_MS, .most_ms = power->longest_pause_ms };
    struct attempt attempt = {
        .on = on,
        .until = ra_deadline_earlier(power->deadline, ra_deadline_after_ms(power->timeout_ms)),
        .due = ra_deadline_after_ms(0),
        .seen = { .power_is_on = !on },
    };
    bool refused = command(power, &attempt) != 0;

    if (!refused && power->wait_ms > 0)
        (void)ra_deadline_sleep_ms(attempt.until, power->wait_ms);
    do {
        if (look(power, &attempt) == 0 && attempt.seen.power_is_on == on)
            return 0;
        if (attempt.look_error.kind != 0 && !may_pass(&attempt.look_error)) {
            *err = attempt.look_error;
            return -1;
        }
        if (refused) {
            *err = attempt.command_error;
            return -1;
        }
        refused = attempt.look_error.kind == 0 && command(power, &attempt) != 0;
    } while (ra_backoff_sleep(&backoff, attempt.until));
    return too_late(power, &attempt, err);
}

int power_off(const struct power *power, bool *ret_changed, struct ra_error *err)
{
    struct ra_error local;
    bool on;

    if (err == NULL)
        err = &local;
    if (power_read(power, &on, err) != 0)
        return -1;
    *ret_changed = on;
    if (!on)
        return 0;
    power_going_down(power);
    return switch_to(power, false, err);
}

int power_on(const struct power *power, bool *ret_changed, struct ra_error *err)
{
    struct ra_error local;
    bool on;

    if (err == NULL)
        err = &local;
    if (power_read(power, &on, err) != 0)
        return -1;
    *ret_changed = !on;
    if (on)
        return 0;
    for (int64_t attempt = 1; switch_to(power, true, err) != 0; attempt++) {
        if (attempt >= power->on_attempts || !may_pass(err))
            return -1;
        ra_log_note("%s; trying again", err->text);
    }
    return 0;
}
