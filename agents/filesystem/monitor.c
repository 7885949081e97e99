/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Monitor. A mount or unmount that an earlier action has left in the kernel is an error. Depth 0
 * reads the mount table, and asks a FUSE or network mount for one sign of life; depth 10 reads the
 * device, or uses the volume; depth 20 writes a file and reads it back. The mount itself is touched
 * by calls that a child process makes, except at depth 20.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fstype.h"
#include "base/log.h"
#include "base/option.h"
#include "base/text.h"
#include "actions.h"
#include "children.h"
#include "config.h"
#include "gluster.h"
#include "release.h"
#include "state.h"
#include "status_file.h"
#include "subject.h"

/*
 * How long depth 0 waits for a sign of life. A volume is silent for its ping-timeout (42 s unless
 * configured) when a node with one of its bricks dies, and then goes on: that must not count as a
 * failure of the mounts on the surviving nodes.
 */
#define PATIENCE_MS 3000

/* But not for ever: a client that is stopped, say, is silent too. */
#define SILENCE_MOST_MS 120000

#define BLOCK_BYTES 4096
#define BLOCK_COUNT 16 /* that depth 10 reads */

#define STATUS_PREFIX      ".Filesystem_status/"
#define REMOVE_PATIENCE_MS 1000

/* --- depth 10 on a device --- */

static int read_device(const char *path, struct ra_error *err)
{
    ra_auto_close int fd = -1;
    ra_auto_free void *blocks = NULL;
    RA_LOG_CALL("reading the device %s", path);

    if (posix_memalign(&blocks, BLOCK_BYTES, (size_t)BLOCK_BYTES * BLOCK_COUNT) != 0)
        abort();
    fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (fd < 0)
        return ra_error_set_errno(err, errno, "cannot open the device %s", path);
    if (read(fd, blocks, (size_t)BLOCK_BYTES * BLOCK_COUNT) <= 0)
        return ra_error_set_errno(err, errno, "cannot read the device %s", path);
    return 0;
}

/*
 * --- depth 20: the status file. Users of the file system may have put anything in its way, so no
 * symbolic link is followed.
 */

char *filesystem_status_file(const struct subject *subject)
{
    const char *prefix = subject->config->statusfile_prefix;

    if (ra_text_is_empty(prefix))
        prefix = STATUS_PREFIX;
    return ra_text_format("%s%s_%s", prefix + strspn(prefix, "/"), subject->context->instance,
                          subject->context->node);
}

/*
 * Open the directory of `file` below the mount point, making what is missing of it if `create`;
 * *ret_name is the rest of `file`.
 */
static int open_directory(const char *mount_point, const char *file, bool create, int *ret_fd,
                          const char **ret_name, struct ra_error *err)
{
    ra_auto_close int fd = open(mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return ra_error_set_errno(err, errno, "cannot open %s", mount_point);
    for (const char *slash = strchr(file, '/'); slash != NULL; slash = strchr(file, '/')) {
        ra_auto_free char *name = ra_text_format("%.*s", (int)(slash - file), file);
        int next;

        if (create && mkdirat(fd, name, 0755) != 0 && errno != EEXIST)
            return ra_error_set_errno(err, errno, "cannot create the directory %s on %s", name,
                                      mount_point);
        next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0)
            return ra_error_set_errno(err, errno, "cannot open the directory %s on %s", name,
                                      mount_point);
        (void)close(ra_steal_fd(&fd));
        fd = next;
        file = slash + strspn(slash, "/");
    }
    *ret_fd = ra_steal_fd(&fd);
    *ret_name = file;
    return 0;
}

/* A block with something new in it each time. */
static char *make_block(const char *file)
{
    ra_auto_free char *line = NULL;
    struct timespec now = { 0 };
    void *block = NULL;

    if (posix_memalign(&block, BLOCK_BYTES, BLOCK_BYTES) != 0)
        abort();
    (void)clock_gettime(CLOCK_REALTIME, &now);
    line = ra_text_format("%s %lld.%09ld\n", file, (long long)now.tv_sec, now.tv_nsec);
    memset(block, 0, BLOCK_BYTES);
    memcpy(block, line, strnlen(line, BLOCK_BYTES));
    return block;
}

static int write_block(int directory, const char *name, int flags, const char *block)
{
    ra_auto_close int fd = openat(directory, name, flags | O_WRONLY | O_CREAT | O_SYNC, 0600);
    ssize_t count;

    if (fd < 0)
        return errno;
    count = write(fd, block, BLOCK_BYTES);
    if (count != BLOCK_BYTES)
        return count < 0 ? errno : ENOSPC;
    return ftruncate(fd, BLOCK_BYTES) != 0 || fsync(fd) != 0 ? errno : 0;
}

static int read_block(int directory, const char *name, int flags, char *block)
{
    ra_auto_close int fd = openat(directory, name, flags | O_RDONLY);
    ssize_t count;

    if (fd < 0)
        return errno;
    count = read(fd, block, BLOCK_BYTES);
    return count == BLOCK_BYTES ? 0 : count < 0 ? errno : EIO;
}

int filesystem_status_file_use(const struct subject *subject, const struct ra_mount_entry *entry,
                               struct ra_error *err)
{
    ra_auto_free char *file = filesystem_status_file(subject);
    ra_auto_free char *written = make_block(file);
    ra_auto_free char *found = make_block("");
    ra_auto_close int directory = -1;
    const char *name;
    /* On a device past the page cache, or what is read would say nothing about the device. */
    int flags = O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK |
                (subject->spec.class == RA_MOUNT_BLOCK ? O_DIRECT : 0);
    int failed;
    RA_LOG_CALL("writing %s/%s", entry->target, file);

    if (open_directory(entry->target, file, true, &directory, &name, err) != 0)
        return -1;
    failed = write_block(directory, name, flags, written);
    if (failed != 0)
        return ra_error_set_errno(err, failed, "cannot write the status file %s/%s", entry->target,
                                  file);
    failed = read_block(directory, name, flags, found);
    if (failed != 0)
        return ra_error_set_errno(err, failed, "cannot read the status file %s/%s", entry->target,
                                  file);
    if (memcmp(written, found, BLOCK_BYTES) != 0)
        return ra_error_set(err, RA_ERROR_PROTOCOL,
                            "the status file %s/%s reads back as something else than was written",
                            entry->target, file);
    return 0;
}

void filesystem_status_file_remove(const struct subject *subject,
                                   const struct ra_mount_entry *entry)
{
    ra_auto_free char *file = filesystem_status_file(subject);
    ra_auto_close int directory = -1;
    const char *name = file;
    struct ra_error err;
    RA_LOG_CALL("removing %s/%s", entry->target, file);

    if (subject_probe(subject, entry, ra_deadline_after_ms(REMOVE_PATIENCE_MS), &err) != 0 ||
        open_directory(entry->target, file, false, &directory, &name, &err) != 0)
        ra_log_note("the status file stays: %s", err.text);
    else if (unlinkat(directory, name, 0) != 0 && errno != ENOENT)
        ra_log_warning("cannot remove the status file %s/%s: %s", entry->target, file,
                       strerror(errno));
}

/* --- the depths together --- */

/*
 * Ask the volume through gfapi. If that fails although the mount itself can write, the volume is
 * fine and only this node's way to it, a glusterd, is not: that is a warning, for a mount does not
 * need glusterd.
 */
static int check_volume(struct subject *subject, const struct ra_mount_entry *entry,
                        struct ra_error *err)
{
    const struct ra_context *context = subject->context;
    ra_auto_free char *file = filesystem_status_file(subject);
    ra_auto_free char *gfapi_file = ra_text_format("%s.gfapi", file);
    bool read_only = ra_option_is_set(subject->config->options, "ro");
    struct ra_deadline half = ra_deadline_after_ms(ra_deadline_remaining_ms(context->deadline) / 2);
    struct ra_error second;

    if (filesystem_gluster_check(&subject->gluster, gfapi_file, read_only, half, err) == 0)
        return 0;
    if (read_only || err->kind == RA_ERROR_MISSING ||
        filesystem_status_file_use(subject, entry, &second) != 0)
        return -1;
    ra_log_warning("%s; the mount %s works nevertheless", err->text, entry->target);
    return 0;
}

static int check_deep(struct subject *subject, const struct ra_mount_entry *entry, int depth,
                      struct ra_error *err)
{
    struct ra_mount_spec *spec = &subject->spec;

    if (spec->class == RA_MOUNT_BLOCK) {
        if (!spec->resolved && subject->mount->spec_resolve(spec, subject->table,
                                                            subject->context->deadline, err) != 0)
            return -1;
        if (read_device(spec->path, err) != 0)
            return -1;
    }
    if (subject->gluster.volume != NULL && check_volume(subject, entry, err) != 0)
        return -1;
    return depth >= 20 ? filesystem_status_file_use(subject, entry, err) : 0;
}

static struct ra_result failure(const struct ra_context *context, struct ra_error *err)
{
    /* Our mount is there: nothing that went wrong after that may read "not running". */
    if (err->kind == RA_ERROR_NOT_FOUND || err->kind == RA_ERROR_MISSING)
        err->kind = RA_ERROR_SYSTEM;
    return ra_result_of_error(context->kind, err);
}

/*
 * A sign of life. From depth 10 on silence is a failure; at depth 0 only if it has lasted.
 */
static int check_alive(struct subject *subject, const struct ra_mount_entry *entry, int depth,
                       struct ra_error *err)
{
    const struct ra_context *context = subject->context;
    struct ra_deadline patience =
        depth > 0 ? context->deadline
                  : ra_deadline_earlier(context->deadline, ra_deadline_after_ms(PATIENCE_MS));
    int64_t silent_ms;

    if (subject_probe(subject, entry, patience, err) == 0) {
        if (ra_fstype_is_remote(ra_fstype_find(entry->fstype)))
            subject_end_silence(subject);
        return 0;
    }
    if (err->kind != RA_ERROR_TIMEOUT)
        return -1;
    silent_ms = subject_note_silence(subject);
    if (depth > 0 || silent_ms > SILENCE_MOST_MS)
        return ra_error_prefix(err, "silent for %lld s", (long long)(silent_ms / 1000));
    ra_log_warning("%s; it counts as running for %d s, a monitor of depth 10 would not accept that",
                   err->text, SILENCE_MOST_MS / 1000);
    return 0;
}

static struct ra_result check_mount(struct subject *subject, const struct ra_mount_entry *entry)
{
    const char *lost = subject_lost_write(subject, entry);
    int depth = subject->context->check_level;
    struct ra_error err;

    if (lost != NULL)
        return ra_result_failure(RA_ERR_GENERIC, "%s on %s cannot be written to any more: %s",
                                 entry->source, entry->target, lost);
    if (check_alive(subject, entry, depth, &err) != 0 ||
        (depth > 0 && check_deep(subject, entry, depth, &err) != 0))
        return failure(subject->context, &err);
    return ra_result_success();
}

static struct ra_result look(struct subject *subject)
{
    ra_auto_free char *moved = subject_moved_directory(subject);
    const struct layers layers = subject_look(subject, subject->directory);
    struct layers away;
    struct ra_error err;

    if (layers.unclear != NULL)
        return ra_result_failure(RA_ERR_GENERIC,
                                 "%s (%s) is mounted on %s, and whether that is ours cannot be "
                                 "told: %s cannot be found",
                                 layers.unclear->source, layers.unclear->fstype, subject->directory,
                                 subject->has_spec ? subject->spec.source : "the device");
    if (layers.covered)
        return ra_result_failure(RA_ERR_GENERIC, "%s on %s is hidden below another mount (%s)",
                                 layers.ours->source, subject->directory,
                                 layers.top != NULL ? layers.top->source : "of a directory above");
    if (layers.ours != NULL) {
        subject_update(subject, layers.ours);
        return check_mount(subject, layers.ours);
    }
    away = subject_look(subject, moved);
    if (away.ours != NULL)
        return ra_result_failure(RA_ERR_GENERIC,
                                 "a stop that did not come to its end has left %s mounted on %s",
                                 away.ours->source, moved);
    if (subject->state_error.kind != 0)
        return ra_result_failure(RA_ERR_GENERIC, "%s", subject->state_error.text);
    /*
     * Somebody has unmounted it, or a stop has failed: the mount table alone proves little. A state
     * of another device, from before the parameter was changed, is no matter of this one.
     */
    if (subject->spec.memory != NULL && filesystem_check_release(subject, &err) != 0)
        return failure(subject->context, &err);
    if (layers.top != NULL)
        return ra_result_not_running("%s (%s) is mounted on %s, not %s", layers.top->source,
                                     layers.top->fstype, subject->directory, subject->spec.source);
    return ra_result_not_running("%s", "");
}

struct ra_result filesystem_monitor(const struct ra_context *context)
{
    int depth = context->check_level;
    struct subject subject;
    struct ra_result result;
    struct ra_error err;

    if (depth != 0 && depth != 10 && depth != 20)
        return ra_result_failure(RA_ERR_GENERIC, "OCF_CHECK_LEVEL is %d: allowed are 0, 10 and 20",
                                 depth);
    if (subject_open(&subject, context, &err) != 0) {
        result = ra_result_of_error(context->kind, &err);
    } else if (subject_check_children(&subject, &err) != 0) {
        /* What the mount table says now need not be what it says in the next moment. */
        result = ra_result_failure(RA_ERR_GENERIC, "%s", err.text);
    } else if (subject.directory == NULL && subject.state_error.kind != 0) {
        result = ra_result_of_error(context->kind, &subject.state_error);
    } else if (subject.directory == NULL) {
        /* start refuses to mount without a directory, and left no trace of having done so. */
        (void)filesystem_check_directory(subject.config->directory, &err);
        result = ra_result_not_running("%s", err.text);
    } else {
        result = look(&subject);
    }
    subject_close(&subject);
    return result;
}
