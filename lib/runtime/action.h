/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What OCF agents and fence agents have in common: actions, and what an action is told.
 */
#ifndef RA_RUNTIME_ACTION_H
#define RA_RUNTIME_ACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/export.h"
#include "runtime/param.h"
#include "runtime/result.h"

RA_EXPORT_BEGIN

/* Valid for the duration of one action. Texts are never NULL unless said otherwise. */
struct ra_context {
    const void *config; /* the agent's struct, filled from the parameter table */
    const char *action; /* as called: "migrate_to" */
    enum ra_action_kind kind;
    struct ra_deadline deadline; /* the action should have ended by itself before this */
    const char *instance;        /* the resource's id, "guest1" or "fs:0" */
    const char *node;            /* this node's name in the cluster (fence: the victim's, or "") */

    /* OCF agents only. */
    int64_t timeout_ms;  /* the operation's timeout as configured */
    int64_t interval_ms; /* 0 for a probe and for everything that is not a recurring monitor */
    int check_level;     /* OCF_CHECK_LEVEL: the monitor's depth */
    bool is_clone;
    const char *migrate_source; /* the node names of a migration, "" otherwise */
    const char *migrate_target;
};

typedef struct ra_result ra_action_function(const struct ra_context *context);

enum ra_action_flag {
    RA_ACTION_HIDDEN = 1 << 0, /* not in the metadata */
    /*
     * A parameter that does not parse falls back to its default with a warning, and required
     * ones may be missing (their fields are NULL then): for a stop and a monitor, which have to
     * find out the truth whatever the configuration says.
     */
    RA_ACTION_LENIENT = 1 << 1,
    /*
     * The action ends something when it is interrupted: it polls ra_action_cancelled() and then
     * has until its deadline, at most RA_ACTION_CANCEL_MS, to leave a clean state and return.
     */
    RA_ACTION_CANCELLABLE = 1 << 2,
};

#define RA_ACTION_CANCEL_MS 5000

/* A row: name, function, advertised defaults. Several rows of one name are its monitor depths. */
struct ra_action {
    const char *name;
    ra_action_function *run;
    enum ra_action_kind kind;
    int timeout_s;
    int interval_s; /* 0: none advertised */
    int depth;
    unsigned flags;
};

/*
 * True once the worker was asked to end (SIGTERM), by the cluster or by the supervisor shortly
 * before the deadline. Only meaningful in actions flagged RA_ACTION_CANCELLABLE.
 */
bool ra_action_cancelled(void);

/* A descriptor that is readable from that moment on, for poll(2); -1 outside such an action. */
int ra_action_cancel_fd(void);

/* Print a line of the action's proper output ("Status: ON") to the caller's standard output. */
void ra_action_output(const char *format, ...) __attribute__((format(printf, 1, 2)));

RA_EXPORT_END

#endif
