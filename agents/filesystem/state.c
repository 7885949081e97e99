/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What one action leaves for the next ones of the same boot: what start mounted, and since when the
 * mount has been silent.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/number.h"
#include "base/option.h"
#include "base/text.h"
#include "config.h"
#include "devices.h"
#include "state.h"
#include "subject.h"

/* --- what start mounted: a line "key value" for each text --- */

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

/* "major:minor"; false if it is something else. */
static bool take_device_number(const char *value, dev_t *ret_devno)
{
    ra_auto_text_list char **parts = ra_text_split(value, ":");
    int64_t high, low;

    if (parts[0] == NULL || parts[1] == NULL || parts[2] != NULL ||
        ra_number_parse_integer(parts[0], &high) != 0 ||
        ra_number_parse_integer(parts[1], &low) != 0 || high < 0 || high > UINT_MAX || low < 0 ||
        low > UINT_MAX)
        return false;
    *ret_devno = makedev((unsigned)high, (unsigned)low);
    return true;
}

static bool take_inode(const char *value, ino_t *ret_inode)
{
    int64_t number;

    if (ra_number_parse_integer(value, &number) != 0)
        return false;
    *ret_inode = (ino_t)number;
    return true;
}

/* False if the value is damaged. A key that is not known is a later version's, and no damage. */
static bool take_line(struct state *state, const char *key, const char *value)
{
    const struct {
        const char *key;
        char **field;
    } fields[] = {
        { "device", &state->device },
        { "parameter", &state->parameter },
        { "directory", &state->directory },
        { "root", &state->root },
        { "fstype", &state->fstype },
        { "source", &state->source },
        { "image", &state->image },
        { "identity", &state->identity },
        { "block_identity", &state->block_identity },
    };

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (strcmp(fields[i].key, key) == 0) {
            free(*fields[i].field);
            *fields[i].field = unescaped(value);
            return true;
        }
    if (strcmp(key, "devno") == 0)
        return state->was_mounted = take_device_number(value, &state->devno);
    if (strcmp(key, "block") == 0)
        return take_device_number(value, &state->block);
    if (strcmp(key, "image_devno") == 0)
        return take_device_number(value, &state->image_devno);
    if (strcmp(key, "image_inode") == 0)
        return take_inode(value, &state->image_inode);
    if (strcmp(key, "read_only") == 0) {
        state->read_only = strcmp(value, "1") == 0;
        return state->read_only || strcmp(value, "0") == 0;
    }
    return true;
}

/* Nothing is missing of what start always writes. */
static bool is_whole(const struct state *state)
{
    bool has_mount = state->root != NULL && state->fstype != NULL && state->source != NULL;
    bool has_none = state->root == NULL && state->fstype == NULL && state->source == NULL;

    return !ra_text_is_empty(state->device) && !ra_text_is_empty(state->parameter) &&
           !ra_text_is_empty(state->directory) && (state->was_mounted ? has_mount : has_none);
}

static bool take_text(struct state *state, char *text)
{
    char *rest = NULL;

    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char *space = strchr(line, ' ');

        if (space == NULL)
            return false;
        *space = '\0';
        if (!take_line(state, line, space + 1))
            return false;
    }
    return is_whole(state);
}

void subject_free_state(struct subject *subject)
{
    struct state *state = &subject->state;

    free(state->device);
    free(state->parameter);
    free(state->directory);
    free(state->root);
    free(state->fstype);
    free(state->source);
    free(state->image);
    free(state->identity);
    free(state->block_identity);
    *state = (struct state){ 0 };
}

/*
 * What the first release left here when a resource whose id is ours without "-silent" was silent:
 * a number alone. It tells nothing of us.
 */
static bool is_foreign_silence(const char *text)
{
    int64_t number;

    return ra_number_parse_integer(text, &number) == 0;
}

void subject_recall(struct subject *subject)
{
    ra_auto_free char *name = state_name(subject);
    ra_auto_free char *text = NULL;
    struct ra_error err;

    if (ra_file_state_read(name, &text, &err) != 0) {
        if (err.kind == RA_ERROR_CONFIG)
            ra_log_warning("%s; a start would have failed", err.text);
        else if (err.kind != RA_ERROR_NOT_FOUND)
            (void)ra_error_set(&subject->state_error, RA_ERROR_SYSTEM,
                               "what this resource has mounted on this node cannot be told: %s",
                               err.text);
        return;
    }
    if (is_foreign_silence(text))
        return;
    subject->has_state = take_text(&subject->state, text);
    if (subject->has_state)
        return;
    subject_free_state(subject);
    (void)ra_error_set(&subject->state_error, RA_ERROR_SYSTEM,
                       "what this resource has mounted on this node cannot be told: its state "
                       "file %s is damaged (remove it if nothing of the resource is mounted "
                       "anywhere on the node, in containers neither)",
                       name);
}

static void put_number(const struct subject *subject, struct ra_text_buffer *text,
                       const char *prefix, const char *key, dev_t devno)
{
    ra_auto_free char *identity = subject->mount->device_identity(devno);
    ra_auto_free char *identity_key = ra_text_format("%sidentity", prefix);

    ra_text_buffer_addf(text, "%s %u:%u\n", key, major(devno), minor(devno));
    if (identity != NULL)
        put_line(text, identity_key, identity);
}

static void put_image(struct ra_text_buffer *text, const char *path, dev_t devno, ino_t inode)
{
    put_line(text, "image", path);
    if (inode != 0)
        ra_text_buffer_addf(text, "image_devno %u:%u\nimage_inode %lld\n", major(devno),
                            minor(devno), (long long)inode);
}

/*
 * By what the release of the device is proven, whatever becomes of its name. What is mounted tells
 * it best; a parameter may lead elsewhere meanwhile.
 */
static void put_device(const struct subject *subject, const struct ra_mount_entry *entry,
                       struct ra_text_buffer *text)
{
    const struct ra_mount_spec *spec = &subject->spec;
    const struct state *state = &subject->state;
    bool is_start = subject->context->kind == RA_ACTION_START;
    ra_auto_free char *image = NULL;
    dev_t devno;
    ino_t inode;

    if (spec->class == RA_MOUNT_BLOCK ||
        (!is_start && state->block != 0 && subject_is_on_device(subject))) {
        if (entry != NULL && major(entry->devno) != 0)
            put_number(subject, text, "block_", "block", entry->devno);
        else if (spec->class == RA_MOUNT_BLOCK && spec->resolved)
            put_number(subject, text, "block_", "block", spec->devno);
    } else if (spec->class == RA_MOUNT_IMAGE) {
        if (!is_start && entry != NULL && subject_image_of(subject, entry, &image, &devno, &inode))
            put_image(text, image, devno, inode);
        else if (spec->resolved)
            put_image(text, spec->path, spec->file_devno, spec->file_inode);
        else if (state->image != NULL)
            put_image(text, state->image, state->image_devno, state->image_inode);
    }
}

/* Whether it was mounted so; later the kernel may have made it so, and that is for monitor. */
static bool is_read_only(const struct subject *subject, const struct ra_mount_entry *entry)
{
    return subject->has_state && subject->context->kind != RA_ACTION_START
               ? subject->state.read_only
               : ra_option_is_set(entry->fs_options, "ro");
}

int subject_remember(struct subject *subject, const struct ra_mount_entry *entry,
                     struct ra_error *err)
{
    ra_auto_free char *name = state_name(subject);
    ra_auto_text_buffer struct ra_text_buffer text = { 0 };

    put_line(&text, "device", subject->config->device);
    put_line(&text, "parameter", subject->config->directory);
    put_line(&text, "directory", subject->directory);
    put_device(subject, entry, &text);
    if (entry != NULL) {
        put_number(subject, &text, "", "devno", entry->devno);
        put_line(&text, "root", entry->root);
        put_line(&text, "fstype", entry->fstype);
        put_line(&text, "source", entry->source);
        put_line(&text, "read_only", is_read_only(subject, entry) ? "1" : "0");
    }
    return ra_file_state_write(name, text.data, err);
}

static bool is_as_remembered(const struct subject *subject, const struct ra_mount_entry *entry)
{
    const struct state *state = &subject->state;

    return ra_text_equal(state->device, subject->config->device) && state->was_mounted &&
           state->devno == entry->devno && ra_text_equal(state->root, entry->root) &&
           ra_text_equal(state->fstype, entry->fstype) &&
           ra_text_equal(state->source, entry->source) &&
           (major(entry->devno) == 0 ||
            subject->mount->device_compare(entry->devno, state->identity) != RA_MOUNT_OTHER);
}

void subject_update(struct subject *subject, const struct ra_mount_entry *entry)
{
    struct ra_error err;

    /* Parameters that are missing or wrong leave nothing that could be written down. */
    if (!subject->has_state || subject->spec_error.kind != 0 ||
        filesystem_check_directory(subject->config->directory, NULL) != 0 ||
        is_as_remembered(subject, entry))
        return;
    ra_log_note("%s on %s is not the mount that the state tells of: the state is written afresh",
                entry->source, entry->target);
    if (subject_remember(subject, entry, &err) != 0)
        ra_log_warning("%s", err.text);
}

void subject_forget(struct subject *subject)
{
    ra_auto_free char *name = state_name(subject);
    struct ra_error err;

    subject_end_silence(subject);
    if (subject->has_state && ra_file_state_remove(name, &err) != 0)
        ra_log_warning("%s", err.text);
}

/* --- silence --- */

static char *silence_name(const struct subject *subject)
{
    /* No id makes this a state_name(), and it is no longer: the longest ids must fit. */
    return ra_text_format("FsSilence-%s", subject->context->instance);
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
