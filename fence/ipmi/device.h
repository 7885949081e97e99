/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the actions share: the BMCs that a request is about, one after the other.
 */
#ifndef FENCE_DEVICE_H
#define FENCE_DEVICE_H

#include <stdbool.h>

#include "base/error.h"
#include "power.h"
#include "runtime/fence.h"
#include "target.h"

/* One BMC, found, with its session; nothing has been sent yet. */
struct device {
    const struct ra_ipmi_backend *ipmi;
    struct target target;
    struct power power;
    const char *console_log; /* the directory, NULL: none */
    const char *node;        /* by which its files are named */
};

/*
 * Load the backend and make the session for a plug ("": none is named); see target_make() for
 * `fetch_password` and the errors. The caller closes it with device_close(), after a failure too;
 * *device starts zeroed.
 */
int device_open(const struct ra_context *context, const char *plug, bool fetch_password,
                struct device *device, struct ra_error *err);
void device_close(struct device *device);

/* What an action does with one BMC; `plug` is "" when none is named. 0 or -1 with *err. */
typedef int device_function(const struct ra_context *context, struct device *device,
                            const char *plug, struct ra_error *err);

/*
 * Call the function for each plug of the NULL-terminated list, for an empty list once without a
 * plug. The first failure is the result, but every plug gets its turn.
 */
struct ra_result device_each(const struct ra_context *context, char **plugs,
                             device_function *function);

/*
 * The same for the plugs that the request names; for none of them if the node that the request is
 * about is another one (plugs.h).
 */
struct ra_result device_each_requested(const struct ra_context *context, device_function *function);

#endif
