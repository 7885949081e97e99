/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mount/spec.h"

#include <errno.h>
#include <blkid.h>
#include <libmount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/fstype.h"
#include "base/log.h"
#include "base/option.h"
#include "base/path.h"
#include "base/text.h"
#include "mount/child.h"
#include "mount/device.h"
#include "mount/loop.h"

#define LOOP_MAJOR      7
#define NUMBERS_MOST_MS 2000

/*
 * "-U x", "-Ux", "--uuid x", "--uuid=x" and the like for labels become "UUID=x"; NULL if `device`
 * is none of these.
 */
static char *tag_of_option(const char *device)
{
    static const struct {
        const char *option;
        const char *tag;
    } options[] = {
        { "--uuid", "UUID" }, { "--label", "LABEL" }, { "-U", "UUID" }, { "-L", "LABEL" }
    };

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        const char *value = device + strlen(options[i].option);

        if (!ra_text_starts_with(device, options[i].option))
            continue;
        value += *value == '=' && options[i].option[1] == '-' ? 1 : 0;
        value += strspn(value, " \t");
        return ra_text_format("%s=%s", options[i].tag, value);
    }
    return NULL;
}

static bool is_bind(const char *fstype, const char *options)
{
    return ra_option_is_set(options, "bind") || ra_option_is_set(options, "rbind") ||
           ra_text_equal(fstype, "bind");
}

static enum ra_mount_class class_of(const char *source, const char *fstype, const char *options)
{
    struct stat status;

    if (is_bind(fstype, options))
        return RA_MOUNT_BIND;
    if (ra_fstype_find(fstype)->named)
        return RA_MOUNT_NAMED;
    if (ra_option_is_set(options, "loop"))
        return RA_MOUNT_IMAGE;
    if (mnt_tag_is_valid(source))
        return RA_MOUNT_BLOCK;
    if (source[0] != '/')
        return RA_MOUNT_NAMED;
    if (stat(source, &status) != 0 || S_ISBLK(status.st_mode))
        return RA_MOUNT_BLOCK;
    return S_ISREG(status.st_mode) ? RA_MOUNT_IMAGE : RA_MOUNT_NAMED;
}

int ra_mount_spec_make(const char *device, const char *fstype, const char *options,
                       struct ra_mount_spec *ret_spec, struct ra_error *err)
{
    ra_auto_free char *source = tag_of_option(device);
    struct ra_mount_spec spec = { 0 };

    if (source == NULL)
        source = ra_text_copy(device);
    if (source[0] == '\0' || (source[0] != '/' && source[strlen(source) - 1] == '='))
        return ra_error_set(err, RA_ERROR_CONFIG,
                            "the parameter 'device' is '%s': allowed are a path, -U UUID, -L "
                            "LABEL, UUID=, LABEL=, or the source's name",
                            device);
    spec.class = class_of(source, fstype, options);
    spec.source = ra_steal_ptr(&source);
    if (!ra_text_is_empty(fstype) && strcmp(fstype, "auto") != 0)
        spec.fstype = ra_text_copy(fstype);
    spec.options = ra_text_copy(options != NULL ? options : "");
    *ret_spec = spec;
    return 0;
}

void ra_mount_spec_free(struct ra_mount_spec *spec)
{
    free(spec->source);
    free(spec->fstype);
    free(spec->options);
    free(spec->root);
    free(spec->path);
    *spec = (struct ra_mount_spec){ 0 };
}

/*
 * The device with a tag: by udev's links, or where there are none by looking at every device; not
 * by libblkid's cache file, which may be minutes old. New memory, or NULL.
 */
static char *find_tagged(const char *tag)
{
    blkid_cache fresh = NULL;
    char *name = NULL;
    char *value = NULL;
    char *path = NULL;

    if (blkid_get_cache(&fresh, "/dev/null") == 0 &&
        blkid_parse_tag_string(tag, &name, &value) == 0)
        path = blkid_evaluate_tag(name, value, &fresh);
    free(name);
    free(value);
    blkid_put_cache(fresh);
    return path;
}

static int resolve_block(struct ra_mount_spec *spec, struct ra_error *err)
{
    struct stat status;
    RA_LOG_CALL("looking for the device %s", spec->source);

    free(spec->path);
    spec->path = spec->source[0] == '/' ? ra_text_copy(spec->source) : find_tagged(spec->source);
    if (spec->path == NULL)
        return ra_error_set(err, RA_ERROR_MISSING, "there is no device %s on this node",
                            spec->source);
    if (stat(spec->path, &status) != 0)
        return ra_error_set(err, RA_ERROR_MISSING, "there is no device %s on this node: %s",
                            spec->source, strerror(errno));
    if (!S_ISBLK(status.st_mode))
        return ra_error_set(err, RA_ERROR_MISSING, "%s is not a block device", spec->source);
    spec->devno = status.st_rdev;
    return 0;
}

static int resolve_path(const char *source, char **ret_path, struct ra_error *err)
{
    RA_LOG_CALL("resolving %s", source);

    free(*ret_path);
    *ret_path = realpath(source, NULL);
    if (*ret_path == NULL)
        return ra_error_set(err, errno == ENOENT ? RA_ERROR_MISSING : RA_ERROR_SYSTEM,
                            "cannot use %s: %s", source, strerror(errno));
    return 0;
}

/* Prints the file's numbers and its canonical path. */
static int look_at_image(void *argument)
{
    ra_auto_free char *path = realpath(argument, NULL);
    struct stat status;

    if (path == NULL || stat(path, &status) != 0)
        return errno;
    if (!S_ISREG(status.st_mode))
        return EINVAL;
    return printf("%llu %llu %s", (unsigned long long)status.st_dev,
                  (unsigned long long)status.st_ino, path) > 0 &&
                   fflush(stdout) == 0
               ? 0
               : EIO;
}

static int resolve_image(struct ra_mount_spec *spec, struct ra_deadline deadline,
                         struct ra_error *err)
{
    ra_auto_text_buffer struct ra_text_buffer output = { 0 };
    unsigned long long devno, inode;
    int result, status = 0, used = 0;
    RA_LOG_CALL("looking for the file %s", spec->source);

    result = ra_mount_child_run(look_at_image, spec->source, NULL, deadline, &output, &status, err);
    if (result == 1)
        return ra_error_set(err, RA_ERROR_TIMEOUT, "the file system that holds %s does not answer",
                            spec->source);
    if (result != 0)
        return result;
    if (status == EINVAL)
        return ra_error_set(err, RA_ERROR_SYSTEM, "%s is not a regular file", spec->source);
    if (status != 0)
        return ra_error_set(err, status == ENOENT ? RA_ERROR_MISSING : RA_ERROR_SYSTEM,
                            "cannot use %s: %s", spec->source, strerror(status));
    if (output.data == NULL || sscanf(output.data, "%llu %llu %n", &devno, &inode, &used) != 2)
        return ra_error_set(err, RA_ERROR_SYSTEM, "cannot resolve %s", spec->source);
    free(spec->path);
    spec->path = ra_text_copy(output.data + used);
    spec->file_devno = (dev_t)devno;
    spec->file_inode = (ino_t)inode;
    return 0;
}

/* `path` as a directory of the file system that `entry` has mounted. */
static char *path_in_file_system(const struct ra_mount_entry *entry, const char *path)
{
    const char *rest = path + (strcmp(entry->target, "/") == 0 ? 0 : strlen(entry->target));

    if (*rest == '\0' || strcmp(rest, "/") == 0)
        return ra_text_copy(entry->root);
    return ra_text_format("%s%s", strcmp(entry->root, "/") == 0 ? "" : entry->root, rest);
}

static int resolve_bind(struct ra_mount_spec *spec, const struct ra_mount_table *table,
                        struct ra_error *err)
{
    const struct ra_mount_entry *entry;

    if (resolve_path(spec->source, &spec->path, err) != 0)
        return -1;
    entry = ra_mount_table_visible(table, spec->path);
    if (entry == NULL)
        return ra_error_set(err, RA_ERROR_SYSTEM, "%s is on no mount that we can see", spec->path);
    spec->devno = entry->devno;
    free(spec->root);
    spec->root = path_in_file_system(entry, spec->path);
    return 0;
}

int ra_mount_spec_resolve(struct ra_mount_spec *spec, const struct ra_mount_table *table,
                          struct ra_deadline deadline, struct ra_error *err)
{
    int result = 0;

    switch (spec->class) {
    case RA_MOUNT_BLOCK:
        result = resolve_block(spec, err);
        break;
    case RA_MOUNT_IMAGE:
        result = resolve_image(spec, deadline, err);
        break;
    case RA_MOUNT_BIND:
        result = resolve_bind(spec, table, err);
        break;
    case RA_MOUNT_NAMED:
    default:
        break;
    }
    spec->resolved = result == 0;
    return result;
}

/* Equal but for slashes at the end: "srv:/export/" is mounted as either. */
static bool is_same_source(const char *a, const char *b)
{
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);

    while (a_length > 1 && a[a_length - 1] == '/')
        a_length--;
    while (b_length > 1 && b[b_length - 1] == '/')
        b_length--;
    return a_length == b_length && strncmp(a, b, a_length) == 0;
}

static enum ra_mount_match match_named(const struct ra_mount_spec *spec,
                                       const struct ra_mount_entry *entry)
{
    bool same = is_same_source(spec->source, entry->source);

    for (char *const *alias = spec->aliases; !same && alias != NULL && *alias != NULL; alias++)
        same = is_same_source(*alias, entry->source);
    return same && ra_fstype_matches(entry->fstype, spec->fstype) ? RA_MOUNT_OURS
                                                                  : RA_MOUNT_FOREIGN;
}

/* A btrfs file system has an anonymous device number; its source tells a device of it. */
static bool is_on_device(const struct ra_mount_spec *spec, const struct ra_mount_entry *entry)
{
    struct stat status;

    if (entry->devno == spec->devno)
        return true;
    return major(entry->devno) == 0 && ra_text_starts_with(entry->source, "/dev/") &&
           stat(entry->source, &status) == 0 && S_ISBLK(status.st_mode) &&
           status.st_rdev == spec->devno;
}

/* Is the right directory of the device mounted: the root, or the subvolume that was asked for? */
static bool is_root_right(const struct ra_mount_spec *spec, const struct ra_mount_entry *entry)
{
    ra_auto_free char *subvolume = ra_option_value(spec->options, "subvol");
    ra_auto_free char *id = ra_option_value(spec->options, "subvolid");
    ra_auto_free char *mounted_id = ra_option_value(entry->fs_options, "subvolid");
    ra_auto_free char *path = ra_text_format("/%s", subvolume != NULL ? subvolume : "");
    ra_auto_free char *root = ra_path_normalise(path);

    if (strcmp(entry->fstype, "btrfs") != 0)
        return strcmp(entry->root, "/") == 0;
    if (subvolume != NULL)
        return ra_text_equal(root, entry->root);
    return id == NULL || ra_text_equal(id, mounted_id);
}

static enum ra_mount_match match_block(const struct ra_mount_spec *spec,
                                       const struct ra_mount_entry *entry)
{
    bool same_text = strcmp(spec->source, entry->source) == 0;

    if (spec->resolved)
        return is_on_device(spec, entry) && is_root_right(spec, entry) ? RA_MOUNT_OURS
                                                                       : RA_MOUNT_FOREIGN;
    if (same_text && is_root_right(spec, entry))
        return RA_MOUNT_OURS;
    /* Our device could be any, but it is a device. */
    return major(entry->devno) != 0 || ra_text_starts_with(entry->source, "/dev/")
               ? RA_MOUNT_UNCERTAIN
               : RA_MOUNT_FOREIGN;
}

/* Is the loop device's file the one of these numbers? Asked only if its path is another. */
static bool has_numbers(const struct ra_mount_spec *spec, dev_t loop)
{
    const struct ra_mount_memory *memory = spec->memory;
    bool remembers = memory != NULL && memory->image_inode != 0;
    dev_t devno;
    ino_t inode;

    if ((!remembers && !spec->resolved) ||
        !ra_mount_loop_numbers(loop, ra_deadline_after_ms(NUMBERS_MOST_MS), &devno, &inode))
        return false;
    return (spec->resolved && spec->file_devno == devno && spec->file_inode == inode) ||
           (remembers && memory->image_devno == devno && memory->image_inode == inode);
}

static enum ra_mount_match match_image(const struct ra_mount_spec *spec,
                                       const struct ra_mount_entry *entry)
{
    const char *remembered = spec->memory != NULL ? spec->memory->image : NULL;
    ra_auto_free char *file = NULL;

    /* What was a file may be a device by now, unless the options say that it is a file. */
    if (major(entry->devno) != LOOP_MAJOR)
        return spec->resolved || major(entry->devno) == 0 || ra_option_is_set(spec->options, "loop")
                   ? RA_MOUNT_FOREIGN
                   : RA_MOUNT_UNCERTAIN;
    file = ra_mount_loop_path(entry->devno);
    if (file == NULL)
        return RA_MOUNT_UNCERTAIN;
    if (ra_text_equal(file, remembered) || (spec->resolved && strcmp(file, spec->path) == 0) ||
        (!spec->resolved && strcmp(file, spec->source) == 0) || has_numbers(spec, entry->devno))
        return RA_MOUNT_OURS;
    return spec->resolved ? RA_MOUNT_FOREIGN : RA_MOUNT_UNCERTAIN;
}

static enum ra_mount_match match_bind(const struct ra_mount_spec *spec,
                                      const struct ra_mount_entry *entry)
{
    if (!spec->resolved)
        return RA_MOUNT_UNCERTAIN;
    return entry->devno == spec->devno && strcmp(entry->root, spec->root) == 0 ? RA_MOUNT_OURS
                                                                               : RA_MOUNT_FOREIGN;
}

bool ra_mount_spec_remembers(const struct ra_mount_spec *spec, const struct ra_mount_entry *entry)
{
    const struct ra_mount_memory *memory = spec->memory;

    if (memory == NULL || memory->root == NULL || memory->devno != entry->devno ||
        strcmp(memory->root, entry->root) != 0 || strcmp(memory->fstype, entry->fstype) != 0 ||
        strcmp(memory->source, entry->source) != 0)
        return false;
    if (major(entry->devno) == 0)
        return true;
    switch (ra_mount_device_compare(entry->devno, memory->identity)) {
    case RA_MOUNT_SAME:
        return true;
    case RA_MOUNT_OTHER:
        return false;
    case RA_MOUNT_SAME_MAYBE:
    default:
        /* The numbers of loop devices go from one image to the next all the time. */
        return spec->class != RA_MOUNT_IMAGE;
    }
}

enum ra_mount_match ra_mount_spec_match(const struct ra_mount_spec *spec,
                                        const struct ra_mount_entry *entry)
{
    if (ra_mount_spec_remembers(spec, entry))
        return RA_MOUNT_OURS;
    switch (spec->class) {
    case RA_MOUNT_BLOCK:
        return match_block(spec, entry);
    case RA_MOUNT_IMAGE:
        return match_image(spec, entry);
    case RA_MOUNT_BIND:
        return match_bind(spec, entry);
    case RA_MOUNT_NAMED:
    default:
        return match_named(spec, entry);
    }
}
