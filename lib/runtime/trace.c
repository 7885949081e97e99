/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "runtime/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/number.h"
#include "base/text.h"

#define DEFAULT_VARLIB "/var/lib/heartbeat"

static int trace_fd = -1;

static bool variable_is_true(const char *name)
{
    const char *value = getenv(name);
    bool truth = false;

    return value != NULL && ra_number_parse_boolean(value, &truth) == 0 && truth;
}

static const char *variable_or(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return ra_text_is_empty(value) ? otherwise : value;
}

static int make_directories(const char *path, struct ra_error *err)
{
    char directory[PATH_MAX];

    if (strlen(path) >= sizeof(directory))
        return ra_error_set_errno(err, ENAMETOOLONG, "cannot write the trace to %s", path);
    memcpy(directory, path, strlen(path) + 1);
    for (char *slash = strchr(directory + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(directory, 0755) != 0 && errno != EEXIST)
            return ra_error_set_errno(err, errno, "cannot create the trace directory %s",
                                      directory);
        *slash = '/';
    }
    return 0;
}

int ra_trace_open_file(const char *path, struct ra_error *err)
{
    trace_fd = path == NULL
                   ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
                   : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (trace_fd < 0)
        return ra_error_set_errno(err, errno, "cannot write the trace to %s",
                                  path == NULL ? "standard error" : path);
    return 0;
}

static const struct ra_param trace_rows[] = {
    { .name = "trace_ra",
      RA_FIELD_BOOLEAN(struct ra_trace_config, trace_ra),
      .default_text = "0",
      .shortdesc = "Trace each action",
      .longdesc = "Write every call to a daemon or a file system, with its duration, to a file." },
    { .name = "trace_file",
      RA_FIELD_STRING(struct ra_trace_config, trace_file),
      .default_text = "",
      .shortdesc = "File that the trace is appended to",
      .longdesc = "One file for every action. Without it each action has a file of its own below "
                  "trace_dir." },
    { .name = "trace_dir",
      RA_FIELD_STRING(struct ra_trace_config, trace_dir),
      .default_text = "",
      .shortdesc = "Directory of the traces",
      .longdesc = "By default " DEFAULT_VARLIB "/trace_ra." },
};
const struct ra_param_table ra_trace_params = RA_PARAMS(trace_rows);

/* The file that a shell agent would use; the instance cannot lead out of the directory. */
static char *default_path(const struct ra_trace_config *config, const char *type,
                          const char *instance, const char *action)
{
    ra_auto_free char *otherwise =
        ra_text_format("%s/trace_ra", variable_or("HA_VARLIB", DEFAULT_VARLIB));
    const char *directory = ra_text_is_empty(config->trace_dir) ? otherwise : config->trace_dir;
    ra_auto_free char *name = ra_text_replace(instance, "/", "_");
    char when[32];
    time_t now = time(NULL);
    struct tm local;

    (void)localtime_r(&now, &local);
    (void)strftime(when, sizeof(when), "%Y-%m-%d.%H:%M:%S", &local);
    return ra_text_format("%s/%s/%s.%s.%s", directory, type, name, action, when);
}

int ra_trace_open_ocf(const struct ra_trace_config *config, const char *type, const char *instance,
                      const char *action, struct ra_error *err)
{
    const char *parameter = config->trace_file != NULL ? config->trace_file : "";
    const char *file = variable_or("OCF_TRACE_FILE", parameter);
    ra_auto_free char *path = NULL;

    if (!config->trace_ra && !variable_is_true("OCF_TRACE_RA"))
        return 0;
    if (file[0] >= '3' && file[0] <= '9' && file[1] == '\0') {
        trace_fd = fcntl(file[0] - '0', F_DUPFD_CLOEXEC, 3);
        if (trace_fd < 0)
            return ra_error_set_errno(err, errno, "OCF_TRACE_FILE=%s", file);
        return 0;
    }
    if (strcmp(file, "/dev/stderr") == 0 || (file[0] != '/' && isatty(STDIN_FILENO)))
        return ra_trace_open_file(NULL, err);
    path = file[0] == '/' ? ra_text_copy(file) : default_path(config, type, instance, action);
    if (make_directories(path, err) != 0)
        return -1;
    return ra_trace_open_file(path, err);
}

void ra_trace_line(const char *format, ...)
{
    char line[2048];
    struct timeval now;
    struct tm local;
    va_list args;
    size_t used;

    if (trace_fd < 0)
        return;
    (void)gettimeofday(&now, NULL);
    (void)localtime_r(&now.tv_sec, &local);
    used = strftime(line, sizeof(line), "%H:%M:%S", &local);
    used += (size_t)snprintf(line + used, sizeof(line) - used, ".%06ld ", (long)now.tv_usec);
    va_start(args, format);
    (void)vsnprintf(line + used, sizeof(line) - used - 1, format, args);
    va_end(args);
    used = strlen(line);
    line[used++] = '\n';
    /* A trace that cannot be written (disk full) must not change the action's result. */
    if (write(trace_fd, line, used) < 0)
        trace_fd = -1;
}
