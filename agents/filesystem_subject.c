/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What should be mounted, and what is. The mount table decides; the state file only helps to
 * recognise our mount when its device is gone or a parameter is missing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/number.h"
#include "base/text.h"
#include "filesystem.h"
#include "runtime/backend.h"

/* Types that cannot be written to at all. */
#define READ_ONLY_TYPES "iso9660,squashfs,erofs,cramfs,romfs,udf"

/* --- the state file: a line "key value" for each text --- */

static char *state_name(const struct subject *subject)
{
    return ra_text_format("Filesystem-%s", subject->context->instance);
}

static void put_line(struct ra_text_buffer *text, const char *key, const char *value)
{
    ra_auto_free char *slashed = ra_text_replace(value != NULL ? value : "", "\\", "\\\\");
    ra_auto_free char *escaped = ra_text_replace(slashed, "\n", "\\n");

    ra_text_buffer_addf(text, "%s %s\n", key, escaped);
}

static char *unescaped(const char *value)
{
    char *text = ra_text_copy(value);
    char *to = text;

    for (const char *from = text; *from != '\0'; from++) {
        if (*from == '\\' && from[1] != '\0')
            *to++ = *++from == 'n' ? '\n' : *from;
        else
            *to++ = *from;
    }
    *to = '\0';
    return text;
}

static void take_device_number(struct state *state, const char *value)
{
    ra_auto_text_list char **parts = ra_text_split(value, ":");
    int64_t high, low;

    if (parts[0] != NULL && parts[1] != NULL && ra_number_parse_integer(parts[0], &high) == 0 &&
        ra_number_parse_integer(parts[1], &low) == 0) {
        state->devno = makedev((unsigned)high, (unsigned)low);
        state->was_mounted = true;
    }
}

static void take_line(struct state *state, const char *key, const char *value)
{
    const struct {
        const char *key;
        char **field;
    } fields[] = {
        { "device", &state->device },       { "parameter", &state->parameter },
        { "directory", &state->directory }, { "root", &state->root },
        { "fstype", &state->fstype },       { "source", &state->source },
    };

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (strcmp(fields[i].key, key) == 0) {
            free(*fields[i].field);
            *fields[i].field = unescaped(value);
        }
    if (strcmp(key, "devno") == 0)
        take_device_number(state, value);
    if (strcmp(key, "read_only") == 0)
        state->read_only = strcmp(value, "1") == 0;
}

static void state_free(struct state *state)
{
    free(state->device);
    free(state->parameter);
    free(state->directory);
    free(state->root);
    free(state->fstype);
    free(state->source);
    *state = (struct state){ 0 };
}

static void read_state(struct subject *subject)
{
    ra_auto_free char *name = state_name(subject);
    ra_auto_free char *text = NULL;
    struct ra_error err;
    char *rest = NULL;

    if (ra_file_state_read(name, &text, &err) != 0) {
        if (err.kind != RA_ERROR_NOT_FOUND)
            ra_log_warning("%s; going on without it", err.text);
        return;
    }
    subject->has_state = true;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char *space = strchr(line, ' ');

        if (space == NULL)
            continue;
        *space = '\0';
        take_line(&subject->state, line, space + 1);
    }
}

int subject_remember(struct subject *subject, const struct ra_mount_entry *entry,
                     struct ra_error *err)
{
    ra_auto_free char *name = state_name(subject);
    ra_auto_text_buffer struct ra_text_buffer text = { 0 };

    put_line(&text, "device", subject->config->device);
    put_line(&text, "parameter", subject->config->directory);
    put_line(&text, "directory", subject->directory);
    if (entry != NULL) {
        ra_text_buffer_addf(&text, "devno %u:%u\n", major(entry->devno), minor(entry->devno));
        put_line(&text, "root", entry->root);
        put_line(&text, "fstype", entry->fstype);
        put_line(&text, "source", entry->source);
        put_line(&text, "read_only",
                 subject->mount->option_is_set(entry->fs_options, "ro") ? "1" : "0");
    }
    return ra_file_state_write(name, text.data, err);
}

void subject_forget(struct subject *subject)
{
    ra_auto_free char *name = state_name(subject);
    struct ra_error err;

    subject_end_silence(subject);
    if (subject->has_state && ra_file_state_remove(name, &err) != 0)
        ra_log_warning("%s", err.text);
}

static char *silence_name(const struct subject *subject)
{
    return ra_text_format("Filesystem-%s-silent", subject->context->instance);
}

int64_t subject_note_silence(const struct subject *subject)
{
    ra_auto_free char *name = silence_name(subject);
    ra_auto_free char *began = NULL;
    ra_auto_free char *now = ra_text_format("%lld", (long long)ra_deadline_now_ms());
    struct ra_error err;
    int64_t began_ms;

    if (ra_file_state_read(name, &began, &err) == 0 &&
        ra_number_parse_integer(began, &began_ms) == 0)
        return ra_deadline_now_ms() - began_ms;
    if (ra_file_state_write(name, now, &err) != 0)
        ra_log_warning("%s", err.text);
    return 0;
}

void subject_end_silence(const struct subject *subject)
{
    ra_auto_free char *name = silence_name(subject);
    struct ra_error err;

    if (ra_file_state_remove(name, &err) != 0)
        ra_log_warning("%s", err.text);
}

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
        filesystem_gluster_parse(device, config->options, &subject->gluster, err) != 0)
        return -1;
    if (subject->mount->spec_make(device, config->fstype, config->options, &subject->spec, err) !=
        0)
        return -1;
    subject->spec.aliases = subject->gluster.sources;
    subject->has_spec = true;
    return 0;
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
    if (state->was_mounted && ra_text_equal(state->device, device) && state->root != NULL &&
        state->fstype != NULL && state->source != NULL) {
        subject->memory = (struct ra_mount_memory){ .devno = state->devno,
                                                    .root = state->root,
                                                    .fstype = state->fstype,
                                                    .source = state->source };
        subject->spec.memory = &subject->memory;
    }
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
    read_state(subject);
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
    filesystem_gluster_free(&subject->gluster);
    state_free(&subject->state);
    free(subject->directory);
    *subject = (struct subject){ 0 };
}

/* --- looking --- */

static enum ra_mount_match match(struct subject *subject, const struct ra_mount_entry *entry)
{
    enum ra_mount_match result;
    struct ra_error err;

    if (!subject->has_spec)
        return RA_MOUNT_UNCERTAIN;
    result = subject->mount->spec_match(&subject->spec, entry);
    if (result != RA_MOUNT_UNCERTAIN || subject->spec.resolved)
        return result;
    if (subject->mount->spec_resolve(&subject->spec, subject->table, &err) != 0) {
        ra_log_note("%s", err.text);
        return RA_MOUNT_UNCERTAIN;
    }
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
    const struct ra_mount_backend *mount = subject->mount;

    if (mount->option_is_set(entry->fs_options, "shutdown") ||
        mount->option_is_set(entry->fs_options, "emergency_ro"))
        return "the kernel has shut it down after an error";
    if (!mount->option_is_set(entry->fs_options, "ro") ||
        mount->option_is_set(subject->config->options, "ro") || subject->state.read_only ||
        filesystem_type_is_in(entry->fstype, READ_ONLY_TYPES))
        return NULL;
    /* A bind shows what it was read-only before, and only the state tells. */
    if (subject->spec.class == RA_MOUNT_BIND && !subject->state.was_mounted)
        return NULL;
    return "the kernel has made it read-only after an error, see its log";
}

bool subject_is_exclusive(const struct subject *subject)
{
    if (!subject->has_spec || subject->mount->option_is_set(subject->config->options, "ro") ||
        (subject->spec.class != RA_MOUNT_BLOCK && subject->spec.class != RA_MOUNT_IMAGE))
        return false;
    return !filesystem_type_is_in(subject->spec.fstype, "btrfs,gfs2,ocfs2,zfs,bcachefs");
}

bool subject_is_elsewhere(struct subject *subject, const struct ra_mount_entry *entry)
{
    if (strcmp(entry->target, subject->directory) == 0 ||
        filesystem_type_is_in(entry->fstype, "btrfs,gfs2,ocfs2,zfs,bcachefs"))
        return false;
    if (subject->spec.resolved && subject->spec.class == RA_MOUNT_BLOCK)
        return entry->devno == subject->spec.devno;
    return subject->spec.resolved && match(subject, entry) == RA_MOUNT_OURS;
}

int subject_probe(const struct subject *subject, const struct ra_mount_entry *entry,
                  struct ra_deadline deadline, struct ra_error *err)
{
    struct ra_mount_daemon daemon;

    /* XFS answers with an error once it has shut itself down; the mount table does not tell. */
    if (!subject->mount->fstype_is_remote(entry->fstype) && strcmp(entry->fstype, "xfs") != 0)
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
