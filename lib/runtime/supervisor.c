/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "runtime/supervisor.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/number.h"
#include "base/process.h"
#include "base/text.h"
#include "runtime/trace.h"

#define MESSAGE_BYTES 2048
#define PHASES_MOST   16

/* What a worker sends, one datagram each. */
enum message_type { PHASE_BEGAN, PHASE_ENDED, NOTE, WARNING, OUTPUT, RESULT };

struct message {
    enum message_type type;
    int code;            /* RESULT */
    int64_t duration_us; /* PHASE_ENDED */
    char text[MESSAGE_BYTES];
};

/* --- the worker's side
 * --------------------------------------------------------------------------*/

static int worker_socket = -1;
static int cancel_event = -1;
static volatile sig_atomic_t cancel_requested;

static void send_message(enum message_type type, int code, int64_t duration_us, const char *text)
{
    struct message message = { .type = type, .code = code, .duration_us = duration_us };
    size_t length = strnlen(text, sizeof(message.text) - 1);

    memcpy(message.text, text, length);
    (void)send(worker_socket, &message, offsetof(struct message, text) + length + 1, MSG_NOSIGNAL);
}

static void worker_sink(enum ra_log_event event, const char *text, int64_t duration_us)
{
    static const enum message_type types[] = { [RA_LOG_BEGAN] = PHASE_BEGAN,
                                               [RA_LOG_ENDED] = PHASE_ENDED,
                                               [RA_LOG_NOTE] = NOTE,
                                               [RA_LOG_WARNING] = WARNING };

    send_message(types[event], 0, duration_us, text);
}

void ra_action_output(const char *format, ...)
{
    char text[MESSAGE_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    send_message(OUTPUT, 0, 0, text);
}

bool ra_action_cancelled(void)
{
    return cancel_requested != 0;
}

int ra_action_cancel_fd(void)
{
    return cancel_event;
}

static void on_terminate(int signal_number)
{
    const uint64_t one = 1;
    int saved = errno;

    (void)signal_number;
    cancel_requested = 1;
    if (write(cancel_event, &one, sizeof(one)) < 0)
        cancel_requested = 1; /* the descriptor is only a wake-up; the flag is what counts */
    errno = saved;
}

static void set_up_signals(bool cancellable)
{
    struct sigaction terminate = { .sa_handler = cancellable ? on_terminate : SIG_DFL };
    sigset_t none;

    if (cancellable)
        cancel_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)sigaction(SIGTERM, &terminate, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

__attribute__((noreturn)) static void work(const struct ra_supervisor_job *job, int socket_fd,
                                           pid_t parent)
{
    struct ra_result result;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    (void)setsid();
    worker_socket = socket_fd;
    set_up_signals(job->cancellable);
    ra_log_set_sink(worker_sink);
    result = job->run(job->context);
    send_message(RESULT, result.code, 0, result.reason);
    /* Libraries' exit handlers can block (gfapi's for seconds): end here. */
    _exit(0);
}

/* --- the parent's side
 * --------------------------------------------------------------------------*/

struct watch {
    const struct ra_supervisor_job *job;
    int64_t began_ms;
    pid_t worker;
    int socket_fd;
    int worker_fd; /* of ra_process_watch() */
    int signal_fd;
    bool asked_to_end;
    int interrupted_by; /* signal number, 0: none */
    struct ra_deadline kill_at;
    char phases[PHASES_MOST][160]; /* calls that have begun and not ended, the innermost last */
    size_t phase_count;
    char last_phase[160];
    bool have_result;
    struct ra_result result;
};

static void phase_began(struct watch *watch, const char *text)
{
    if (watch->phase_count < PHASES_MOST)
        ra_text_join(watch->phases[watch->phase_count++], sizeof(watch->phases[0]), text, "", "");
    ra_trace_line("> %s", text);
}

static void phase_ended(struct watch *watch, const char *text, int64_t duration_us)
{
    size_t i = watch->phase_count;

    while (i > 0 && strcmp(watch->phases[i - 1], text) != 0)
        i--;
    if (i > 0) {
        memmove(watch->phases[i - 1], watch->phases[i],
                (watch->phase_count - i) * sizeof(watch->phases[0]));
        watch->phase_count--;
    }
    ra_text_join(watch->last_phase, sizeof(watch->last_phase), text, "", "");
    ra_trace_line("< %s: %lld.%03lld ms", text, (long long)(duration_us / 1000),
                  (long long)(duration_us % 1000));
}

static void take_message(struct watch *watch, const struct message *message)
{
    switch (message->type) {
    case PHASE_BEGAN:
        phase_began(watch, message->text);
        break;
    case PHASE_ENDED:
        phase_ended(watch, message->text, message->duration_us);
        break;
    case NOTE:
        ra_trace_line("%s", message->text);
        break;
    case WARNING:
        ra_trace_line("warning: %s", message->text);
        if (!watch->job->quiet)
            (void)fprintf(stderr, "WARNING: %s\n", message->text);
        break;
    case OUTPUT:
        (void)puts(message->text);
        break;
    case RESULT:
    default:
        watch->have_result = true;
        watch->result.code = message->code;
        ra_text_join(watch->result.reason, sizeof(watch->result.reason), message->text, "", "");
        break;
    }
}

/* Takes what is there; false when the worker has closed its end. */
static bool take_messages(struct watch *watch)
{
    struct message message;
    ssize_t count;

    while (!watch->have_result) {
        count = recv(watch->socket_fd, &message, sizeof(message), MSG_DONTWAIT);
        if (count < (ssize_t)offsetof(struct message, text))
            return count < 0 && (errno == EAGAIN || errno == EINTR);
        message.text[sizeof(message.text) - 1] = '\0';
        take_message(watch, &message);
    }
    return true;
}

/* The session id of a process, 0 if it is gone: field 6 of /proc/PID/stat, see proc(5). */
static int64_t session_of(const char *pid)
{
    ra_auto_free char *path = ra_text_format("/proc/%s/stat", pid);
    ra_auto_free char *text = NULL;
    ra_auto_text_list char **fields = NULL;
    const char *after_name;
    int64_t session = 0;

    if (ra_file_read(path, 4096, &text, NULL) != 0)
        return 0;
    after_name = strrchr(text, ')');
    if (after_name == NULL)
        return 0;
    fields = ra_text_split(after_name + 1, " ");
    for (int i = 0; i < 4; i++)
        if (fields[i] == NULL)
            return 0;
    return ra_number_parse_integer(fields[3], &session) == 0 ? session : 0;
}

/*
 * Kill the worker and every process of its session, so that no mount helper or script goes on.
 * Scanning twice catches a child made between the first scan and its parent's death.
 */
static void kill_session(pid_t worker)
{
    (void)kill(worker, SIGKILL);
    (void)kill(-worker, SIGKILL);
    for (int round = 0; round < 2; round++) {
        ra_auto_closedir DIR *proc = opendir("/proc");
        struct dirent *entry;
        int64_t pid;

        while (proc != NULL && (entry = readdir(proc)) != NULL)
            if (ra_number_parse_integer(entry->d_name, &pid) == 0 &&
                session_of(entry->d_name) == worker)
                (void)kill((pid_t)pid, SIGKILL);
    }
}

/* "while connecting to qemu:///system", as much as is known. */
static void describe_phase(const struct watch *watch, char *text, size_t size_bytes)
{
    if (watch->phase_count > 0)
        ra_text_join(text, size_bytes, " while ", watch->phases[watch->phase_count - 1], "");
    else if (watch->last_phase[0] != '\0')
        ra_text_join(text, size_bytes, " after ", watch->last_phase, "");
    else
        text[0] = '\0';
}

static struct ra_result failure_of_worker(const struct watch *watch, const char *what)
{
    char phase[200];

    describe_phase(watch, phase, sizeof(phase));
    return ra_result_failure(RA_ERR_GENERIC, "%s %s%s", watch->job->context->action, what, phase);
}

static struct ra_result out_of_time(const struct watch *watch)
{
    ra_auto_free char *what = NULL;
    int64_t took_ms = ra_deadline_now_ms() - watch->began_ms;

    if (watch->interrupted_by != 0)
        what = ra_text_format("was interrupted by signal %d (%s)", watch->interrupted_by,
                              strsignal(watch->interrupted_by));
    else
        what = ra_text_format("timed out after %lld.%lld s", (long long)(took_ms / 1000),
                              (long long)(took_ms % 1000 / 100));
    return failure_of_worker(watch, what);
}

static struct ra_result worker_died(const struct watch *watch)
{
    ra_auto_free char *what = NULL;
    int status = 0;

    if (waitpid(watch->worker, &status, 0) == watch->worker && WIFSIGNALED(status))
        what = ra_text_format("crashed (signal %d, %s)", WTERMSIG(status),
                              strsignal(WTERMSIG(status)));
    else
        what = ra_text_format("ended without a result (exit status %d)", WEXITSTATUS(status));
    return failure_of_worker(watch, what);
}

/* Ask a cancellable worker to end, and give it what time there is; kill any other at once. */
static void ask_to_end(struct watch *watch)
{
    watch->asked_to_end = true;
    ra_trace_line("asking the action to end");
    if (watch->job->cancellable)
        (void)kill(watch->worker, SIGTERM);
    if (watch->interrupted_by != 0)
        watch->kill_at = ra_deadline_earlier(
            watch->kill_at,
            ra_deadline_after_ms(watch->job->cancellable ? RA_ACTION_CANCEL_MS : 0));
}

static void take_signal(struct watch *watch)
{
    struct signalfd_siginfo info;

    if (read(watch->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        watch->interrupted_by = (int)info.ssi_signo;
        ask_to_end(watch);
    }
}

static struct ra_result follow(struct watch *watch)
{
    struct pollfd fds[] = { { .fd = watch->socket_fd, .events = POLLIN },
                            { .fd = watch->worker_fd, .events = POLLIN },
                            { .fd = watch->signal_fd, .events = POLLIN } };

    for (;;) {
        bool waits_for_cancel = watch->job->cancellable && !watch->asked_to_end;
        struct ra_deadline next =
            waits_for_cancel ? ra_deadline_earlier(watch->kill_at, watch->job->context->deadline)
                             : watch->kill_at;

        if (poll(fds, 3, ra_process_slice_ms(watch->worker_fd, next)) < 0 && errno != EINTR)
            return ra_result_failure(RA_ERR_GENERIC, "poll: %s", strerror(errno));
        if (fds[0].revents != 0 && !take_messages(watch))
            fds[0].fd = -1;
        if (watch->have_result)
            return watch->result;
        if (ra_process_has_ended(watch->worker)) {
            /* Gone: what it sent before it went is still in the socket. */
            (void)take_messages(watch);
            return watch->have_result ? watch->result : worker_died(watch);
        }
        if (fds[2].revents != 0)
            take_signal(watch);
        if (ra_deadline_expired(watch->kill_at)) {
            kill_session(watch->worker);
            return out_of_time(watch);
        }
        if (waits_for_cancel && ra_deadline_expired(watch->job->context->deadline))
            ask_to_end(watch);
    }
}

static int block_signals(struct ra_error *err)
{
    sigset_t set;
    int fd;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd >= 0 ? fd : ra_error_set_errno(err, errno, "signalfd");
}

static int start_worker(const struct ra_supervisor_job *job, struct watch *watch,
                        struct ra_error *err)
{
    pid_t parent = getpid();
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return ra_error_set_errno(err, errno, "socketpair");
    (void)fflush(NULL);
    watch->worker = fork();
    if (watch->worker == 0) {
        (void)close(ends[0]);
        work(job, ends[1], parent);
    }
    (void)close(ends[1]);
    watch->socket_fd = ends[0];
    if (watch->worker < 0)
        return ra_error_set_errno(err, errno, "fork");
    watch->worker_fd = ra_process_watch(watch->worker);
    return 0;
}

struct ra_result ra_supervisor_run(const struct ra_supervisor_job *job)
{
    struct watch watch = { .job = job,
                           .began_ms = ra_deadline_now_ms(),
                           .socket_fd = -1,
                           .worker_fd = -1,
                           .kill_at = job->kill_at };
    struct ra_result result;
    struct ra_error err;

    watch.signal_fd = block_signals(&err);
    if (watch.signal_fd < 0 || start_worker(job, &watch, &err) != 0)
        result = ra_result_failure(RA_ERR_GENERIC, "cannot supervise the action: %s", err.text);
    else
        result = follow(&watch);
    ra_cleanup_close(&watch.socket_fd);
    ra_cleanup_close(&watch.worker_fd);
    ra_cleanup_close(&watch.signal_fd);
    ra_trace_line("%s: code %d%s%s", job->context->action, result.code,
                  result.reason[0] == '\0' ? "" : ", ", result.reason);
    return result;
}
