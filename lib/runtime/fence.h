/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A fence agent: its description, and the main function that turns it into a program. Follows
 * ClusterLabs' FenceAgentAPI and the way pacemaker-fenced calls agents: key=value lines on
 * standard input without arguments, getopt options with arguments.
 */
#ifndef RA_RUNTIME_FENCE_H
#define RA_RUNTIME_FENCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/export.h"
#include "runtime/action.h"
#include "runtime/param.h"

RA_EXPORT_BEGIN

#define RA_FENCE_OFF 2 /* exit status of `status` when the plug is off */

/* What every fence agent's config struct starts with; its rows come from RA_FENCE_PARAMS. */
struct ra_fence_config {
    const char *action;
    const char *debug_file;
    bool verbose;
    int64_t verbose_level;
    bool quiet;
    bool version;
    bool help;
    int64_t delay_ms;
};

struct ra_fence_agent {
    const char *name; /* "fence_ipmi" */
    const char *shortdesc;
    const char *longdesc;
    const char *vendor_url;
    size_t config_bytes; /* the struct starts with a struct ra_fence_config */
    struct ra_param_table params;
    const struct ra_action *actions; /* kind RA_ACTION_FENCE; timeout_s is not used */
    size_t action_count;
    /*
     * The longest that the action may take as configured, in milliseconds, without the delay:
     * the fencer does not tell an agent its timeout. The supervisor ends the action then.
     */
    int64_t (*budget_ms)(const void *config, const char *action);
};

/*
 * The rows of the parameters that every fence agent has; `config` is the agent's struct, `field`
 * the name of its struct ra_fence_config.
 */
#define RA_FENCE_PARAMS(config, field)                                                             \
    { .name = "action",                                                                            \
      RA_FIELD_STRING(config, field.action),                                                       \
      .default_text = "reboot",                                                                    \
      .flags = RA_PARAM_REQUIRED,                                                                  \
      .old_names = { "option" },                                                                   \
      .letter = 'o',                                                                               \
      .shortdesc = "Fencing action" },                                                             \
        { .name = "delay",                                                                         \
          RA_FIELD_DURATION(config, field.delay_ms),                                               \
          .default_text = "0",                                                                     \
          .least = 0,                                                                              \
          .most = 86400000,                                                                        \
          .shortdesc = "Wait this long before fencing is started" },                               \
        { .name = "quiet",                                                                         \
          RA_FIELD_BOOLEAN(config, field.quiet),                                                   \
          .letter = 'q',                                                                           \
          .shortdesc = "No messages on standard error" },                                          \
        { .name = "verbose",                                                                       \
          RA_FIELD_BOOLEAN(config, field.verbose),                                                 \
          .letter = 'v',                                                                           \
          .shortdesc = "Trace every call to the device on standard error" },                       \
        { .name = "verbose_level",                                                                 \
          RA_FIELD_INTEGER(config, field.verbose_level),                                           \
          .least = 0,                                                                              \
          .most = 10,                                                                              \
          .default_text = "0",                                                                     \
          .shortdesc = "More than 0: as verbose" },                                                \
        { .name = "debug_file",                                                                    \
          RA_FIELD_STRING(config, field.debug_file),                                               \
          .old_names = { "debug" },                                                                \
          .letter = 'D',                                                                           \
          .shortdesc = "Write the trace to this file" },                                           \
        { .name = "version",                                                                       \
          RA_FIELD_BOOLEAN(config, field.version),                                                 \
          .letter = 'V',                                                                           \
          .shortdesc = "Print the version and exit" },                                             \
    {                                                                                              \
        .name = "help", RA_FIELD_BOOLEAN(config, field.help), .letter = 'h',                       \
        .shortdesc = "Print the options and exit"                                                  \
    }

/*
 * Run one action. metadata, manpage, help and version are answered here, with nothing loaded;
 * every other action runs in a worker under the supervisor. On success nothing is written to
 * standard error. Returns the exit status for main: 0, 1, or RA_FENCE_OFF.
 */
int ra_fence_main(const struct ra_fence_agent *agent, int argc, char *argv[]);

RA_EXPORT_END

#endif
