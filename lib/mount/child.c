/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mount/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/proc.h"

#define REAP_MS           200
#define OUTPUT_MOST_BYTES 16384
#define PAUSE_MOST_MS     200
#define FAMILY_MOST       256

/*
 * The child holds the one writing end of its lifeline, so the reading end tells of its end. What
 * it executes does not get it, and so a daemon that it leaves behind does not keep us waiting.
 */
#define LIFELINE_FD 3

struct child {
    struct ra_mount_child_id id;
    int lifeline;
    int reader; /* -1 without output */
    int gate;   /* it sends a byte when it can be written down; ours lets it begin */
};

static void set_up_descriptors(int lifeline, int writer)
{
    int null = open("/dev/null", O_RDWR);

    (void)dup2(null, STDIN_FILENO);
    (void)dup2(writer >= 0 ? writer : null, STDOUT_FILENO);
    (void)dup2(writer >= 0 ? writer : null, STDERR_FILENO);
    if (lifeline != LIFELINE_FD)
        (void)dup3(lifeline, LIFELINE_FD, O_CLOEXEC);
    (void)syscall(SYS_close_range, LIFELINE_FD + 1U, ~0U, 0U);
}

/* Nothing is done before the parent has written down that we exist. */
static void wait_at_gate(const int gate[2])
{
    char byte;

    (void)close(gate[1]);
    if (send(gate[0], "", 1, MSG_NOSIGNAL) != 1 || read(gate[0], &byte, 1) != 1)
        _exit(0);
}

__attribute__((noreturn)) static void run_in_child(ra_mount_child_function *function,
                                                   void *argument, bool is_recorded,
                                                   const int gate[2], int lifeline, int writer)
{
    sigset_t none;

    /*
     * What is written down is not killed with the action's session: its descendants, which may be
     * in sessions of their own, would then be nobody's. Whoever reads the record ends it with them.
     */
    if (is_recorded)
        (void)setsid();
    else
        (void)setpgid(0, 0);
    /* Daemons of a mount helper stay our descendants until we have ended. */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGPIPE, SIG_DFL);
    ra_log_set_sink(NULL);
    wait_at_gate(gate);
    set_up_descriptors(lifeline, writer);
    _exit(function(argument) & 0xff);
}

static int start(ra_mount_child_function *function, void *argument, bool is_recorded,
                 bool with_output, struct child *child, struct ra_error *err)
{
    int lifeline[2] = { -1, -1 }, output[2] = { -1, -1 }, gate[2] = { -1, -1 };
    int failed = 0;

    if (pipe2(lifeline, O_CLOEXEC) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, gate) != 0 ||
        (with_output && pipe2(output, O_CLOEXEC | O_NONBLOCK) != 0)) {
        failed = errno;
    } else {
        child->id.pid = fork();
        failed = child->id.pid < 0 ? errno : 0;
    }
    if (child->id.pid == 0) {
        /* Only our end is non-blocking. */
        if (with_output)
            (void)fcntl(output[1], F_SETFL, 0);
        run_in_child(function, argument, is_recorded, gate, lifeline[1], output[1]);
    }
    ra_cleanup_close(&lifeline[1]);
    ra_cleanup_close(&output[1]);
    ra_cleanup_close(&gate[0]);
    child->lifeline = lifeline[0];
    child->reader = output[0];
    child->gate = gate[1];
    if (failed != 0)
        return ra_error_set_errno(err, failed, "cannot make a process");
    if (!is_recorded)
        (void)setpgid(child->id.pid, child->id.pid);
    return 0;
}

/* --- a child by its id --- */

static int open_process(pid_t pid)
{
    char path[32];

    (void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int find_id(pid_t pid, struct ra_mount_child_id *ret_id, struct ra_error *err)
{
    ra_auto_close int fd = open_process(pid);
    struct ra_proc_status status;

    if (fd < 0 || !ra_proc_status(fd, &status))
        return ra_error_set(err, RA_ERROR_SYSTEM, "cannot read /proc/%d/stat", (int)pid);
    *ret_id = (struct ra_mount_child_id){ .pid = pid,
                                          .session = status.session,
                                          .start_ticks = status.start_ticks };
    return 0;
}

/* Is it the child itself, or, of its group, somebody who came later? */
static bool is_member(const struct ra_mount_child_id *id, pid_t pid,
                      const struct ra_proc_status *status)
{
    if (pid == id->pid)
        return status->start_ticks == id->start_ticks;
    return status->group == id->pid && status->session == id->session &&
           status->start_ticks >= id->start_ticks;
}

enum leader {
    LEADER_RUNS,
    LEADER_HAS_ENDED, /* but nobody has collected it: the number is still its own */
    LEADER_IS_GONE,
    LEADER_IS_OTHER, /* the number is another process's by now */
    LEADER_UNCLEAR,
};

/* The child itself. */
static enum leader look_at_leader(const struct ra_mount_child_id *id)
{
    ra_auto_close int fd = open_process(id->pid);
    struct ra_proc_status status;

    if (fd < 0)
        return errno == ENOENT || errno == ESRCH ? LEADER_IS_GONE : LEADER_UNCLEAR;
    if (!ra_proc_status(fd, &status))
        return LEADER_IS_GONE;
    if (!is_member(id, id->pid, &status))
        return LEADER_IS_OTHER;
    return ra_proc_has_ended(fd) ? LEADER_HAS_ENDED : LEADER_RUNS;
}

static bool has_no_group(const struct ra_mount_child_id *id)
{
    return kill(-id->pid, 0) != 0 && errno == ESRCH;
}

pid_t ra_mount_child_running(const struct ra_mount_child_id *id)
{
    ra_auto_closedir DIR *proc = NULL;
    int process_fd = -1;
    bool found_group = false;
    enum leader leader = look_at_leader(id);
    pid_t pid;

    if (leader == LEADER_RUNS || leader == LEADER_UNCLEAR)
        return id->pid;
    /* The kernel hands no number out again as long as a group or a session has it. */
    if (leader == LEADER_IS_OTHER || has_no_group(id))
        return 0;
    proc = opendir("/proc");
    while (proc != NULL && (pid = ra_proc_next(proc, &process_fd)) != 0) {
        ra_auto_close int fd = process_fd;
        struct ra_proc_status status;

        if (!ra_proc_status(fd, &status))
            continue;
        found_group = found_group || status.group == id->pid;
        if (is_member(id, pid, &status) && !ra_proc_has_ended(fd))
            return pid;
    }
    /* The kernel knows the group: if we have seen none of it, we have not seen everything. */
    return found_group || has_no_group(id) ? 0 : id->pid;
}

struct family {
    pid_t pids[FAMILY_MOST];
    size_t count;
};

static bool is_in_family(const struct family *family, pid_t pid)
{
    for (size_t i = 0; i < family->count; i++)
        if (family->pids[i] == pid)
            return true;
    return false;
}

/* Add the children of those that are known; true if one was found. */
static bool extend_family(struct family *family)
{
    ra_auto_closedir DIR *proc = opendir("/proc");
    size_t before = family->count;
    int process_fd = -1;
    pid_t pid;

    while (proc != NULL && (pid = ra_proc_next(proc, &process_fd)) != 0) {
        ra_auto_close int fd = process_fd;
        struct ra_proc_status status;

        if (family->count < FAMILY_MOST && ra_proc_status(fd, &status) &&
            is_in_family(family, status.parent) && !is_in_family(family, pid))
            family->pids[family->count++] = pid;
    }
    return family->count > before;
}

/*
 * Descendants first: as long as the child lives they stay its descendants, whatever session they
 * went to; a mount helper's daemon would otherwise mount later.
 */
static void kill_descendants(pid_t pid)
{
    struct family family = { .pids = { pid }, .count = 1 };
    size_t killed = 1;

    while (extend_family(&family))
        for (; killed < family.count; killed++)
            (void)kill(family.pids[killed], SIGKILL);
}

void ra_mount_child_end_descendants(void)
{
    do
        kill_descendants(getpid());
    while (wait(NULL) > 0 || errno == EINTR);
}

void ra_mount_child_kill(const struct ra_mount_child_id *id)
{
    enum leader leader = look_at_leader(id);

    if (leader == LEADER_RUNS)
        kill_descendants(id->pid);
    if (leader != LEADER_RUNS && leader != LEADER_HAS_ENDED)
        return;
    /* The number is the child's, and so is the group. */
    (void)kill(-id->pid, SIGKILL);
    (void)kill(id->pid, SIGKILL);
}

pid_t ra_mount_child_wait(const struct ra_mount_child_id *id, struct ra_deadline deadline)
{
    struct ra_backoff pause = { .next_ms = 1, .most_ms = PAUSE_MOST_MS };
    pid_t runs;

    do {
        runs = ra_mount_child_running(id);
    } while (runs != 0 && ra_backoff_sleep(&pause, deadline));
    return runs;
}

/* --- running one --- */

static bool drain(int fd, struct ra_text_buffer *output)
{
    char chunk[4096];
    ssize_t count;

    while ((count = read(fd, chunk, sizeof(chunk))) > 0)
        if (output->used_bytes + (size_t)count <= OUTPUT_MOST_BYTES)
            ra_text_buffer_add_bytes(output, chunk, (size_t)count);
    return count < 0 && (errno == EAGAIN || errno == EINTR);
}

/* True when the child has ended, false when the deadline came first. */
static bool follow(const struct child *child, struct ra_deadline deadline,
                   struct ra_text_buffer *output)
{
    struct pollfd fds[] = { { .fd = child->lifeline, .events = POLLIN },
                            { .fd = child->reader, .events = POLLIN } };

    for (;;) {
        if (poll(fds, 2, ra_deadline_remaining_int_ms(deadline)) < 0 && errno != EINTR)
            return false;
        if (fds[1].revents != 0 && output != NULL && !drain(child->reader, output))
            fds[1].fd = -1;
        if (fds[0].revents != 0) {
            if (output != NULL)
                (void)drain(child->reader, output);
            return true;
        }
        if (ra_deadline_expired(deadline))
            return false;
    }
}

static void abandon(const struct child *child)
{
    struct pollfd ended = { .fd = child->lifeline, .events = POLLIN };

    kill_descendants(child->id.pid);
    (void)kill(-child->id.pid, SIGKILL);
    (void)kill(child->id.pid, SIGKILL);
    if (poll(&ended, 1, REAP_MS) > 0)
        (void)waitpid(child->id.pid, NULL, 0);
}

/* Have it written down, and let it begin. */
static int release(struct child *child, const struct ra_mount_child_watch *watch,
                   struct ra_error *err)
{
    ra_auto_close int gate = ra_steal_fd(&child->gate);
    char ready;

    if (read(gate, &ready, 1) != 1)
        return ra_error_set(err, RA_ERROR_SYSTEM, "a helper process has ended before it began");
    if (watch != NULL && (find_id(child->id.pid, &child->id, err) != 0 ||
                          watch->began(watch->argument, &child->id, err) != 0))
        return -1;
    if (send(gate, "", 1, MSG_NOSIGNAL) != 1)
        return ra_error_set_errno(err, errno, "cannot start a process");
    return 0;
}

static int collect(const struct child *child, int *ret_status, struct ra_error *err)
{
    siginfo_t end = { 0 };
    int status;

    /* Once it is collected, nobody can tell what it leaves from a stranger's group any more. */
    if (waitid(P_PID, (id_t)child->id.pid, &end, WEXITED | WNOWAIT) == 0 &&
        end.si_code != CLD_EXITED)
        (void)kill(-child->id.pid, SIGKILL);
    if (waitpid(child->id.pid, &status, 0) != child->id.pid)
        return ra_error_set_errno(err, errno, "cannot collect a process");
    if (!WIFEXITED(status))
        return ra_error_set(err, RA_ERROR_SYSTEM, "a helper process was ended by signal %d",
                            WTERMSIG(status));
    *ret_status = WEXITSTATUS(status);
    return 0;
}

int ra_mount_child_run(ra_mount_child_function *function, void *argument,
                       const struct ra_mount_child_watch *watch, struct ra_deadline deadline,
                       struct ra_text_buffer *output, int *ret_status, struct ra_error *err)
{
    struct child child = { .id = { .pid = -1 }, .lifeline = -1, .reader = -1, .gate = -1 };
    int result = 1;

    if (start(function, argument, watch != NULL, output != NULL, &child, err) != 0) {
        result = -1;
    } else {
        if (release(&child, watch, err) != 0) {
            abandon(&child);
            result = -1;
        } else if (follow(&child, deadline, output)) {
            result = collect(&child, ret_status, err);
        } else {
            abandon(&child);
        }
        /* With an answer the work is done, and what is left of its group are daemons. */
        if (watch != NULL &&
            (result == 0 ||
             ra_mount_child_wait(&child.id, ra_deadline_after_ms(result < 0 ? REAP_MS : 0)) == 0))
            watch->ended(watch->argument, &child.id);
    }
    ra_cleanup_close(&child.lifeline);
    ra_cleanup_close(&child.reader);
    ra_cleanup_close(&child.gate);
    return result;
}
