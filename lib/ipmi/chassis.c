/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ipmi/chassis.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "ipmi/client.h"

static void cleanup_reply(fiid_obj_t *reply)
{
    fiid_obj_destroy(*reply);
}

static int send_read(ipmi_ctx_t ctx, const void *argument, fiid_obj_t reply)
{
    (void)argument;
    return ipmi_cmd_get_chassis_status(ctx, reply);
}

static int send_read_cause(ipmi_ctx_t ctx, const void *argument, fiid_obj_t reply)
{
    (void)argument;
    return ipmi_cmd_get_system_restart_cause(ctx, reply);
}

static int send_control(ipmi_ctx_t ctx, const void *argument, fiid_obj_t reply)
{
    const enum ra_ipmi_control *control = argument;

    return ipmi_cmd_chassis_control(ctx, (uint8_t)*control, reply);
}

static bool bit(fiid_obj_t reply, const char *name)
{
    uint64_t value = 0;

    return fiid_obj_get(reply, name, &value) > 0 && value != 0;
}

int ra_ipmi_chassis_read(struct ra_ipmi_session *session, struct ra_deadline deadline,
                         struct ra_ipmi_chassis *ret_chassis, struct ra_error *err)
{
    RA_CLEANUP(cleanup_reply)
    fiid_obj_t reply = fiid_obj_create(tmpl_cmd_get_chassis_status_rs);
    uint64_t power;

    if (reply == NULL)
        return ra_error_set(err, RA_ERROR_SYSTEM, "out of memory");
    if (ra_ipmi_client_run(session, "reading the power state", send_read, NULL, reply, deadline,
                           err) != 0)
        return -1;
    if (fiid_obj_get(reply, "current_power_state.power_is_on", &power) <= 0)
        return ra_error_set(err, RA_ERROR_PROTOCOL, "the BMC at %s gives no power state",
                            ra_ipmi_client_endpoint(session));
    *ret_chassis = (struct ra_ipmi_chassis){
        .power_is_on = power != 0,
        .power_overload = bit(reply, "current_power_state.power_overload"),
        .interlock = bit(reply, "current_power_state.interlock"),
        .power_fault = bit(reply, "current_power_state.power_fault"),
        .power_control_fault = bit(reply, "current_power_state.power_control_fault"),
        .powered_on_by_ipmi = bit(reply, "last_power_event.power_on_entered_via_ipmi"),
        .intrusion = bit(reply, "misc_chassis_state.chassis_intrusion_active"),
    };
    return 0;
}

int ra_ipmi_chassis_control(struct ra_ipmi_session *session, enum ra_ipmi_control control,
                            struct ra_deadline deadline, struct ra_error *err)
{
    static const char *const names[] = {
        [RA_IPMI_POWER_DOWN] = "switching the power off",
        [RA_IPMI_POWER_UP] = "switching the power on",
        [RA_IPMI_POWER_CYCLE] = "cycling the power",
        [RA_IPMI_HARD_RESET] = "resetting the node",
        [RA_IPMI_DIAGNOSTIC_INTERRUPT] = "sending a diagnostic interrupt",
    };
    RA_CLEANUP(cleanup_reply)
    fiid_obj_t reply = fiid_obj_create(tmpl_cmd_chassis_control_rs);
    bool repeatable = control == RA_IPMI_POWER_DOWN || control == RA_IPMI_POWER_UP;
    int result;

    if (reply == NULL)
        return ra_error_set(err, RA_ERROR_SYSTEM, "out of memory");
    ra_ipmi_client_send_once(session, !repeatable);
    result =
        ra_ipmi_client_run(session, names[control], send_control, &control, reply, deadline, err);
    ra_ipmi_client_send_once(session, false);
    return result;
}

int ra_ipmi_chassis_restart_cause(struct ra_ipmi_session *session, struct ra_deadline deadline,
                                  int *ret_cause, struct ra_error *err)
{
    RA_CLEANUP(cleanup_reply)
    fiid_obj_t reply = fiid_obj_create(tmpl_cmd_get_system_restart_cause_rs);
    uint64_t cause;

    if (reply == NULL)
        return ra_error_set(err, RA_ERROR_SYSTEM, "out of memory");
    if (ra_ipmi_client_run(session, "reading the restart cause", send_read_cause, NULL, reply,
                           deadline, err) != 0)
        return -1;
    if (fiid_obj_get(reply, "restart_cause", &cause) <= 0)
        return ra_error_set(err, RA_ERROR_PROTOCOL, "the BMC at %s gives no restart cause",
                            ra_ipmi_client_endpoint(session));
    *ret_cause = (int)cause;
    return 0;
}

void ra_ipmi_chassis_describe(const struct ra_ipmi_chassis *chassis, char *text, size_t size_bytes)
{
    const struct {
        bool is_set;
        const char *name;
    } faults[] = {
        { chassis->power_overload, "power overload" },
        { chassis->interlock, "interlock active (a panel is open)" },
        { chassis->power_fault, "fault of the main power" },
        { chassis->power_control_fault, "fault of the power control" },
        { chassis->intrusion, "chassis intrusion" },
    };
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        if (faults[i].is_set && used < size_bytes)
            used += (size_t)snprintf(text + used, size_bytes - used, "%s%s", used == 0 ? "" : ", ",
                                     faults[i].name);
}
