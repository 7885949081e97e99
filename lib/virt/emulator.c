/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "virt/emulator.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/number.h"
#include "base/text.h"

#define TERM_MS         10000
#define ARGUMENTS_BYTES (256 * 1024)

static const char *proc_directory = "/proc";
static const char *pid_file_directory = "/run/libvirt/qemu";

void ra_virt_emulator_set_directories(const char *proc, const char *pid_files)
{
    proc_directory = proc;
    pid_file_directory = pid_files;
}

bool ra_virt_emulator_covers(const char *uri)
{
    /* A host in the URI would be another node. */
    return uri != NULL &&
           (ra_text_starts_with(uri, "qemu:///") || ra_text_starts_with(uri, "qemu+unix:///"));
}

/* libvirt doubles commas in the values of QEMU's options. */
static bool is_name_argument(const char *argument, const char *name)
{
    ra_auto_free char *escaped = ra_text_replace(name, ",", ",,");
    size_t length = strlen(escaped);

    if (!ra_text_starts_with(argument, "guest="))
        return false;
    argument += strlen("guest=");
    return strncmp(argument, escaped, length) == 0 &&
           (argument[length] == '\0' || (argument[length] == ',' && argument[length + 1] != ','));
}

/* A name of QEMU's system emulators; "qemu-kvm" and "kvm" are those of distributions. */
static bool is_emulator(int process)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(process, "exe", target, sizeof(target) - 1);
    const char *base;

    if (length <= 0)
        return false;
    target[length] = '\0';
    base = strrchr(target, '/');
    base = base == NULL ? target : base + 1;
    return ra_text_starts_with(base, "qemu-") || ra_text_starts_with(base, "kvm");
}

/* The whole argument vector; the words are separated by NUL bytes. Returns its length. */
static size_t read_arguments(int process, char *buffer, size_t size_bytes)
{
    ra_auto_close int fd = openat(process, "cmdline", O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    ssize_t count;

    if (fd < 0)
        return 0;
    while (used < size_bytes - 1 && (count = read(fd, buffer + used, size_bytes - 1 - used)) > 0)
        used += (size_t)count;
    buffer[used] = '\0';
    return used;
}

static bool has_name(int process, const char *name)
{
    ra_auto_free char *arguments = malloc(ARGUMENTS_BYTES);
    const char *previous = "";
    size_t length;

    if (arguments == NULL)
        abort();
    length = read_arguments(process, arguments, ARGUMENTS_BYTES);
    for (size_t at = 0; at < length; at += strlen(arguments + at) + 1) {
        if (ra_text_equal(previous, "-name") && is_name_argument(arguments + at, name))
            return true;
        previous = arguments + at;
    }
    return false;
}

/* The letter of /proc/PID/stat, which follows the last ')'; 'X' for a process that is gone. */
static char read_state(int process)
{
    ra_auto_close int fd = openat(process, "stat", O_RDONLY | O_CLOEXEC);
    char text[512];
    ssize_t count = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    const char *end;

    if (count <= 0)
        return 'X';
    text[count] = '\0';
    end = strrchr(text, ')');
    return end == NULL || end[1] != ' ' ? 'X' : end[2];
}

/*
 * Hold the process first, look at it then: if it still runs after the look, what was seen is its
 * own. True if it is the guest's.
 */
static bool examine(int64_t pid, const char *name, struct ra_virt_emulator *ret_emulator)
{
    ra_auto_free char *path = ra_text_format("%s/%lld", proc_directory, (long long)pid);
    ra_auto_close int process = -1;
    ra_auto_close int pidfd = -1;
    char state;

    process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (process < 0 || !is_emulator(process) || !has_name(process, name))
        return false;
    pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    /* Once more: the descriptor could be that of a process that took over the number. */
    if (pidfd < 0 || !is_emulator(process) || !has_name(process, name))
        return false;
    state = read_state(process);
    if (state == 'Z' || state == 'X')
        return false;
    *ret_emulator = (struct ra_virt_emulator){ .pid = (pid_t)pid,
                                               .stopped = state == 'T' || state == 't',
                                               .pidfd = ra_steal_fd(&pidfd) };
    return true;
}

static bool find_by_pid_file(const char *name, struct ra_virt_emulator *ret_emulator)
{
    ra_auto_free char *path = ra_text_format("%s/%s.pid", pid_file_directory, name);
    ra_auto_free char *text = NULL;
    int64_t pid;

    if (ra_file_read(path, 64, &text, NULL) != 0)
        return false;
    text[strcspn(text, "\n")] = '\0';
    return ra_number_parse_integer(text, &pid) == 0 && pid > 1 && pid <= INT_MAX &&
           examine(pid, name, ret_emulator);
}

int ra_virt_emulator_find(const char *name, struct ra_virt_emulator *ret_emulator,
                          struct ra_error *err)
{
    ra_auto_closedir DIR *directory = NULL;
    struct dirent *entry;
    int64_t pid;

    if (find_by_pid_file(name, ret_emulator))
        return 0;
    directory = opendir(proc_directory);
    if (directory == NULL)
        return ra_error_set_errno(err, errno, "cannot read %s", proc_directory);
    while (errno = 0, (entry = readdir(directory)) != NULL) {
        if (ra_number_parse_integer(entry->d_name, &pid) == 0 && pid > 1 && pid <= INT_MAX &&
            examine(pid, name, ret_emulator))
            return 0;
    }
    if (errno != 0)
        return ra_error_set_errno(err, errno, "cannot read %s", proc_directory);
    return ra_error_set(err, RA_ERROR_NOT_FOUND, "no QEMU process of this node has guest=%s", name);
}

/* True once the process is gone. */
static bool wait_gone(int pidfd, struct ra_deadline deadline)
{
    struct pollfd fd = { .fd = pidfd, .events = POLLIN };
    int count;

    do
        count = poll(&fd, 1, ra_deadline_remaining_int_ms(deadline));
    while (count < 0 && errno == EINTR);
    return count > 0;
}

static int send_signal(const struct ra_virt_emulator *emulator, int number, struct ra_error *err)
{
    if (syscall(SYS_pidfd_send_signal, emulator->pidfd, number, NULL, 0) != 0 && errno != ESRCH)
        return ra_error_set_errno(err, errno, "cannot signal the QEMU process %d", emulator->pid);
    return 0;
}

int ra_virt_emulator_kill(const struct ra_virt_emulator *emulator, struct ra_deadline deadline,
                          struct ra_error *err)
{
    int64_t half_ms = ra_deadline_remaining_ms(deadline) / 2;
    struct ra_deadline term = ra_deadline_after_ms(half_ms < TERM_MS ? half_ms : TERM_MS);
    RA_LOG_CALL("ending the QEMU process %d", emulator->pid);

    if (send_signal(emulator, SIGTERM, err) != 0)
        return -1;
    if (wait_gone(emulator->pidfd, term))
        return 0;
    if (send_signal(emulator, SIGKILL, err) != 0)
        return -1;
    if (wait_gone(emulator->pidfd, deadline))
        return 0;
    return ra_error_set(err, RA_ERROR_TIMEOUT,
                        "the QEMU process %d did not end after SIGKILL: it is stuck in the kernel",
                        emulator->pid);
}
