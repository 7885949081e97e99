/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What should be mounted, and what is. The mount table decides; what start left in its state only
 * helps to recognise our mount when its device is gone or a parameter is missing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fstype.h"
#include "base/log.h"
#include "base/option.h"
#include "base/text.h"
#include "children.h"
#include "config.h"
#include "devices.h"
#include "gluster.h"
#include "state.h"
#include "subject.h"
#include "runtime/backend.h"

/* --- opening --- */

static int find_directory(struct subject *subject, struct ra_error *err)
{
    const char *parameter = subject->config->directory;
    const struct state *state = &subject->state;

    if (filesystem_check_directory(parameter, NULL) != 0) {
        subject->directory = ra_text_copy(state->directory);
        return 0;
    }
    /* What start resolved, no file system on the way has to be asked again. */
    if (ra_text_equal(state->parameter, parameter) && !ra_text_is_empty(state->directory)) {
        subject->directory = ra_text_copy(state->directory);
        return 0;
    }
    return subject->mount->canonicalise(subject->table, parameter, subject->context->deadline,
                                        &subject->directory, err);
}

static int make_spec_of(struct subject *subject, const char *device, struct ra_error *err)
{
    const struct filesystem_config *config = subject->config;

    if (ra_text_is_empty(device))
        return ra_error_set(err, RA_ERROR_CONFIG, "the parameter 'device' is not set");
    if (ra_text_equal(config->fstype, "glusterfs") &&
        ra_gluster_source_parse(device, config->options, &subject->gluster, err) != 0)
        return -1;
    if (subject->mount->spec_make(device, config->fstype, config->options, &subject->spec, err) !=
        0)
        return -1;
    subject->spec.aliases = subject->gluster.sources;
    subject->has_spec = true;
    return 0;
}

/*
 * What start found out about an image, so that the file system that holds it need not be asked for
 * as long as that says that a mount is ours: it may be silent or gone by now. A start looks afresh.
 */
static void take_image(struct subject *subject)
{
    const struct state *state = &subject->state;

    if (state->image == NULL || subject->context->kind == RA_ACTION_START)
        return;
    subject->spec.class = RA_MOUNT_IMAGE;
    subject->memory.image = state->image;
    subject->memory.image_devno = state->image_devno;
    subject->memory.image_inode = state->image_inode;
}

static void make_spec(struct subject *subject)
{
    const struct state *state = &subject->state;
    const char *device = subject->config->device;

    if (make_spec_of(subject, device, &subject->spec_error) != 0) {
        device = state->device;
        if (ra_text_is_empty(device) || make_spec_of(subject, device, NULL) != 0)
            return;
    }
    if (!subject->has_state || !ra_text_equal(state->device, device))
        return;
    subject->memory = (struct ra_mount_memory){ 0 };
    if (state->was_mounted && state->root != NULL && state->fstype != NULL && state->source != NULL)
        subject->memory = (struct ra_mount_memory){ .devno = state->devno,
                                                    .identity = state->identity,
                                                    .root = state->root,
                                                    .fstype = state->fstype,
                                                    .source = state->source };
    take_image(subject);
    subject->spec.memory = &subject->memory;
}

int subject_refresh(struct subject *subject, struct ra_error *err)
{
    subject->mount->table_free(subject->table);
    subject->table = NULL;
    return subject->mount->table_read(NULL, &subject->table, err);
}

int subject_open(struct subject *subject, const struct ra_context *context, struct ra_error *err)
{
    *subject = (struct subject){ .context = context, .config = context->config };
    subject->mount = ra_backend_load("mount", err);
    if (subject->mount == NULL || subject_refresh(subject, err) != 0)
        return -1;
    subject_recall(subject);
    subject_recall_children(subject);
    make_spec(subject);
    return find_directory(subject, err);
}

void subject_close(struct subject *subject)
{
    if (subject->mount == NULL)
        return;
    subject->mount->table_free(subject->table);
    if (subject->has_spec)
        subject->mount->spec_free(&subject->spec);
    ra_gluster_source_free(&subject->gluster);
    subject_free_state(subject);
    subject_free_seen(subject);
    free(subject->children);
    free(subject->directory);
    *subject = (struct subject){ 0 };
}

/* --- looking --- */

static enum ra_mount_match match(struct subject *subject, const struct ra_mount_entry *entry)
{
    enum ra_mount_match result;

    if (!subject->has_spec)
        return RA_MOUNT_UNCERTAIN;
    result = subject->mount->spec_match(&subject->spec, entry);
    if (result != RA_MOUNT_UNCERTAIN || subject->spec.resolved || !subject_resolve(subject))
        return result;
    return subject->mount->spec_match(&subject->spec, entry);
}

/* Is `entry` the visible mount or one that it lies upon, all on one directory? */
static bool is_in_stack(const struct subject *subject, const struct ra_mount_entry *visible,
                        const struct ra_mount_entry *entry)
{
    return visible == entry || subject->mount->table_is_above(subject->table, visible, entry);
}

struct layers subject_look(struct subject *subject, const char *directory)
{
    const struct ra_mount_backend *mount = subject->mount;
    const struct ra_mount_entry *visible = mount->table_visible(subject->table, directory);
    struct layers layers = { .top_match = RA_MOUNT_FOREIGN };

    if (visible != NULL && strcmp(visible->target, directory) == 0) {
        layers.top = visible;
        layers.top_match = match(subject, visible);
    }
    for (size_t i = 0; i < mount->table_count(subject->table); i++) {
        const struct ra_mount_entry *entry = mount->table_at(subject->table, i);
        enum ra_mount_match result;

        if (strcmp(entry->target, directory) != 0)
            continue;
        result = match(subject, entry);
        /* The kernel lists a mount after those it lies upon: the last is the topmost. */
        if (result == RA_MOUNT_OURS)
            layers.ours = entry;
        else if (result == RA_MOUNT_UNCERTAIN)
            layers.unclear = entry;
    }
    if (layers.top_match == RA_MOUNT_OURS)
        layers.ours = layers.top;
    if (layers.ours != NULL)
        layers.unclear = NULL;
    layers.covered = layers.ours != NULL && layers.ours != layers.top;
    if (layers.covered && layers.top != NULL && !is_in_stack(subject, layers.top, layers.ours))
        ra_log_note("%s is hidden together with the directory above it", directory);
    return layers;
}

char *subject_moved_directory(const struct subject *subject)
{
    const char *name = strrchr(subject->directory, '/') + 1;

    return ra_text_format("%.*s.%s", (int)(name - subject->directory), subject->directory, name);
}

const char *subject_lost_write(const struct subject *subject, const struct ra_mount_entry *entry)
{
    if (ra_option_is_set(entry->fs_options, "shutdown") ||
        ra_option_is_set(entry->fs_options, "emergency_ro"))
        return "the kernel has shut it down after an error";
    if (!ra_option_is_set(entry->fs_options, "ro") ||
        ra_option_is_set(subject->config->options, "ro") || subject->state.read_only ||
        ra_fstype_find(entry->fstype)->read_only)
        return NULL;
    /* A bind shows what it was read-only before, and only the state tells. */
    if (subject->spec.class == RA_MOUNT_BIND && !subject->state.was_mounted)
        return NULL;
    return "the kernel has made it read-only after an error, see its log";
}

static bool is_exclusive_type(const char *fstype)
{
    return ra_fstype_is_exclusive(ra_fstype_find(fstype));
}

/* As the parameters say. */
static bool is_configured_exclusive(const struct subject *subject)
{
    return subject->has_spec &&
           (subject->spec.class == RA_MOUNT_BLOCK || subject->spec.class == RA_MOUNT_IMAGE) &&
           !ra_option_is_set(subject->config->options, "ro") &&
           is_exclusive_type(subject->spec.fstype);
}

bool subject_is_on_device(const struct subject *subject)
{
    const struct state *state = &subject->state;

    if (subject->spec.class == RA_MOUNT_BLOCK || subject->spec.class == RA_MOUNT_IMAGE)
        return true;
    return subject->spec.class != RA_MOUNT_BIND && subject->spec.memory != NULL &&
           (state->block != 0 || state->image != NULL);
}

static bool is_remembered_exclusive(const struct state *state)
{
    return state->was_mounted && (state->block != 0 || state->image != NULL) && !state->read_only &&
           is_exclusive_type(state->fstype);
}

bool subject_is_mount_exclusive(const struct subject *subject, const struct ra_mount_entry *entry)
{
    /* Read-only because that was wanted; the kernel's own doing is no excuse. */
    bool is_read_only =
        ra_option_is_set(entry->fs_options, "ro") &&
        (ra_option_is_set(subject->config->options, "ro") || subject->state.read_only);

    return subject_is_on_device(subject) && !is_read_only && is_exclusive_type(entry->fstype);
}

/*
 * What was mounted decides, not the parameters: those may be others by now, or lead to something
 * else. Only of a mount that nobody has seen nothing but the parameters tells.
 */
bool subject_is_exclusive(const struct subject *subject)
{
    bool is_told = subject->seen_count > 0 || subject->state.was_mounted;

    if (subject->context->kind == RA_ACTION_START)
        return is_configured_exclusive(subject) && is_exclusive_type(subject->state.fstype);
    for (size_t i = 0; i < subject->seen_count; i++)
        if (subject->seen[i].is_exclusive)
            return true;
    return is_told ? is_remembered_exclusive(&subject->state) : is_configured_exclusive(subject);
}

int subject_probe(const struct subject *subject, const struct ra_mount_entry *entry,
                  struct ra_deadline deadline, struct ra_error *err)
{
    const struct ra_fstype *type = ra_fstype_find(entry->fstype);
    struct ra_mount_daemon daemon;

    if (!ra_fstype_is_remote(type) && !type->may_shut_down)
        return 0;
    if (subject->mount->probe(entry->target, deadline, err) == 0)
        return 0;
    if (!subject->mount->is_fuse(entry))
        return -1;
    daemon = subject->mount->daemon_find(entry);
    if (daemon.pid == 0)
        return ra_error_prefix(err, "the FUSE daemon of %s is dead", entry->target);
    ra_cleanup_close(&daemon.pidfd);
    return ra_error_prefix(err, "%s[%d], the FUSE daemon of %s, is there, but %s", daemon.name,
                           (int)daemon.pid, entry->target,
                           err->kind == RA_ERROR_TIMEOUT ? "is silent"
                                                         : "has lost what it serves (a volume "
                                                           "without a quorum of bricks does this)");
}
