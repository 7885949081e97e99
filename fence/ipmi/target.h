/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which BMC a request is about, and with what to log in there: from the agent's parameters to
 * the options of a session.
 */
#ifndef FENCE_TARGET_H
#define FENCE_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/error.h"
#include "ipmi/backend.h"
#include "runtime/fence.h"

struct ipmi_config {
    struct ra_fence_config common;

    const char *ip;
    int64_t ipport;
    const char *plug;
    const char *other_plug; /* by the parameter's other name, NULL: none (see plugs.h) */
    bool port_as_ip;
    const char *plug_separator;

    const char *username;
    const char *password;
    const char *password_script;
    const char *password_file;
    bool lanplus;
    int auth;
    int64_t cipher;
    int privlvl;
    const char *hexadecimal_kg;
    const char *target;
    const char *workaround_flags;

    int method;
    int diag_before_off;
    int64_t diag_wait_ms;
    const char *console_log;
    int64_t power_timeout_ms;
    int64_t power_wait_ms;
    int64_t status_sleep_ms;
    int64_t login_timeout_ms;
    int64_t shell_timeout_ms;
    int64_t retransmission_ms;
    int64_t retry_on;

    /* Accepted for the sake of fence_ipmilan's users. */
    const char *disable_timeout;
    const char *ipmitool_path;
    bool use_sudo;
    const char *sudo_path;
};

/* A BMC and how to log in: what a session needs, with the memory behind it. */
struct target {
    char *addresses;
    char *password; /* a copy, wiped when the target is freed */
    unsigned char k_g[RA_IPMI_K_G_BYTES];
    struct ra_ipmi_options options;
};

/*
 * Fill in *ret_target for a plug (NULL: none is named). Fetches the password if `fetch_password` is
 * true; a password_script is run then, which blocks until the deadline at the latest. Errors:
 * CONFIG with the name of the parameter that is wrong; a plug that the parameters do not know is
 * one, never the BMC of another node. Free with target_free().
 */
int target_make(const struct ra_ipmi_backend *ipmi, const struct ipmi_config *config,
                const char *plug, bool fetch_password, struct ra_deadline deadline,
                struct target *ret_target, struct ra_error *err);
void target_free(struct target *target);

#endif
