/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Start. Success means: our mount is the topmost on the directory, and, on FUSE or a network, it
 * answers. A directory that something else is mounted on is refused, and so is a device that is
 * mounted elsewhere on this node. A start that is killed midway leaves nothing, our mount, which
 * the next start or stop finds in the mount table, or a mount(2) that goes on, which they find
 * written down.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fstype.h"
#include "base/log.h"
#include "base/path.h"
#include "base/process.h"
#include "base/text.h"
#include "actions.h"
#include "children.h"
#include "config.h"
#include "devices.h"
#include "gluster.h"
#include "release.h"
#include "state.h"
#include "subject.h"
#include "unmount.h"

#define FSCK_SERIOUS 4 /* fsck(8): errors left uncorrected, and everything above */
#define UNDO_MS      5000
#define SETTLE_MS    10000

/* --- the device --- */

/*
 * A device that another node has just partitioned or made may not show here yet: have the kernel
 * and udev look again, if their tools are there.
 */
static void look_for_devices(struct subject *subject, struct ra_deadline deadline)
{
    const char *source = subject->spec.source;
    ra_auto_free char *expected = NULL;
    ra_auto_free char *exit_if = NULL;
    const char *const partprobe[] = { "partprobe", NULL };
    const char *settle[] = { "udevadm", "settle", NULL, NULL };
    struct ra_error ignored;
    int status;

    if (ra_text_starts_with(source, "UUID="))
        expected = ra_text_format("/dev/disk/by-uuid/%s", source + strlen("UUID="));
    else if (ra_text_starts_with(source, "LABEL="))
        expected = ra_text_format("/dev/disk/by-label/%s", source + strlen("LABEL="));
    else
        expected = ra_text_copy(source);
    exit_if = ra_text_format("--exit-if-exists=%s", expected);
    settle[2] = exit_if;
    (void)ra_process_run(partprobe, deadline, &status, NULL, &ignored);
    (void)ra_process_run(settle, deadline, &status, NULL, &ignored);
}

static int find_device(struct subject *subject, struct ra_error *err)
{
    struct ra_mount_spec *spec = &subject->spec;

    if (subject->mount->spec_resolve(spec, subject->table, subject->context->deadline, err) == 0)
        return 0;
    if (spec->class != RA_MOUNT_BLOCK)
        return -1;
    look_for_devices(
        subject, ra_deadline_earlier(subject->context->deadline, ra_deadline_after_ms(SETTLE_MS)));
    return subject->mount->spec_resolve(spec, subject->table, subject->context->deadline, err);
}

/*
 * A device that is in use outside of the resource is, on a shared device, wrong on every node: the
 * next one would mount it a second time. Devices that each node has of its own concern this node.
 */
static int refuse_second_mount(struct subject *subject, struct ra_error *err)
{
    bool is_shared = !subject->config->force_clones;
    RA_CLEANUP(devices_free) struct devices devices = { 0 };

    if (!subject_is_exclusive(subject))
        return 0;
    if (subject_find_devices(subject, &devices, err) != 0)
        return -1;
    for (size_t i = 0; i < subject->mount->table_count(subject->table); i++) {
        const struct ra_mount_entry *entry = subject->mount->table_at(subject->table, i);

        if (subject_is_elsewhere(subject, &devices, entry))
            return ra_error_set(err, is_shared ? RA_ERROR_CONFIG : RA_ERROR_BUSY,
                                "%s is mounted on %s already, outside of this resource%s",
                                subject->spec.source, entry->target,
                                is_shared ? ": as long as it is, no node may mount it" : "");
    }
    return 0;
}

static int run_fsck(struct subject *subject, struct ra_error *err)
{
    const struct filesystem_config *config = subject->config;
    const char *fstype = subject->spec.fstype;
    const struct ra_mount_child_watch watch = subject_watch(subject, CHILD_CHECKS);
    ra_auto_text_buffer struct ra_text_buffer output = { 0 };
    int status;

    if (subject->spec.class != RA_MOUNT_BLOCK || config->run_fsck == FSCK_NO ||
        (config->run_fsck == FSCK_AUTO && ra_fstype_find(fstype)->needs_no_fsck))
        return 0;
    if (subject->mount->check(subject->spec.path, fstype, &watch, subject->context->deadline,
                              &output, &status, err) != 0)
        return ra_error_prefix(err, "checking %s", subject->spec.source);
    if (status < FSCK_SERIOUS)
        return 0;
    if (output.data != NULL)
        ra_text_flatten(output.data);
    return ra_error_set(err, RA_ERROR_SYSTEM,
                        "fsck could not repair %s (exit status %d), it needs a manual check: %s",
                        subject->spec.source, status, output.data != NULL ? output.data : "");
}

/* What the node had cached of a shared device may be older than what another node wrote to it. */
static void flush_buffers(const struct subject *subject)
{
    ra_auto_close int fd = -1;

    if (subject->spec.class != RA_MOUNT_BLOCK)
        return;
    fd = open(subject->spec.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, BLKFLSBUF, 0) != 0)
        ra_log_note("cannot flush the buffers of %s: %s", subject->spec.path, strerror(errno));
}

/* --- the directory --- */

static int refuse_inner_mounts(const struct subject *subject, struct ra_error *err)
{
    const struct ra_mount_backend *mount = subject->mount;

    for (size_t i = 0; i < mount->table_count(subject->table); i++) {
        const struct ra_mount_entry *entry = mount->table_at(subject->table, i);

        if (strcmp(entry->target, subject->directory) != 0 &&
            ra_path_is_within(entry->target, subject->directory))
            return ra_error_set(err, RA_ERROR_BUSY,
                                "%s is mounted on %s, inside the mount point %s: mounting there "
                                "would hide it",
                                entry->source, entry->target, subject->directory);
    }
    return 0;
}

/*
 * What is on the directory: 1 our mount in good health, 0 nothing (any more), -1 something that
 * we must leave alone, or cannot get rid of.
 */
static int clear_directory(struct subject *subject, struct ra_error *err)
{
    const struct layers layers = subject_look(subject, subject->directory);
    /* A volume that waits for a dead node's brick comes back; the rest is for mounting afresh. */
    struct ra_deadline half =
        ra_deadline_after_ms(ra_deadline_remaining_ms(subject->context->deadline) / 2);
    const char *lost;

    if (layers.covered)
        return ra_error_set(err, RA_ERROR_BUSY,
                            "%s is mounted on %s, but hidden below another "
                            "mount (%s)",
                            layers.ours->source, subject->directory,
                            layers.top != NULL ? layers.top->source : "of a directory above");
    if (layers.ours == NULL && layers.top != NULL)
        return ra_error_set(
            err, RA_ERROR_BUSY, "%s (%s) is mounted on %s already, and it is not %s",
            layers.top->source, layers.top->fstype, subject->directory, subject->spec.source);
    if (layers.ours == NULL)
        return 0;
    lost = subject_lost_write(subject, layers.ours);
    if (lost != NULL)
        (void)ra_error_set(err, RA_ERROR_SYSTEM, "%s", lost);
    else if (subject_probe(subject, layers.ours, half, err) == 0)
        return 1;
    ra_log_warning("%s is mounted on %s, but it is of no use (%s) and is mounted afresh",
                   layers.ours->source, subject->directory, err->text);
    /* If nothing takes its place, a stop must know what was here. */
    if (!subject->has_state && subject_remember(subject, layers.ours, err) != 0)
        return -1;
    subject->has_state = true;
    return filesystem_unmount(subject, layers.ours->id, err);
}

/* --- mounting --- */

/* Find the volume's server first: the mount helper would only say that it failed. */
static int choose_source(struct subject *subject, char **ret_source, struct ra_error *err)
{
    size_t server = 0;

    if (subject->gluster.volume == NULL) {
        bool is_tag = subject->spec.class == RA_MOUNT_BLOCK && subject->spec.source[0] != '/';

        *ret_source = ra_text_copy(is_tag ? subject->spec.path : subject->spec.source);
        return 0;
    }
    if (filesystem_gluster_attach(&subject->gluster,
                                  ra_deadline_reserve_ms(subject->context->deadline, UNDO_MS),
                                  &server, err) != 0)
        return -1;
    *ret_source = server == 0 ? ra_text_copy(subject->spec.source)
                              : ra_gluster_source_device(&subject->gluster, server);
    return 0;
}

/* What a failed mounting left behind: a mount that does not answer, its daemon. */
static void undo(struct subject *subject, int id_before)
{
    const struct ra_mount_entry *top;
    struct ra_error err;

    if (subject_refresh(subject, &err) != 0) {
        ra_log_warning("%s", err.text);
        return;
    }
    top = subject->mount->table_visible(subject->table, subject->directory);
    if (top == NULL || strcmp(top->target, subject->directory) != 0 || top->id == id_before)
        return;
    if (subject->mount->spec_match(&subject->spec, top) == RA_MOUNT_OURS)
        subject_note_mount(subject, top);
    if (filesystem_unmount(subject, top->id, &err) != 0)
        ra_log_warning("cleaning up: %s", err.text);
}

/* Is there a mount on the directory that was not there before, and does it work? */
static int verify(struct subject *subject, int id_before, struct ra_error *err)
{
    const struct ra_mount_entry *top;
    enum ra_mount_match match;

    if (subject_refresh(subject, err) != 0)
        return -1;
    top = subject->mount->table_visible(subject->table, subject->directory);
    if (top == NULL || strcmp(top->target, subject->directory) != 0 || top->id == id_before)
        return ra_error_set(err, RA_ERROR_SYSTEM,
                            "mounting %s on %s was reported as done, but nothing is mounted there",
                            subject->spec.source, subject->directory);
    match = subject->mount->spec_match(&subject->spec, top);
    if (match != RA_MOUNT_OURS &&
        (subject->spec.class != RA_MOUNT_NAMED || subject->gluster.volume != NULL))
        return ra_error_set(err, RA_ERROR_SYSTEM,
                            "after mounting %s on %s, %s (%s) is mounted there",
                            subject->spec.source, subject->directory, top->source, top->fstype);
    if (match != RA_MOUNT_OURS)
        ra_log_note("the kernel calls %s %s (%s)", subject->spec.source, top->source, top->fstype);
    if (subject_probe(subject, top, ra_deadline_reserve_ms(subject->context->deadline, UNDO_MS),
                      err) != 0)
        return -1;
    return subject_remember(subject, top, err);
}

static int mount_and_verify(struct subject *subject, const char *source, struct ra_error *err)
{
    const struct ra_mount_spec *spec = &subject->spec;
    const struct ra_mount_entry *top =
        subject->mount->table_visible(subject->table, subject->directory);
    int id_before = top != NULL ? top->id : -1;
    const struct ra_mount_child_watch watch = subject_watch(subject, CHILD_MOUNTS);
    bool as_bind = ra_text_equal(spec->fstype, "bind");
    ra_auto_free char *bind_options =
        ra_text_format("bind%s%s", spec->options[0] != '\0' ? "," : "", spec->options);
    const struct ra_mount_request request = {
        .source = source,
        .target = subject->directory,
        .fstype = as_bind ? "none" : spec->fstype,
        .options = as_bind ? bind_options : spec->options,
        .read_only_is_fine = ra_fstype_find(spec->fstype)->read_only,
    };

    if (subject->mount->mount(&request, &watch,
                              ra_deadline_reserve_ms(subject->context->deadline, UNDO_MS),
                              err) != 0 ||
        verify(subject, id_before, err) != 0) {
        undo(subject, id_before);
        return -1;
    }
    return 0;
}

/*
 * What did not start is not remembered; but what may still come to be is: after a timeout, and as
 * long as a process of ours is in the kernel. What was remembered before is still to be proven, and
 * so is the release of what was mounted and unmounted again.
 */
static void forget_failure(struct subject *subject, bool had_state, const struct ra_error *err)
{
    struct ra_error held;

    if (had_state || err->kind == RA_ERROR_TIMEOUT || subject->child_count > 0 ||
        subject->table == NULL || subject_look(subject, subject->directory).ours != NULL)
        return;
    if (subject->seen_count == 0 || filesystem_check_release(subject, &held) == 0)
        subject_forget(subject);
    else
        ra_log_warning("%s", held.text);
}

static int prepare_and_mount(struct subject *subject, struct ra_error *err)
{
    ra_auto_free char *source = NULL;
    bool had_state = subject->has_state;

    if (refuse_inner_mounts(subject, err) != 0 || find_device(subject, err) != 0 ||
        refuse_second_mount(subject, err) != 0 || choose_source(subject, &source, err) != 0)
        return -1;
    /* From here on a stop must find everything, whatever becomes of this process. */
    subject->state.read_only = false;
    if (subject_remember(subject, NULL, err) != 0)
        return -1;
    subject->has_state = true;
    if (run_fsck(subject, err) == 0 &&
        subject->mount->make_directory(subject->directory, subject->context->deadline, err) == 0) {
        flush_buffers(subject);
        if (mount_and_verify(subject, source, err) == 0)
            return 0;
    }
    forget_failure(subject, had_state, err);
    return -1;
}

/* Never a second mount(2) or one during an umount(2): what earlier actions left must end first. */
static int wait_for_earlier(struct subject *subject, bool mounts_only, struct ra_error *err)
{
    if (subject->child_count == 0)
        return 0;
    if (subject_await_children(subject, mounts_only,
                               ra_deadline_reserve_ms(subject->context->deadline, UNDO_MS),
                               err) != 0)
        return -1;
    return subject_refresh(subject, err);
}

static int note_running(struct subject *subject, struct ra_error *err)
{
    const struct ra_mount_entry *entry = subject_look(subject, subject->directory).ours;

    if (!subject->has_state)
        return subject_remember(subject, entry, err);
    subject_update(subject, entry);
    return 0;
}

static int start(struct subject *subject, struct ra_error *err)
{
    int found;

    if (filesystem_check_config(subject->context, err) != 0)
        return -1;
    if (subject->spec_error.kind != 0) {
        *err = subject->spec_error;
        return -1;
    }
    if (subject->state_error.kind != 0) {
        *err = subject->state_error;
        return -1;
    }
    if (wait_for_earlier(subject, true, err) != 0)
        return -1;
    found = clear_directory(subject, err);
    if (found == 1 && subject->child_count > 0)
        /* A good mount, but an umount(2) may be about to take it away. */
        found = wait_for_earlier(subject, false, err) == 0 ? clear_directory(subject, err) : -1;
    if (found < 0)
        return -1;
    if (found == 1) {
        ra_log_note("%s is mounted on %s already", subject->spec.source, subject->directory);
        return note_running(subject, err);
    }
    if (wait_for_earlier(subject, false, err) != 0)
        return -1;
    return prepare_and_mount(subject, err);
}

struct ra_result filesystem_start(const struct ra_context *context)
{
    struct subject subject;
    struct ra_result result = ra_result_success();
    struct ra_error err;

    if (subject_open(&subject, context, &err) != 0 || start(&subject, &err) != 0)
        result = ra_result_of_error(context->kind, &err);
    subject_close(&subject);
    return result;
}
