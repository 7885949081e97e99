/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gluster/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <glusterfs/api/glfs.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "gluster/server.h"

#define PING_MS   3000 /* a glusterd that takes longer for its list of programs hangs */
#define REAP_MS   200
#define CHILD_FD  3
#define LOG_LEVEL 0 /* of gfapi: none; its errno values tell enough */

/* --- the child: everything that touches gfapi --- */

enum message_type { PHASE, DONE, FAILED };

struct message {
    enum message_type type;
    size_t server;         /* DONE */
    struct ra_error error; /* FAILED; PHASE uses the text */
};

struct job {
    const struct ra_gluster_volume *volume;
    const struct ra_gluster_check *check; /* NULL: attach only */
    struct ra_deadline deadline;
};

static void tell(const struct message *message)
{
    (void)send(CHILD_FD, message, sizeof(*message), MSG_NOSIGNAL);
}

__attribute__((format(printf, 1, 2))) static void tell_phase(const char *format, ...)
{
    struct message message = { .type = PHASE };
    va_list args;

    va_start(args, format);
    (void)ra_error_vset(&message.error, RA_ERROR_TIMEOUT, format, args);
    va_end(args);
    tell(&message);
}

/*
 * Which servers answer, in their order; the reasons of those that do not are in `reasons`.
 * Asking ends with the first that answers: gfapi gets the ones after it for its own failover.
 */
static int find_server(const struct job *job, size_t *ret_server, struct ra_error *err)
{
    const struct ra_gluster_volume *volume = job->volume;
    ra_auto_text_buffer struct ra_text_buffer reasons = { 0 };

    for (size_t i = 0; i < volume->server_count; i++) {
        struct ra_deadline patience =
            ra_deadline_earlier(ra_deadline_after_ms(PING_MS),
                                ra_deadline_after_ms(ra_deadline_remaining_ms(job->deadline) /
                                                     (int64_t)(volume->server_count - i + 1)));
        struct ra_error reason;

        tell_phase("asking glusterd on %s", volume->servers[i]);
        if (ra_gluster_server_ping(volume->servers[i], volume->port, patience, &reason) == 0) {
            *ret_server = i;
            return 0;
        }
        ra_text_buffer_addf(&reasons, "%s%s: %s", reasons.used_bytes > 0 ? "; " : "",
                            volume->servers[i], reason.text);
    }
    return ra_error_set(err, RA_ERROR_UNREACHABLE, "no server of the volume %s can be asked (%s)",
                        volume->name, reasons.data != NULL ? reasons.data : "none is given");
}

static int explain_attach(const struct ra_gluster_volume *volume, const char *server, int errnum,
                          struct ra_error *err)
{
    switch (errnum) {
    case ENOENT:
        return ra_error_set(err, RA_ERROR_NOT_FOUND, "glusterd on %s knows no volume '%s'", server,
                            volume->name);
    case EIO:
    case ENOTCONN:
    case 0:
        return ra_error_set(err, RA_ERROR_UNREACHABLE,
                            "the volume %s cannot be used: it is not started, or too few of its "
                            "bricks answer for a quorum (glusterd on %s answers)",
                            volume->name, server);
    case EACCES:
    case EPERM:
        return ra_error_set(err, RA_ERROR_PERMISSION,
                            "the volume %s refuses this node (auth.allow, or TLS certificates)",
                            volume->name);
    default:
        return ra_error_set_errno(err, errnum, "cannot attach to the volume %s by %s", volume->name,
                                  server);
    }
}

static int attach(const struct job *job, glfs_t **ret_fs, size_t *ret_server, struct ra_error *err)
{
    const struct ra_gluster_volume *volume = job->volume;
    const char *transport = volume->transport != NULL ? volume->transport : "tcp";
    int port = volume->port != 0 ? volume->port : RA_GLUSTER_PORT;
    size_t first = 0;
    glfs_t *fs;

    if (find_server(job, &first, err) != 0)
        return -1;
    tell_phase("attaching to the volume %s by %s", volume->name, volume->servers[first]);
    fs = glfs_new(volume->name);
    if (fs == NULL)
        return ra_error_set_errno(err, errno, "cannot prepare gfapi for the volume %s",
                                  volume->name);
    (void)glfs_set_logging(fs, "/dev/null", LOG_LEVEL);
    for (size_t i = first; i < volume->server_count; i++)
        if (glfs_set_volfile_server(fs, transport, volume->servers[i], port) != 0)
            return ra_error_set_errno(err, errno, "gfapi does not take the server %s",
                                      volume->servers[i]);
    errno = 0;
    if (glfs_init(fs) != 0)
        return explain_attach(volume, volume->servers[first], errno, err);
    *ret_fs = fs;
    *ret_server = first;
    return 0;
}

static int unusable(const struct job *job, const char *doing, int errnum, struct ra_error *err)
{
    enum ra_error_kind kind = errnum == ENOTCONN || errnum == EIO || errnum == EROFS
                                  ? RA_ERROR_UNREACHABLE
                                  : ra_error_kind_of_errno(errnum);

    return ra_error_set(err, kind, "the volume %s cannot be used: %s %s: %s%s", job->volume->name,
                        doing, job->check->path, strerror(errnum),
                        errnum == ENOTCONN ? " (too few of its bricks answer for a quorum)" : "");
}

static int make_directories(const struct job *job, glfs_t *fs, struct ra_error *err)
{
    ra_auto_free char *path = ra_text_copy(job->check->path);

    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (glfs_mkdir(fs, path, 0755) != 0 && errno != EEXIST)
            return unusable(job, "creating the directory of", errno, err);
        *slash = '/';
    }
    return 0;
}

static int write_file(const struct job *job, glfs_t *fs, struct ra_error *err)
{
    size_t length = strlen(job->check->content);
    glfs_fd_t *file;
    ssize_t count;

    tell_phase("writing %s on the volume %s", job->check->path, job->volume->name);
    file = glfs_creat(fs, job->check->path, O_RDWR | O_TRUNC, 0600);
    if (file == NULL)
        return unusable(job, "creating", errno, err);
    count = glfs_write(file, job->check->content, length, 0);
    if (count < 0)
        return unusable(job, "writing", errno, err);
    if ((size_t)count != length)
        return unusable(job, "writing", ENOSPC, err);
    tell_phase("syncing %s on the volume %s", job->check->path, job->volume->name);
    if (glfs_fsync(file, NULL, NULL) != 0)
        return unusable(job, "syncing", errno, err);
    return glfs_close(file) == 0 ? 0 : unusable(job, "closing", errno, err);
}

static int read_back(const struct job *job, glfs_t *fs, struct ra_error *err)
{
    size_t length = strlen(job->check->content);
    ra_auto_free char *content = calloc(1, length + 2);
    glfs_fd_t *file;
    ssize_t count;

    if (content == NULL)
        abort();
    tell_phase("reading %s on the volume %s", job->check->path, job->volume->name);
    file = glfs_open(fs, job->check->path, O_RDONLY);
    if (file == NULL)
        return unusable(job, "opening", errno, err);
    count = glfs_read(file, content, length + 1, 0);
    if (count < 0)
        return unusable(job, "reading", errno, err);
    if ((size_t)count != length || strcmp(content, job->check->content) != 0)
        return ra_error_set(err, RA_ERROR_PROTOCOL,
                            "the volume %s gives back something else than was written to %s",
                            job->volume->name, job->check->path);
    return 0;
}

static int check(const struct job *job, glfs_t *fs, struct ra_error *err)
{
    struct stat status;

    if (!job->check->read_only)
        return make_directories(job, fs, err) == 0 && write_file(job, fs, err) == 0 &&
                       read_back(job, fs, err) == 0
                   ? 0
                   : -1;
    tell_phase("looking at the volume %s", job->volume->name);
    return glfs_stat(fs, "/", &status) == 0 ? 0 : unusable(job, "looking at", errno, err);
}

__attribute__((noreturn)) static void run_child(const struct job *job, int socket_fd)
{
    struct message message = { .type = DONE };
    int null = open("/dev/null", O_RDWR);
    glfs_t *fs = NULL;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGTERM, SIG_DFL);
    ra_log_set_sink(NULL);
    for (int fd = 0; fd < CHILD_FD; fd++)
        (void)dup2(null, fd);
    if (socket_fd != CHILD_FD)
        (void)dup2(socket_fd, CHILD_FD);
    (void)syscall(SYS_close_range, (unsigned)CHILD_FD + 1, ~0U, 0U);
    if (attach(job, &fs, &message.server, &message.error) != 0 ||
        (job->check != NULL && check(job, fs, &message.error) != 0))
        message.type = FAILED;
    tell(&message);
    _exit(0);
}

/* --- the parent: nothing but waiting --- */

static int timed_out(const struct job *job, const char *phase, struct ra_error *err)
{
    return ra_error_set(err, RA_ERROR_TIMEOUT, "the volume %s does not answer: timed out while %s",
                        job->volume->name, phase);
}

static int follow(const struct job *job, int socket_fd, size_t *ret_server, struct ra_error *err)
{
    struct pollfd readable = { .fd = socket_fd, .events = POLLIN };
    struct message message;
    char phase[RA_ERROR_TEXT_BYTES] = "starting";

    for (;;) {
        ssize_t count;

        if (poll(&readable, 1, ra_deadline_remaining_int_ms(job->deadline)) < 0 && errno != EINTR)
            return ra_error_set_errno(err, errno, "poll");
        count = recv(socket_fd, &message, sizeof(message), MSG_DONTWAIT);
        if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR))
            return ra_error_set(err, RA_ERROR_SYSTEM, "the gfapi process crashed while %s", phase);
        if (count < 0 && ra_deadline_expired(job->deadline))
            return timed_out(job, phase, err);
        if (count < 0)
            continue;
        if (message.type == PHASE) {
            ra_text_join(phase, sizeof(phase), message.error.text, "", "");
            ra_log_note("gfapi: %s", phase);
        } else if (message.type == DONE) {
            *ret_server = message.server;
            return 0;
        } else {
            return ra_error_set(err, message.error.kind, "%s", message.error.text);
        }
    }
}

/*
 * gfapi's threads end with the process, and its end of the socket with them; a process in the
 * kernel's hands is left behind.
 */
static void end_child(pid_t pid, int socket_fd)
{
    struct pollfd ended = { .fd = socket_fd, .events = 0 };

    (void)kill(pid, SIGKILL);
    if (poll(&ended, 1, REAP_MS) > 0)
        (void)waitpid(pid, NULL, 0);
}

static int run(const struct job *job, size_t *ret_server, struct ra_error *err)
{
    ra_auto_close int socket_fd = -1;
    int ends[2];
    int result;
    pid_t pid;
    RA_LOG_CALL("%s the volume %s", job->check != NULL ? "checking" : "attaching to",
                job->volume->name);

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return ra_error_set_errno(err, errno, "cannot make a socket pair");
    socket_fd = ends[0];
    pid = fork();
    if (pid == 0)
        run_child(job, ends[1]);
    (void)close(ends[1]);
    if (pid < 0)
        return ra_error_set_errno(err, errno, "cannot make a process");
    result = follow(job, socket_fd, ret_server, err);
    end_child(pid, socket_fd);
    return result;
}

int ra_gluster_volume_attach(const struct ra_gluster_volume *volume, struct ra_deadline deadline,
                             size_t *ret_server, struct ra_error *err)
{
    const struct job job = { .volume = volume, .deadline = deadline };

    return run(&job, ret_server, err);
}

int ra_gluster_volume_check(const struct ra_gluster_volume *volume,
                            const struct ra_gluster_check *check_, struct ra_deadline deadline,
                            struct ra_error *err)
{
    const struct job job = { .volume = volume, .check = check_, .deadline = deadline };
    size_t server;

    return run(&job, &server, err);
}
