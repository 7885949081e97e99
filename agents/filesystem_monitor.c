/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Monitor. Depth 0 reads the mount table, and asks a FUSE or network mount for one sign of life;
 * depth 10 reads the device, or uses the volume; depth 20 writes a file and reads it back. The
 * mount itself is touched by calls that a child process makes, except at depth 20.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "filesystem.h"

/*
 * How long depth 0 waits for a sign of life. A volume is silent for its ping-timeout (42 s unless
 * configured) when a node with one of its bricks dies, and then goes on: that must not count as a
 * failure of the mounts on the surviving nodes.
 */
#define PATIENCE_MS 3000

#define BLOCK_BYTES 4096
#define BLOCK_COUNT 16

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

/* --- depth 20 --- */

static int make_directories(int root, const char *file, struct ra_error *err)
{
    ra_auto_free char *path = ra_text_copy(file);

    for (char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdirat(root, path, 0755) != 0 && errno != EEXIST)
            return ra_error_set_errno(err, errno,
                                      "cannot create the directory %s for the status "
                                      "file",
                                      path);
        *slash = '/';
    }
    return 0;
}

/* On a device past the page cache, or what is read back would say nothing about the device. */
static int write_and_read(int root, const char *file, bool direct, struct ra_error *err)
{
    const int flags = O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | (direct ? O_DIRECT : 0);
    ra_auto_free void *written = NULL;
    ra_auto_free void *found = NULL;
    ra_auto_close int fd = -1;
    struct timespec now;

    if (posix_memalign(&written, BLOCK_BYTES, BLOCK_BYTES) != 0 ||
        posix_memalign(&found, BLOCK_BYTES, BLOCK_BYTES) != 0 ||
        clock_gettime(CLOCK_REALTIME, &now) != 0)
        abort();
    memset(written, 0, BLOCK_BYTES);
    memset(found, 0, BLOCK_BYTES);
    ra_auto_free char *line =
        ra_text_format("%s %lld.%09ld\n", file, (long long)now.tv_sec, now.tv_nsec);
    memcpy(written, line, strnlen(line, BLOCK_BYTES));

    fd = openat(root, file, flags | O_WRONLY | O_CREAT | O_SYNC, 0600);
    if (fd < 0)
        return ra_error_set_errno(err, errno, "cannot create the status file %s", file);
    errno = EIO;
    if (write(fd, written, BLOCK_BYTES) != BLOCK_BYTES || ftruncate(fd, BLOCK_BYTES) != 0 ||
        fsync(fd) != 0)
        return ra_error_set_errno(err, errno, "cannot write the status file %s", file);
    (void)close(ra_steal_fd(&fd));
    fd = openat(root, file, flags | O_RDONLY);
    if (fd < 0 || read(fd, found, BLOCK_BYTES) != BLOCK_BYTES)
        return ra_error_set_errno(err, errno, "cannot read the status file %s", file);
    if (memcmp(written, found, BLOCK_BYTES) != 0)
        return ra_error_set(err, RA_ERROR_PROTOCOL,
                            "the status file %s reads back as something "
                            "else than was written",
                            file);
    return 0;
}

static int use_status_file(const struct subject *subject, const struct ra_mount_entry *entry,
                           struct ra_error *err)
{
    ra_auto_free char *file = subject_status_file(subject);
    ra_auto_close int root = -1;
    RA_LOG_CALL("writing %s/%s", entry->target, file);

    root = open(entry->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return ra_error_set_errno(err, errno, "cannot open %s", entry->target);
    if (make_directories(root, file, err) != 0)
        return -1;
    return write_and_read(root, file, subject->spec.class == RA_MOUNT_BLOCK, err);
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
    ra_auto_free char *file = subject_status_file(subject);
    ra_auto_free char *gfapi_file = ra_text_format("%s.gfapi", file);
    bool read_only = subject->mount->option_is_set(subject->config->options, "ro");
    struct ra_deadline half = ra_deadline_after_ms(ra_deadline_remaining_ms(context->deadline) / 2);
    struct ra_error second;

    if (filesystem_gluster_check(&subject->gluster, gfapi_file, read_only, half, err) == 0)
        return 0;
    if (read_only || err->kind == RA_ERROR_MISSING || use_status_file(subject, entry, &second) != 0)
        return -1;
    ra_log_warning("%s; the mount %s works nevertheless", err->text, entry->target);
    return 0;
}

static int check_deep(struct subject *subject, const struct ra_mount_entry *entry, int depth,
                      struct ra_error *err)
{
    struct ra_mount_spec *spec = &subject->spec;

    if (spec->class == RA_MOUNT_BLOCK) {
        if (!spec->resolved && subject->mount->spec_resolve(spec, subject->table, err) != 0)
            return -1;
        if (read_device(spec->path, err) != 0)
            return -1;
    }
    if (subject->gluster.volume != NULL && check_volume(subject, entry, err) != 0)
        return -1;
    return depth >= 20 ? use_status_file(subject, entry, err) : 0;
}

static struct ra_result failure(const struct ra_context *context, struct ra_error *err)
{
    /* Our mount is there: nothing that went wrong after that may read "not running". */
    if (err->kind == RA_ERROR_NOT_FOUND || err->kind == RA_ERROR_MISSING)
        err->kind = RA_ERROR_SYSTEM;
    return ra_result_of_error(context->kind, err);
}

static struct ra_result check_mount(struct subject *subject, const struct ra_mount_entry *entry)
{
    const struct ra_context *context = subject->context;
    const char *lost = subject_lost_write(subject, entry);
    int depth = context->check_level;
    struct ra_error err;

    if (lost != NULL)
        return ra_result_failure(RA_ERR_GENERIC, "%s on %s cannot be written to any more: %s",
                                 entry->source, entry->target, lost);
    if (subject_probe(
            subject, entry,
            depth > 0 ? context->deadline
                      : ra_deadline_earlier(context->deadline, ra_deadline_after_ms(PATIENCE_MS)),
            &err) != 0) {
        if (depth > 0 || err.kind != RA_ERROR_TIMEOUT)
            return failure(context, &err);
        ra_log_warning("%s; it counts as running, a monitor of depth 10 would not accept that",
                       err.text);
    }
    if (depth > 0 && check_deep(subject, entry, depth, &err) != 0)
        return failure(context, &err);
    return ra_result_success();
}

static struct ra_result look(struct subject *subject)
{
    ra_auto_free char *moved = subject_moved_directory(subject);
    const struct layers layers = subject_look(subject, subject->directory);
    struct layers away;

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
    if (layers.ours != NULL)
        return check_mount(subject, layers.ours);
    away = subject_look(subject, moved);
    if (away.ours != NULL)
        return ra_result_failure(RA_ERR_GENERIC,
                                 "a stop that did not come to its end has left %s mounted on %s",
                                 away.ours->source, moved);
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
