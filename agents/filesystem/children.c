/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The processes that mount, unmount and check for us, written down before they begin. mount(2) and
 * umount(2) may sleep where no signal reaches them and finish long after the action that called
 * them has timed out or was killed: the mount appears then, or the file system is written back
 * until then. A checker writes as long as it runs, and not every one claims the device. So no later
 * action takes the mount table's word before these have ended.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/number.h"
#include "base/text.h"
#include "children.h"
#include "state.h"
#include "subject.h"

/* --- the file: a line "mount PID SESSION START", "unmount ..." or "check ..." for each --- */

static const char *const words_of_work[] = {
    [CHILD_MOUNTS] = "mount", [CHILD_UNMOUNTS] = "unmount", [CHILD_CHECKS] = "check"
};

static bool take_work(const char *word, enum child_work *ret_work)
{
    for (size_t i = 0; i < sizeof(words_of_work) / sizeof(words_of_work[0]); i++)
        if (strcmp(words_of_work[i], word) == 0) {
            *ret_work = (enum child_work)i;
            return true;
        }
    return false;
}

static char *children_name(const struct subject *subject)
{
    /* No id makes this the name of a state, and it is no longer: the longest ids must fit. */
    return ra_text_format("FsChildren-%s", subject->context->instance);
}

static void add(struct subject *subject, const struct child_record *record)
{
    subject->children =
        realloc(subject->children, (subject->child_count + 1) * sizeof(subject->children[0]));
    if (subject->children == NULL)
        abort();
    subject->children[subject->child_count++] = *record;
}

static void drop(struct subject *subject, size_t index)
{
    subject->child_count--;
    memmove(&subject->children[index], &subject->children[index + 1],
            (subject->child_count - index) * sizeof(subject->children[0]));
}

static int save(const struct subject *subject, struct ra_error *err)
{
    ra_auto_free char *name = children_name(subject);
    ra_auto_text_buffer struct ra_text_buffer text = { 0 };

    if (subject->child_count == 0)
        return ra_file_state_remove(name, err);
    for (size_t i = 0; i < subject->child_count; i++) {
        const struct child_record *record = &subject->children[i];

        ra_text_buffer_addf(&text, "%s %d %d %llu\n", words_of_work[record->work],
                            (int)record->id.pid, (int)record->id.session,
                            (unsigned long long)record->id.start_ticks);
    }
    return ra_file_state_write(name, text.data, err);
}

static bool take_line(struct subject *subject, const char *line)
{
    ra_auto_text_list char **words = ra_text_split(line, " ");
    struct child_record record = { 0 };
    int64_t numbers[3];
    size_t count = 0;

    while (words[count] != NULL)
        count++;
    if (count != 4)
        return false;
    for (size_t i = 0; i < 3; i++)
        if (ra_number_parse_integer(words[i + 1], &numbers[i]) != 0 || numbers[i] < 0)
            return false;
    record.id = (struct ra_mount_child_id){ .pid = (pid_t)numbers[0],
                                            .session = (pid_t)numbers[1],
                                            .start_ticks = (uint64_t)numbers[2] };
    /* The numbers are used for signals: 1 and less would reach everybody. */
    if (record.id.pid <= 1 || !take_work(words[0], &record.work))
        return false;
    add(subject, &record);
    return true;
}

static bool take_text(struct subject *subject, char *text)
{
    char *rest = NULL;

    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        if (!take_line(subject, line))
            return false;
    return subject->child_count > 0;
}

void subject_recall_children(struct subject *subject)
{
    ra_auto_free char *name = children_name(subject);
    ra_auto_free char *text = NULL;
    struct ra_error err;

    if (ra_file_state_read(name, &text, &err) != 0) {
        if (err.kind != RA_ERROR_NOT_FOUND && err.kind != RA_ERROR_CONFIG)
            (void)ra_error_set(&subject->state_error, RA_ERROR_SYSTEM,
                               "whether a mount of this resource is still under way cannot be "
                               "told: %s",
                               err.text);
        return;
    }
    if (!take_text(subject, text))
        (void)ra_error_set(&subject->state_error, RA_ERROR_SYSTEM,
                           "whether a mount of this resource is still under way cannot be told: "
                           "its state file %s is damaged (remove it if nothing of the resource is "
                           "mounted anywhere on the node, in containers neither)",
                           name);
}

/* --- keeping it --- */

static int began(struct subject *subject, enum child_work work, const struct ra_mount_child_id *id,
                 struct ra_error *err)
{
    const struct child_record record = { .work = work, .id = *id };

    add(subject, &record);
    return save(subject, err);
}

static int mount_began(void *argument, const struct ra_mount_child_id *id, struct ra_error *err)
{
    return began(argument, CHILD_MOUNTS, id, err);
}

static int check_began(void *argument, const struct ra_mount_child_id *id, struct ra_error *err)
{
    return began(argument, CHILD_CHECKS, id, err);
}

/* Unmounting goes on without a note: this action knows of the process all the same. */
static int unmount_began(void *argument, const struct ra_mount_child_id *id, struct ra_error *err)
{
    if (began(argument, CHILD_UNMOUNTS, id, err) != 0)
        ra_log_warning("%s; should this action be killed, the next one does not know of the "
                       "process that unmounts",
                       err->text);
    return 0;
}

static void ended(void *argument, const struct ra_mount_child_id *id)
{
    struct subject *subject = argument;
    struct ra_error err;

    for (size_t i = subject->child_count; i-- > 0;)
        if (subject->children[i].id.pid == id->pid &&
            subject->children[i].id.start_ticks == id->start_ticks)
            drop(subject, i);
    /* A note that stays names a process that has ended: later actions see that. */
    if (save(subject, &err) != 0)
        ra_log_warning("%s", err.text);
}

struct ra_mount_child_watch subject_watch(struct subject *subject, enum child_work work)
{
    struct ra_mount_child_watch watch = { .ended = ended, .argument = subject };

    watch.began = work == CHILD_MOUNTS     ? mount_began
                  : work == CHILD_UNMOUNTS ? unmount_began
                                           : check_began;
    return watch;
}

/* --- asking --- */

static int still_running(const struct subject *subject, const struct child_record *record,
                         pid_t pid, struct ra_error *err)
{
    static const char *const what[] = {
        [CHILD_MOUNTS] = "a mount", [CHILD_UNMOUNTS] = "an unmount", [CHILD_CHECKS] = "a check"
    };
    static const char *const why[] = {
        [CHILD_MOUNTS] = "it may appear at any moment",
        [CHILD_UNMOUNTS] = "the file system is not released before it has ended",
        [CHILD_CHECKS] = "it may write to the device at any moment",
    };

    return ra_error_set(err, RA_ERROR_BUSY,
                        "%s of %s on %s is still under way in process %d, which an earlier call "
                        "has left in the kernel and no signal ends: %s",
                        what[record->work], subject->has_spec ? subject->spec.source : "a device",
                        subject->directory != NULL ? subject->directory : "a directory", (int)pid,
                        why[record->work]);
}

int subject_check_children(const struct subject *subject, struct ra_error *err)
{
    for (size_t i = 0; i < subject->child_count; i++) {
        pid_t pid = subject->mount->child_running(&subject->children[i].id);

        if (pid != 0)
            return still_running(subject, &subject->children[i], pid, err);
    }
    return 0;
}

int subject_await_children(struct subject *subject, bool mounts_only, struct ra_deadline deadline,
                           struct ra_error *err)
{
    RA_LOG_CALL("waiting for earlier mounts and unmounts of %s to end",
                subject->directory != NULL ? subject->directory : "this resource");

    for (size_t i = subject->child_count; i-- > 0;) {
        const struct child_record record = subject->children[i];
        pid_t pid;

        if (mounts_only && record.work != CHILD_MOUNTS)
            continue;
        /* Nobody waits for its result any more: a helper that could be stopped is. */
        subject->mount->child_kill(&record.id);
        pid = subject->mount->child_wait(&record.id, deadline);
        if (pid != 0)
            return still_running(subject, &record, pid, err);
        ended(subject, &record.id);
    }
    return 0;
}
