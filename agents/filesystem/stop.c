/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Stop. Success means: the mount table shows no mount of ours any more, on whichever layer of the
 * directory, and a device or an image that one node alone may mount is not claimed by the kernel
 * any more; that also if an earlier action has unmounted it. And no mount(2) or umount(2) of an
 * action of ours is still under way in the kernel. What is foreign is not touched. Killed
 * midway and run again, it goes on where it was: the state stays until everything is proven.
 */
#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "actions.h"
#include "children.h"
#include "config.h"
#include "devices.h"
#include "release.h"
#include "state.h"
#include "status_file.h"
#include "subject.h"
#include "unmount.h"

#define MOVED_MODE 0700

/* Our mounts below `directory`, topmost first, until none is left. */
static int unmount_all_on(struct subject *subject, const char *directory, bool *did_unmount,
                          struct ra_error *err)
{
    for (;;) {
        const struct layers layers = subject_look(subject, directory);

        if (layers.unclear != NULL)
            return ra_error_set(err, RA_ERROR_SYSTEM,
                                "%s (%s) is mounted on %s, and whether that is ours cannot be "
                                "told: %s cannot be found",
                                layers.unclear->source, layers.unclear->fstype, directory,
                                subject->has_spec ? subject->spec.source : "the device");
        if (layers.covered)
            return ra_error_set(err, RA_ERROR_BUSY,
                                "%s on %s is hidden below another mount (%s), which is not ours to "
                                "unmount",
                                layers.ours->source, directory,
                                layers.top != NULL ? layers.top->source : "of a directory above");
        if (layers.ours == NULL) {
            if (layers.top != NULL)
                ra_log_note("%s on %s is not ours and stays", layers.top->source, directory);
            return 0;
        }
        subject_note_mount(subject, layers.ours);
        if (filesystem_unmount(subject, layers.ours->id, err) != 0)
            return -1;
        *did_unmount = true;
    }
}

/* Binds and other mounts of the same device keep the file system alive: they go first. */
static int unmount_elsewhere(struct subject *subject, const char *moved, struct ra_error *err)
{
    RA_CLEANUP(devices_free) struct devices devices = { 0 };
    bool again;

    if (!subject_is_exclusive(subject))
        return 0;
    if (subject_find_devices(subject, &devices, err) != 0)
        return -1;
    do {
        again = false;
        for (size_t i = 0; !again && i < subject->mount->table_count(subject->table); i++) {
            const struct ra_mount_entry *entry = subject->mount->table_at(subject->table, i);

            if (!subject_is_elsewhere(subject, &devices, entry) ||
                strcmp(entry->target, moved) == 0)
                continue;
            ra_log_warning("%s is mounted on %s too: that is unmounted first", subject->spec.source,
                           entry->target);
            if (filesystem_unmount(subject, entry->id, err) != 0)
                return -1;
            again = true;
        }
    } while (again);
    return 0;
}

/* Move the mount to where programs that come back for it do not look; see mount(2), MS_MOVE. */
static void move_away(struct subject *subject, const char *moved)
{
    struct ra_error err;

    if (mkdir(moved, MOVED_MODE) != 0 && errno != EEXIST)
        ra_log_warning("cannot create %s: %s; the mount is not moved", moved, strerror(errno));
    else if (mount(subject->directory, moved, NULL, MS_MOVE, NULL) != 0)
        ra_log_warning("cannot move the mount %s to %s: %s%s; it is unmounted where it is",
                       subject->directory, moved, strerror(errno),
                       errno == EINVAL ? " (the mount above it is shared)" : "");
    if (subject_refresh(subject, &err) != 0)
        ra_log_warning("%s", err.text);
}

static int prepare(struct subject *subject, const char *moved)
{
    const struct layers layers = subject_look(subject, subject->directory);

    if (layers.ours == NULL || layers.covered)
        return 0;
    if (subject->context->check_level == 20)
        filesystem_status_file_remove(subject, layers.ours);
    if (subject->config->force_unmount.move)
        move_away(subject, moved);
    return subject->table != NULL ? 0 : -1;
}

/*
 * A mount that no start of ours made, or not as it is now, is remembered before it goes: should
 * this stop fail after that, the next one must know what to prove. Where nothing can be written
 * down, what would need that proof stays mounted: the mount table then tells of it.
 */
static int remember_found(struct subject *subject, const char *moved, struct ra_error *err)
{
    const struct ra_mount_entry *entry = subject_look(subject, subject->directory).ours;

    if (entry == NULL)
        entry = subject_look(subject, moved).ours;
    if (entry == NULL)
        return 0;
    subject_note_mount(subject, entry);
    subject_update(subject, entry);
    if (subject->has_state || subject->state_error.kind != 0)
        return 0;
    subject->has_state = subject_remember(subject, entry, err) == 0;
    if (!subject->has_state && subject_is_exclusive(subject))
        return ra_error_prefix(err, "%s stays mounted, because its release could not be followed",
                               entry->target);
    if (!subject->has_state)
        ra_log_warning("%s", err->text);
    return 0;
}

static int stop(struct subject *subject, struct ra_error *err)
{
    ra_auto_free char *moved = subject_moved_directory(subject);
    bool did_unmount = false;

    if (remember_found(subject, moved, err) != 0)
        return -1;
    if (prepare(subject, moved) != 0)
        return ra_error_set(err, RA_ERROR_SYSTEM, "cannot read the mount table");
    if ((subject->has_state || subject_look(subject, subject->directory).ours != NULL) &&
        unmount_elsewhere(subject, moved, err) != 0)
        return -1;
    if (unmount_all_on(subject, subject->directory, &did_unmount, err) != 0 ||
        unmount_all_on(subject, moved, &did_unmount, err) != 0)
        return -1;
    /* Those of an earlier action; not first, because MNT_FORCE may be what ends them. */
    if (subject_await_children(subject, false, subject->context->deadline, err) != 0)
        return -1;
    if ((did_unmount || subject->has_state) && filesystem_prove_release(subject, err) != 0)
        return -1;
    if (did_unmount && subject->config->force_unmount.move)
        (void)rmdir(moved);
    subject_forget(subject);
    return 0;
}

/*
 * Without a directory no state says that something was started; but a process that unmounts may
 * still be written down. What a damaged state was about, the parameters may no longer say: what
 * they say is unmounted, but that proves nothing.
 */
static int stop_as_known(struct subject *subject, struct ra_error *err)
{
    bool mounts_only = subject->directory != NULL;

    if (subject->child_count > 0 &&
        (subject_await_children(subject, mounts_only, subject->context->deadline, err) != 0 ||
         subject_refresh(subject, err) != 0))
        return -1;
    if (subject->directory != NULL && stop(subject, err) != 0)
        return -1;
    if (subject->state_error.kind == 0)
        return 0;
    *err = subject->state_error;
    return -1;
}

struct ra_result filesystem_stop(const struct ra_context *context)
{
    struct subject subject;
    struct ra_result result = ra_result_success();
    struct ra_error err;

    if (subject_open(&subject, context, &err) != 0 || stop_as_known(&subject, &err) != 0) {
        if (err.kind == RA_ERROR_NOT_FOUND)
            err.kind = RA_ERROR_SYSTEM;
        result = ra_result_of_error(context->kind, &err);
    }
    subject_close(&subject);
    return result;
}
