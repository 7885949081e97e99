/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mount/mounting.h"

#include <errno.h>
#include <fcntl.h>
#include <libmount.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fstype.h"
#include "base/log.h"
#include "base/path.h"
#include "base/text.h"
#include "mount/child.h"
#include "mount/table.h"

/* What the mounting child tells besides its exit status, in memory that both share. */
struct report {
    int errnum;      /* of mount(2), 0: not called or fine */
    bool has_helper; /* a helper was run */
    char sentence[512];
};

struct mount_job {
    const struct ra_mount_request *request;
    struct report *report;
};

/* --- mounting --- */

/* The mount that a user of the target sees on it, 0 if there is none, -1 if that cannot be told. */
static int id_on(const char *target)
{
    ra_auto_mount_table struct ra_mount_table *table = NULL;
    const struct ra_mount_entry *top;

    if (ra_mount_table_read(NULL, &table, NULL) != 0)
        return -1;
    top = ra_mount_table_visible(table, target);
    return top != NULL && strcmp(top->target, target) == 0 ? top->id : 0;
}

static int mount_by_library(const struct mount_job *job)
{
    struct libmnt_context *context = mnt_new_context();
    int failed, status;

    if (context == NULL)
        return MNT_EX_SYSERR;
    (void)mnt_context_set_optsmode(context, MNT_OMODE_NOTAB);
    (void)mnt_context_disable_mtab(context, 1);
    (void)mnt_context_enable_rwonly_mount(context, !job->request->read_only_is_fine);
    if (mnt_context_set_source(context, job->request->source) != 0 ||
        mnt_context_set_target(context, job->request->target) != 0 ||
        mnt_context_set_fstype(context, job->request->fstype) != 0 ||
        mnt_context_set_options(context, job->request->options) != 0)
        return MNT_EX_SYSERR;
    failed = mnt_context_mount(context);
    job->report->has_helper = mnt_context_helper_executed(context) == 1;
    if (failed != 0 && mnt_context_syscall_called(context) == 1)
        job->report->errnum = mnt_context_get_syscall_errno(context);
    status = mnt_context_get_excode(context, failed, job->report->sentence,
                                    sizeof(job->report->sentence));
    mnt_free_context(context);
    return status;
}

/*
 * A helper may leave a daemon behind: one that serves the mount, or one that mounts later, as
 * mount.nfs does with the option bg. With the mount there, it stays; without, the answer is that
 * nothing was mounted, and that must remain true.
 */
static int mount_in_child(void *argument)
{
    const struct mount_job *job = argument;
    int before = id_on(job->request->target);
    int status = mount_by_library(job);
    int after = id_on(job->request->target);

    if (status != MNT_EX_SUCCESS || after == 0 || (after > 0 && after == before))
        ra_mount_child_end_descendants();
    return status;
}

static bool has_helper_installed(const char *fstype)
{
    ra_auto_free char *sbin = ra_text_format("/sbin/mount.%s", fstype);
    ra_auto_free char *usr_sbin = ra_text_format("/usr/sbin/mount.%s", fstype);

    return access(sbin, X_OK) == 0 || access(usr_sbin, X_OK) == 0;
}

/* The last words of a helper, on one line; "" if it said nothing. */
static void last_words(const struct ra_text_buffer *output, char *words, size_t size_bytes)
{
    ra_auto_text_list char **lines =
        ra_text_split(output->data != NULL ? output->data : "", "\r\n");
    size_t count = 0;

    words[0] = '\0';
    while (lines[count] != NULL)
        count++;
    for (size_t i = count > 3 ? count - 3 : 0; i < count; i++) {
        size_t used = strlen(words);

        (void)snprintf(words + used, size_bytes - used, "%s%s", used > 0 ? "; " : "", lines[i]);
    }
}

static int explain_failure(const struct ra_mount_request *request, const struct report *report,
                           int status, const struct ra_text_buffer *output, struct ra_error *err)
{
    const struct ra_fstype *type = ra_fstype_find(request->fstype);
    const char *sentence = report->sentence;
    size_t target_length = strlen(request->target);
    char words[400];

    /* libmount starts its sentence with the mount point, which ours names already. */
    if (ra_text_starts_with(sentence, request->target) &&
        ra_text_starts_with(sentence + target_length, ": "))
        sentence += target_length + 2;
    last_words(output, words, sizeof(words));
    if (type->needs_helper && ra_text_equal(type->name, request->fstype) &&
        !has_helper_installed(request->fstype))
        return ra_error_set(err, RA_ERROR_MISSING,
                            "the program mount.%s, which mounts %s file systems, is not installed",
                            request->fstype, request->fstype);
    if (report->errnum == ENODEV && request->fstype != NULL)
        return ra_error_set(err, RA_ERROR_MISSING,
                            "the kernel of this node has no file system type '%s'",
                            request->fstype);
    if (report->errnum == EROFS || report->errnum == EACCES)
        return ra_error_set(err, RA_ERROR_SYSTEM,
                            "%s cannot be written to (%s); if it shall be mounted read-only, say "
                            "so by options=ro",
                            request->source, strerror(report->errnum));
    if (sentence[0] == '\0' && words[0] == '\0')
        return ra_error_set(err, RA_ERROR_SYSTEM, "mounting %s on %s failed with status %d",
                            request->source, request->target, status);
    return ra_error_set(err, RA_ERROR_SYSTEM, "mounting %s on %s failed: %s%s%s", request->source,
                        request->target, sentence,
                        sentence[0] != '\0' && words[0] != '\0' ? "; " : "", words);
}

int ra_mount_mount(const struct ra_mount_request *request, const struct ra_mount_child_watch *watch,
                   struct ra_deadline deadline, struct ra_error *err)
{
    ra_auto_text_buffer struct ra_text_buffer output = { 0 };
    struct mount_job job = { .request = request };
    int result, status = 0;
    RA_LOG_CALL("mounting %s on %s", request->source, request->target);

    job.report =
        mmap(NULL, sizeof(*job.report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (job.report == MAP_FAILED)
        return ra_error_set_errno(err, errno, "cannot prepare mounting");
    result = ra_mount_child_run(mount_in_child, &job, watch, deadline, &output, &status, err);
    if (result == 1) {
        char words[400];

        last_words(&output, words, sizeof(words));
        result = ra_error_set(err, RA_ERROR_TIMEOUT, "mounting %s on %s did not end in time%s%s",
                              request->source, request->target,
                              words[0] != '\0' ? ", it said: " : "", words);
    } else if (result == 0 && status != MNT_EX_SUCCESS) {
        result = explain_failure(request, job.report, status, &output, err);
    }
    (void)munmap(job.report, sizeof(*job.report));
    return result;
}

/* --- checking --- */

#define NO_PROGRAM 127

struct check_job {
    const char *path;
    const char *fstype;
};

static int check_in_child(void *argument)
{
    const struct check_job *job = argument;
    const char *with_type[] = { "fsck", "-t", job->fstype, "-p", job->path, NULL };
    const char *without[] = { "fsck", "-p", job->path, NULL };
    const char *const *argv = job->fstype != NULL ? with_type : without;
    int status = 0;
    pid_t pid;

    if (posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ) != 0)
        return NO_PROGRAM;
    while (waitpid(pid, &status, 0) != pid)
        if (errno != EINTR)
            return NO_PROGRAM;
    /* It may have been killed without the checkers that it ran. */
    ra_mount_child_end_descendants();
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int ra_mount_check(const char *path, const char *fstype, const struct ra_mount_child_watch *watch,
                   struct ra_deadline deadline, struct ra_text_buffer *output, int *ret_status,
                   struct ra_error *err)
{
    struct check_job job = { .path = path, .fstype = fstype };
    int result, status = 0;
    RA_LOG_CALL("checking %s", path);

    result = ra_mount_child_run(check_in_child, &job, watch, deadline, output, &status, err);
    if (result == 1)
        return ra_error_set(err, RA_ERROR_TIMEOUT, "fsck of %s did not end in time and was killed",
                            path);
    if (result != 0)
        return result;
    if (status == NO_PROGRAM)
        return ra_error_set(err, RA_ERROR_MISSING, "the program fsck is not installed");
    *ret_status = status;
    return 0;
}

/* --- unmounting --- */

struct unmount_job {
    const char *target;
    int flags;
};

static int unmount_in_child(void *argument)
{
    const struct unmount_job *job = argument;

    return umount2(job->target, job->flags) == 0 ? 0 : errno;
}

int ra_mount_unmount(const char *target, bool force, const struct ra_mount_child_watch *watch,
                     struct ra_deadline deadline, struct ra_error *err)
{
    struct unmount_job job = { .target = target,
                               .flags = UMOUNT_NOFOLLOW | (force ? MNT_FORCE : 0) };
    int result, status = 0;
    RA_LOG_CALL("unmounting %s%s", target, force ? " by force" : "");

    result = ra_mount_child_run(unmount_in_child, &job, watch, deadline, NULL, &status, err);
    if (result == 1)
        return ra_error_set(err, RA_ERROR_TIMEOUT, "unmounting %s does not come to an end", target);
    if (result != 0 || status == 0)
        return result;
    if (status == EBUSY)
        return ra_error_set(err, RA_ERROR_BUSY, "%s is in use", target);
    if (status == EINVAL || status == ENOENT)
        return ra_error_set(err, RA_ERROR_NOT_FOUND, "nothing is mounted on %s", target);
    return ra_error_set_errno(err, status, "cannot unmount %s", target);
}

/* --- asking --- */

static int probe_in_child(void *argument)
{
    const char *target = argument;
    struct statx attributes;

    return statx(AT_FDCWD, target, AT_STATX_FORCE_SYNC | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
                 STATX_BASIC_STATS, &attributes) == 0
               ? 0
               : errno;
}

int ra_mount_probe(const char *target, struct ra_deadline deadline, struct ra_error *err)
{
    ra_auto_free char *argument = ra_text_copy(target);
    int result, status = 0;
    RA_LOG_CALL("asking the file system on %s for a sign of life", target);

    result = ra_mount_child_run(probe_in_child, argument, NULL, deadline, NULL, &status, err);
    if (result == 1)
        return ra_error_set(err, RA_ERROR_TIMEOUT, "the file system on %s does not answer", target);
    if (result != 0 || status == 0)
        return result;
    return ra_error_set(err, RA_ERROR_UNREACHABLE, "the file system on %s does not work: %s",
                        target, strerror(status));
}

/* --- directories --- */

static int make_in_child(void *argument)
{
    char *path = argument;

    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            return errno;
        *slash = '/';
    }
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return errno;
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) >= 0 ? 0 : errno;
}

int ra_mount_make_directory(const char *directory, struct ra_deadline deadline,
                            struct ra_error *err)
{
    ra_auto_free char *path = ra_text_copy(directory);
    int result, status = 0;
    RA_LOG_CALL("creating the directory %s", directory);

    result = ra_mount_child_run(make_in_child, path, NULL, deadline, NULL, &status, err);
    if (result == 1)
        return ra_error_set(err, RA_ERROR_TIMEOUT, "the file system that holds %s does not answer",
                            directory);
    if (result == 0 && status != 0)
        return ra_error_set(err, RA_ERROR_SYSTEM, "cannot use %s as a mount point: %s", directory,
                            strerror(status));
    return result;
}

/* Prints the real path; of a path that does not exist, that of the part that does. */
static int resolve_in_child(void *argument)
{
    char *path = argument;
    size_t length = strlen(path);
    char *cut = path + length;

    for (;;) {
        ra_auto_free char *real = realpath(*path != '\0' ? path : "/", NULL);

        if (real != NULL) {
            const char *rest = cut < path + length ? cut + 1 : "";
            const char *between = *rest == '\0' || strcmp(real, "/") == 0 ? "" : "/";

            return printf("%s%s%s", real, between, rest) > 0 && fflush(stdout) == 0 ? 0 : EIO;
        }
        if (errno != ENOENT)
            return errno;
        if (cut < path + length)
            *cut = '/';
        do {
            if (cut == path)
                return ENOENT;
            cut--;
        } while (*cut != '/');
        *cut = '\0';
    }
}

int ra_mount_canonicalise(const struct ra_mount_table *table, const char *path,
                          struct ra_deadline deadline, char **ret_path, struct ra_error *err)
{
    ra_auto_free char *normal = ra_path_normalise(path);
    ra_auto_text_buffer struct ra_text_buffer output = { 0 };
    int result, status = 0;
    RA_LOG_CALL("resolving %s", path);

    if (path[0] != '/')
        return ra_error_set(err, RA_ERROR_CONFIG, "'%s' is not an absolute path", path);
    for (size_t i = 0; normal != NULL && i < ra_mount_table_count(table); i++)
        if (strcmp(ra_mount_table_at(table, i)->target, normal) == 0) {
            *ret_path = ra_steal_ptr(&normal);
            return 0;
        }
    if (normal == NULL)
        normal = ra_text_copy(path);
    result = ra_mount_child_run(resolve_in_child, normal, NULL, deadline, &output, &status, err);
    if (result == 1)
        return ra_error_set(err, RA_ERROR_TIMEOUT, "the file system that holds %s does not answer",
                            path);
    if (result == 0 && status != 0)
        return ra_error_set(err, RA_ERROR_SYSTEM, "cannot resolve %s: %s", path, strerror(status));
    if (result == 0)
        *ret_path = ra_text_copy(output.data);
    return result;
}
