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

#define TERM_MS   10000
#define ENDING_MS 1000

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

/*
 * Looking at a process ends in yes, no, or cannot tell (-1 with *err). A process that has gone
 * meanwhile is a no; anything else that goes wrong must not become the proof that it is none.
 */
enum answer { CANNOT_TELL = -1, NO, YES };

static enum answer gone_or_error(const char *what, struct ra_error *err)
{
    if (errno == ENOENT || errno == ESRCH)
        return NO;
    (void)ra_error_set_errno(err, errno, "cannot look at a process: %s", what);
    return CANNOT_TELL;
}

/* A name of QEMU's system emulators; "qemu-kvm" and "kvm" are those of distributions. */
static bool is_emulator_name(const char *name)
{
    return ra_text_starts_with(name, "qemu-") || ra_text_starts_with(name, "kvm");
}

/* /proc/PID/stat, proc(5): the name in parentheses, the state, and the number of threads. */
static bool read_stat(int process, char name[64], char *ret_state, int64_t *ret_threads)
{
    ra_auto_close int fd = openat(process, "stat", O_RDONLY | O_CLOEXEC);
    ra_auto_text_list char **fields = NULL;
    char text[1024];
    ssize_t count = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    size_t known = 0;
    char *begin;
    char *end;

    if (count <= 0)
        return false;
    text[count] = '\0';
    begin = strchr(text, '(');
    end = strrchr(text, ')');
    if (begin == NULL || end == NULL)
        return false;
    fields = ra_text_split(end + 1, " ");
    while (fields[known] != NULL)
        known++;
    *end = '\0';
    ra_text_join(name, 64, begin + 1, "", "");
    if (known < 18 || ra_number_parse_integer(fields[17], ret_threads) != 0)
        return false;
    *ret_state = fields[0][0];
    return true;
}

/*
 * Is the executable a QEMU? A process whose first thread has ended has no executable any more;
 * while its other threads are stuck in the kernel it may still write, and nobody can say whose it
 * was.
 */
static enum answer is_emulator(int process, struct ra_error *err)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(process, "exe", target, sizeof(target) - 1);
    char name[64];
    char state;
    int64_t threads;
    int errnum = errno;
    const char *base;

    if (length < 0 && errnum == ENOENT && read_stat(process, name, &state, &threads) &&
        state == 'Z' && threads > 1 && is_emulator_name(name)) {
        (void)ra_error_set(err, RA_ERROR_BUSY, "a QEMU process is ending and stuck in the kernel");
        return CANNOT_TELL;
    }
    errno = errnum;
    if (length < 0)
        return gone_or_error("readlink exe", err);
    target[length] = '\0';
    base = strrchr(target, '/');
    return is_emulator_name(base == NULL ? target : base + 1) ? YES : NO;
}

/*
 * The whole argument vector has -name guest=NAME; its words are separated by NUL bytes. `uuid`
 * becomes what follows -uuid.
 */
static enum answer has_name(int process, const char *name, char uuid[RA_VIRT_UUID_BYTES],
                            struct ra_error *err)
{
    ra_auto_close int fd = openat(process, "cmdline", O_RDONLY | O_CLOEXEC);
    ra_auto_text_buffer struct ra_text_buffer arguments = { 0 };
    const char *previous = "";
    enum answer answer = NO;
    char chunk[4096];
    ssize_t count = -1;

    while (fd >= 0 && (count = read(fd, chunk, sizeof(chunk))) > 0)
        ra_text_buffer_add_bytes(&arguments, chunk, (size_t)count);
    if (count < 0)
        return gone_or_error("read cmdline", err);
    ra_text_buffer_add(&arguments, "");
    for (size_t at = 0; at < arguments.used_bytes; at += strlen(arguments.data + at) + 1) {
        if (ra_text_equal(previous, "-name") && is_name_argument(arguments.data + at, name))
            answer = YES;
        if (ra_text_equal(previous, "-uuid"))
            ra_text_join(uuid, RA_VIRT_UUID_BYTES, arguments.data + at, "", "");
        previous = arguments.data + at;
    }
    return answer;
}

/*
 * A guest is what has the arguments and the executable; what has the arguments alone may be a QEMU
 * under a name of its own, so it is not touched, and not nothing either.
 *
 * Look, hold the process, look again: what is the guest's before and after was so all the time,
 * and the pidfd is that of the process looked at, because its number was in use.
 */
static enum answer examine(int64_t pid, const char *name, struct ra_virt_emulator *ret_emulator,
                           struct ra_error *err)
{
    ra_auto_free char *path = ra_text_format("%s/%lld", proc_directory, (long long)pid);
    ra_auto_close int process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    ra_auto_close int pidfd = -1;
    enum answer answer = process < 0 ? gone_or_error("open", err) : is_emulator(process, err);
    char uuid[RA_VIRT_UUID_BYTES] = "";
    char ignored[64];
    char state = 'X';
    int64_t threads;
    enum answer named =
        answer == CANNOT_TELL || process < 0 ? answer : has_name(process, name, uuid, err);

    if (named != YES)
        return named;
    if (answer == NO) {
        (void)ra_error_set(err, RA_ERROR_BUSY,
                           "process %lld has the arguments of the QEMU of guest %s, but another "
                           "executable",
                           (long long)pid, name);
        return CANNOT_TELL;
    }
    pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    if (pidfd < 0)
        return gone_or_error("pidfd_open", err);
    answer = has_name(process, name, uuid, err);
    if (answer != YES)
        return answer;
    (void)read_stat(process, ignored, &state, &threads);
    *ret_emulator = (struct ra_virt_emulator){ .pid = (pid_t)pid,
                                               .stopped = state == 'T' || state == 't',
                                               .pidfd = ra_steal_fd(&pidfd) };
    memcpy(ret_emulator->uuid, uuid, sizeof(uuid));
    return YES;
}

static enum answer examine_pid_file(const char *name, struct ra_virt_emulator *ret_emulator,
                                    struct ra_error *err)
{
    ra_auto_free char *path = ra_text_format("%s/%s.pid", pid_file_directory, name);
    ra_auto_free char *text = NULL;
    int64_t pid;

    /* A pid file is a short cut, no more: without it, or with a wrong one, all are looked at. */
    if (ra_file_read(path, 64, &text, NULL) != 0)
        return NO;
    text[strcspn(text, "\n")] = '\0';
    if (ra_number_parse_integer(text, &pid) != 0 || pid <= 1 || pid > INT_MAX)
        return NO;
    return examine(pid, name, ret_emulator, err);
}

static enum answer examine_all(const char *name, struct ra_virt_emulator *ret_emulator,
                               struct ra_error *err)
{
    ra_auto_closedir DIR *directory = opendir(proc_directory);
    struct dirent *entry;
    enum answer answer = NO;
    int64_t pid;

    if (directory == NULL) {
        (void)ra_error_set_errno(err, errno, "cannot read %s", proc_directory);
        return CANNOT_TELL;
    }
    /* One process that says nothing does not keep the guest's own from being found. */
    while ((errno = 0, entry = readdir(directory)) != NULL) {
        enum answer one = NO;

        if (ra_number_parse_integer(entry->d_name, &pid) == 0 && pid > 1 && pid <= INT_MAX)
            one = examine(pid, name, ret_emulator, err);
        if (one == YES)
            return YES;
        if (one == CANNOT_TELL)
            answer = CANNOT_TELL;
    }
    if (errno != 0) {
        (void)ra_error_set_errno(err, errno, "cannot read %s", proc_directory);
        return CANNOT_TELL;
    }
    return answer;
}

int ra_virt_emulator_find(const char *name, struct ra_virt_emulator *ret_emulator,
                          struct ra_error *err)
{
    struct ra_deadline patience = ra_deadline_after_ms(ENDING_MS);
    struct ra_backoff pause = { .next_ms = 10, .most_ms = 200 };
    struct ra_error local;
    enum answer answer;

    if (err == NULL)
        err = &local;
    do {
        answer = examine_pid_file(name, ret_emulator, err);
        if (answer != YES)
            answer = examine_all(name, ret_emulator, err);
        /* Some guest's QEMU is just ending: soon it will have ended. */
    } while (answer == CANNOT_TELL && err->kind == RA_ERROR_BUSY &&
             ra_backoff_sleep(&pause, patience));
    if (answer == NO)
        return ra_error_set(err, RA_ERROR_NOT_FOUND, "no QEMU process of this node has guest=%s",
                            name);
    return answer == YES ? 0 : -1;
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
