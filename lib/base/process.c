/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

#define OUTPUT_MOST_BYTES 16384
#define REAP_MS           1000
#define SLICE_MS          20

static int spawn(const char *const argv[], int output_fd, bool with_errors, pid_t *ret_pid,
                 struct ra_error *err)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int failed;

    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    (void)posix_spawn_file_actions_init(&files);
    (void)posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_adddup2(&files, output_fd, STDOUT_FILENO);
    if (with_errors)
        (void)posix_spawn_file_actions_adddup2(&files, output_fd, STDERR_FILENO);
    else
        (void)posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                    POSIX_SPAWN_SETSIGDEF);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setsigdefault(&attributes, &all);
    failed = posix_spawnp(ret_pid, argv[0], &files, &attributes, (char *const *)(uintptr_t)argv,
                          environ);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&files);
    if (failed == ENOENT)
        return ra_error_set(err, RA_ERROR_MISSING, "the program %s is not installed", argv[0]);
    if (failed != 0)
        return ra_error_set_errno(err, failed, "cannot run %s", argv[0]);
    return 0;
}

/* Takes what is there now; false at the end of the stream. */
static bool drain(int fd, struct ra_text_buffer *output)
{
    char chunk[4096];
    ssize_t count;

    while ((count = read(fd, chunk, sizeof(chunk))) > 0)
        if (output != NULL && output->used_bytes + (size_t)count <= OUTPUT_MOST_BYTES)
            ra_text_buffer_add_bytes(output, chunk, (size_t)count);
    return count < 0 && (errno == EAGAIN || errno == EINTR);
}

int ra_process_watch(pid_t child)
{
    return (int)syscall(SYS_pidfd_open, child, 0);
}

int ra_process_slice_ms(int watch_fd, struct ra_deadline deadline)
{
    int remaining_ms = ra_deadline_remaining_int_ms(deadline);

    return watch_fd < 0 && remaining_ms > SLICE_MS ? SLICE_MS : remaining_ms;
}

bool ra_process_has_ended(pid_t child)
{
    siginfo_t info = { 0 };

    return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
           info.si_pid == child;
}

/* Waits for the end of the program, reading its output. False when the deadline came first. */
static bool follow(pid_t pid, int watch_fd, int output_fd, struct ra_deadline deadline,
                   struct ra_text_buffer *output)
{
    struct pollfd fds[] = { { .fd = watch_fd, .events = POLLIN },
                            { .fd = output_fd, .events = POLLIN } };

    for (;;) {
        int ready = poll(fds, 2, ra_process_slice_ms(watch_fd, deadline));

        if (ready < 0 && errno != EINTR)
            return false;
        if (ready > 0 && fds[1].revents != 0 && !drain(output_fd, output))
            fds[1].fd = -1;
        if (ra_process_has_ended(pid)) {
            (void)drain(output_fd, output);
            return true;
        }
        if (ra_deadline_expired(deadline))
            return false;
    }
}

/* Kill the group and take the zombie if there soon is one; a process in D state is left behind. */
static void kill_group(pid_t pid)
{
    struct ra_deadline soon = ra_deadline_after_ms(REAP_MS);
    struct ra_backoff pause = { .next_ms = 1, .most_ms = SLICE_MS };

    (void)kill(-pid, SIGKILL);
    while (!ra_process_has_ended(pid))
        if (!ra_backoff_sleep(&pause, soon))
            return;
    (void)waitpid(pid, NULL, 0);
}

static int run(const char *const argv[], bool with_errors, struct ra_deadline deadline,
               int *ret_exit_status, struct ra_text_buffer *output, struct ra_error *err)
{
    ra_auto_close int reader = -1;
    ra_auto_close int writer = -1;
    ra_auto_close int watch = -1;
    int ends[2];
    int status;
    pid_t pid;
    RA_LOG_CALL("running %s", argv[0]);

    if (pipe2(ends, O_CLOEXEC) != 0)
        return ra_error_set_errno(err, errno, "cannot make a pipe");
    reader = ends[0];
    writer = ends[1];
    if (fcntl(reader, F_SETFL, O_NONBLOCK) != 0)
        return ra_error_set_errno(err, errno, "cannot set up a pipe");
    if (spawn(argv, writer, with_errors, &pid, err) != 0)
        return -1;
    (void)close(ra_steal_fd(&writer));
    watch = ra_process_watch(pid);
    if (!follow(pid, watch, reader, deadline, output)) {
        kill_group(pid);
        return ra_error_set(err, RA_ERROR_TIMEOUT, "%s did not end in time and was killed",
                            argv[0]);
    }
    if (waitpid(pid, &status, 0) != pid)
        return ra_error_set_errno(err, errno, "cannot collect %s", argv[0]);
    *ret_exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return 0;
}

int ra_process_run(const char *const argv[], struct ra_deadline deadline, int *ret_exit_status,
                   struct ra_text_buffer *output, struct ra_error *err)
{
    return run(argv, true, deadline, ret_exit_status, output, err);
}

int ra_process_capture(const char *const argv[], struct ra_deadline deadline, int *ret_exit_status,
                       struct ra_text_buffer *output, struct ra_error *err)
{
    return run(argv, false, deadline, ret_exit_status, output, err);
}
