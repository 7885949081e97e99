/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The devices that our file system is or was on, in the order of what proves it: mounts of ours
 * that this action has seen; the state's numbers, as far as they still mean the same devices; and,
 * only if these tell nothing, what the device parameter leads to, because links and tags go to
 * whichever device came last, a snapshot or a clone of ours for example. If they tell that our
 * devices have left the node, the parameter adds no other. Of an image they are the loop devices
 * that are bound to the file, by whichever name.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/fstype.h"
#include "base/log.h"
#include "base/text.h"
#include "devices.h"
#include "state.h"
#include "subject.h"

#define NUMBERS_MOST_MS 2000

/* --- mounts of ours that this action has seen --- */

void subject_note_mount(struct subject *subject, const struct ra_mount_entry *entry)
{
    bool is_exclusive = subject_is_mount_exclusive(subject, entry);
    struct seen_mount *seen;

    for (size_t i = 0; i < subject->seen_count; i++)
        if (subject->seen[i].devno == entry->devno) {
            subject->seen[i].is_exclusive = subject->seen[i].is_exclusive || is_exclusive;
            return;
        }
    subject->seen = realloc(subject->seen, (subject->seen_count + 1) * sizeof(subject->seen[0]));
    if (subject->seen == NULL)
        abort();
    seen = &subject->seen[subject->seen_count++];
    *seen = (struct seen_mount){ .devno = entry->devno,
                                 .is_exclusive = is_exclusive,
                                 .identity = subject->mount->device_identity(entry->devno) };
    if (subject->spec.class == RA_MOUNT_IMAGE)
        seen->has_image =
            subject_image_of(subject, entry, &seen->image, &seen->image_devno, &seen->image_inode);
}

bool subject_image_of(const struct subject *subject, const struct ra_mount_entry *entry,
                      char **ret_path, dev_t *ret_devno, ino_t *ret_inode)
{
    struct ra_deadline deadline =
        ra_deadline_earlier(subject->context->deadline, ra_deadline_after_ms(NUMBERS_MOST_MS));

    *ret_path = subject->mount->loop_path(entry->devno);
    *ret_devno = 0;
    *ret_inode = 0;
    if (*ret_path != NULL)
        (void)subject->mount->loop_numbers(entry->devno, deadline, ret_devno, ret_inode);
    return *ret_path != NULL;
}

void subject_free_seen(struct subject *subject)
{
    for (size_t i = 0; i < subject->seen_count; i++) {
        free(subject->seen[i].identity);
        free(subject->seen[i].image);
    }
    free(subject->seen);
}

/* --- the devices --- */

void devices_free(struct devices *devices)
{
    free(devices->items);
    *devices = (struct devices){ 0 };
}

static void add(struct devices *devices, dev_t devno, bool is_proven)
{
    for (size_t i = 0; i < devices->count; i++)
        if (devices->items[i].devno == devno) {
            devices->items[i].is_proven = devices->items[i].is_proven || is_proven;
            return;
        }
    devices->items = realloc(devices->items, (devices->count + 1) * sizeof(devices->items[0]));
    if (devices->items == NULL)
        abort();
    devices->items[devices->count++] = (struct device){ .devno = devno, .is_proven = is_proven };
}

static bool has_proven(const struct devices *devices)
{
    for (size_t i = 0; i < devices->count; i++)
        if (devices->items[i].is_proven)
            return true;
    return false;
}

/* A number from the past: is it still what it was? */
static void add_known(const struct subject *subject, struct devices *devices, dev_t devno,
                      const char *identity, bool just_seen)
{
    /* File systems without a device have numbers of major 0. */
    if (major(devno) == 0)
        return;
    devices->is_known = true;
    switch (subject->mount->device_compare(devno, identity)) {
    case RA_MOUNT_SAME:
        add(devices, devno, true);
        break;
    case RA_MOUNT_SAME_MAYBE:
        /* The number of a loop device says nothing; the file leads to the right ones. */
        if (subject->spec.class != RA_MOUNT_IMAGE)
            add(devices, devno, just_seen);
        break;
    case RA_MOUNT_OTHER:
    default:
        break;
    }
}

bool subject_resolve(struct subject *subject)
{
    struct ra_deadline deadline =
        ra_deadline_earlier(ra_deadline_reserve_ms(subject->context->deadline, 1000),
                            ra_deadline_after_ms(NUMBERS_MOST_MS));
    struct ra_error err;

    if (subject->spec.resolved || subject->resolve_failed)
        return subject->spec.resolved;
    if (subject->mount->spec_resolve(&subject->spec, subject->table, deadline, &err) == 0)
        return true;
    /* Not again in this action: a file system that is silent takes its time at each attempt. */
    subject->resolve_failed = true;
    ra_log_note("%s", err.text);
    return false;
}

static int add_loops(const struct subject *subject, struct devices *devices,
                     const struct ra_mount_image *image, struct ra_error *err)
{
    ra_auto_free dev_t *loops = NULL;
    size_t count = 0;

    devices->is_known = true;
    if (subject->mount->image_find_loops(image, subject->context->deadline, &loops, &count, err) !=
        0)
        return -1;
    for (size_t i = 0; i < count; i++)
        add(devices, loops[i], true);
    return 0;
}

static struct ra_mount_image image_of(const char *path, dev_t devno, ino_t inode)
{
    return (struct ra_mount_image){
        .path = path, .has_file = inode != 0, .devno = devno, .inode = inode
    };
}

/*
 * Ours have left the node, so what the parameter leads to is another device. Should it have one of
 * their numbers, this may be the same disk after a change of its medium: it can be asked.
 */
static void add_successor(struct subject *subject, struct devices *devices)
{
    const struct state *state = &subject->state;
    bool is_successor = false;
    dev_t devno;

    if (!subject_resolve(subject) || subject->spec.class != RA_MOUNT_BLOCK)
        return;
    devno = subject->spec.devno;
    for (size_t i = 0; i < subject->seen_count; i++)
        is_successor = is_successor || subject->seen[i].devno == devno;
    if (is_successor || state->block == devno || (state->was_mounted && state->devno == devno))
        add(devices, devno, false);
}

static int add_by_parameter(struct subject *subject, struct devices *devices, struct ra_error *err)
{
    const struct ra_mount_spec *spec = &subject->spec;
    bool resolved = subject_resolve(subject);
    const struct ra_mount_image image =
        resolved ? image_of(spec->path, spec->file_devno, spec->file_inode)
                 : image_of(spec->source, 0, 0);

    if (spec->class == RA_MOUNT_IMAGE)
        return add_loops(subject, devices, &image, err);
    if (resolved && spec->class == RA_MOUNT_BLOCK) {
        devices->is_known = true;
        add(devices, spec->devno, true);
    }
    return 0;
}

int subject_find_devices(struct subject *subject, struct devices *ret_devices, struct ra_error *err)
{
    const struct state *state = &subject->state;
    bool has_image = false;

    *ret_devices = (struct devices){ 0 };
    /* A start is about what the parameter says now. */
    if (subject->context->kind == RA_ACTION_START)
        return add_by_parameter(subject, ret_devices, err);
    for (size_t i = 0; i < subject->seen_count; i++) {
        const struct seen_mount *seen = &subject->seen[i];
        const struct ra_mount_image image =
            image_of(seen->image, seen->image_devno, seen->image_inode);

        if (!seen->is_exclusive)
            continue;
        add_known(subject, ret_devices, seen->devno, seen->identity, true);
        has_image = has_image || seen->has_image;
        if (seen->has_image && add_loops(subject, ret_devices, &image, err) != 0)
            return -1;
    }
    add_known(subject, ret_devices, state->block, state->block_identity, false);
    if (state->was_mounted)
        add_known(subject, ret_devices, state->devno, state->identity, false);
    if (subject->spec.class == RA_MOUNT_IMAGE && state->image != NULL) {
        const struct ra_mount_image image =
            image_of(state->image, state->image_devno, state->image_inode);

        has_image = true;
        if (add_loops(subject, ret_devices, &image, err) != 0)
            return -1;
    }
    if (has_image || has_proven(ret_devices))
        return 0;
    if (subject->spec.class == RA_MOUNT_IMAGE || !ret_devices->is_known || ret_devices->count > 0)
        return add_by_parameter(subject, ret_devices, err);
    add_successor(subject, ret_devices);
    return 0;
}

bool subject_is_elsewhere(const struct subject *subject, const struct devices *devices,
                          const struct ra_mount_entry *entry)
{
    if (strcmp(entry->target, subject->directory) == 0 ||
        ra_fstype_find(entry->fstype)->shares_device)
        return false;
    for (size_t i = 0; i < devices->count; i++)
        if (devices->items[i].is_proven && devices->items[i].devno == entry->devno)
            return true;
    return false;
}
