/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mount/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "base/proc.h"

#define ARGUMENTS_BYTES 8192

bool ra_mount_is_fuse(const struct ra_mount_entry *entry)
{
    return strcmp(entry->fstype, "fuse") == 0 || strcmp(entry->fstype, "fuseblk") == 0 ||
           ra_text_starts_with(entry->fstype, "fuse.");
}

static bool names_target(int process_fd, const char *target)
{
    char arguments[ARGUMENTS_BYTES];
    size_t length = ra_proc_read(process_fd, "cmdline", arguments, sizeof(arguments));

    for (const char *argument = arguments; argument < arguments + length;
         argument += strlen(argument) + 1)
        if (strcmp(argument, target) == 0)
            return true;
    return false;
}

/*
 * Does the process have the mount's connection open? `by_arguments` counts an open /dev/fuse of
 * unknown connection too.
 */
static bool has_connection(int process_fd, const struct ra_mount_entry *entry, bool by_arguments)
{
    ra_auto_closedir DIR *fds = ra_proc_opendir(process_fd, "fd");
    int fd;

    while (fds != NULL && (fd = ra_proc_next_fd(fds)) >= 0) {
        char name[32], link[32];
        ssize_t length;
        int64_t connection;

        (void)snprintf(name, sizeof(name), "fd/%d", fd);
        length = readlinkat(process_fd, name, link, sizeof(link) - 1);
        if (length <= 0)
            continue;
        link[length] = '\0';
        if (strcmp(link, "/dev/fuse") != 0)
            continue;
        (void)snprintf(name, sizeof(name), "fdinfo/%d", fd);
        connection = ra_proc_number(process_fd, name, "fuse_connection");
        if (connection >= 0 ? connection == (int64_t)minor(entry->devno) : by_arguments)
            return true;
    }
    return false;
}

static bool find(const struct ra_mount_entry *entry, bool by_arguments,
                 struct ra_mount_daemon *ret_daemon)
{
    ra_auto_closedir DIR *proc = opendir("/proc");
    int process_fd = -1;
    pid_t pid;

    while (proc != NULL && (pid = ra_proc_next(proc, &process_fd)) != 0) {
        ra_auto_close int fd = process_fd;
        struct ra_proc_status status;

        if ((by_arguments && !names_target(fd, entry->target)) ||
            !has_connection(fd, entry, by_arguments) || !ra_proc_status(fd, &status))
            continue;
        ret_daemon->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (ret_daemon->pidfd < 0 && errno == ESRCH)
            continue;
        ret_daemon->pid = pid;
        ra_text_join(ret_daemon->name, sizeof(ret_daemon->name), status.name, "", "");
        return true;
    }
    return false;
}

struct ra_mount_daemon ra_mount_daemon_find(const struct ra_mount_entry *entry)
{
    struct ra_mount_daemon daemon = { .pidfd = -1 };

    if (!ra_mount_is_fuse(entry))
        return daemon;
    /* Nearly every daemon has its mount point among its arguments: that is the quick way. */
    if (!find(entry, true, &daemon))
        (void)find(entry, false, &daemon);
    return daemon;
}

static bool has_ended(int pidfd, struct ra_deadline deadline)
{
    struct pollfd ended = { .fd = pidfd, .events = POLLIN };

    do {
        if (poll(&ended, 1, ra_deadline_remaining_int_ms(deadline)) > 0)
            return true;
    } while (!ra_deadline_expired(deadline));
    return false;
}

int ra_mount_daemon_end(struct ra_mount_daemon *daemon, struct ra_deadline patience,
                        struct ra_deadline deadline, struct ra_error *err)
{
    ra_auto_close int pidfd = ra_steal_fd(&daemon->pidfd);
    RA_LOG_CALL("waiting for the end of %s[%d]", daemon->name, (int)daemon->pid);

    if (pidfd < 0)
        return ra_error_set(err, RA_ERROR_SYSTEM, "cannot tell whether %s[%d] has ended",
                            daemon->name, (int)daemon->pid);
    if (has_ended(pidfd, ra_deadline_earlier(patience, deadline)))
        return 0;
    ra_log_warning("%s[%d] goes on without its mount and is killed", daemon->name,
                   (int)daemon->pid);
    if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) != 0 && errno != ESRCH)
        return ra_error_set_errno(err, errno, "cannot kill %s[%d]", daemon->name, (int)daemon->pid);
    if (!has_ended(pidfd, deadline))
        return ra_error_set(err, RA_ERROR_TIMEOUT, "%s[%d] does not end though it was killed",
                            daemon->name, (int)daemon->pid);
    return 0;
}
