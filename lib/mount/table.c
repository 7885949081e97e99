/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mount/table.h"

#include <errno.h>
#include <fcntl.h>
#include <libmount.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/text.h"

#define MOUNTINFO   "/proc/self/mountinfo"
#define READS_MOST  10
#define CHUNK_BYTES 65536
#define DEPTH_MOST  4096 /* of mounts upon mounts; a longer chain is a loop in a made-up table */

struct ra_mount_table {
    struct libmnt_table *parsed; /* owns the texts */
    struct ra_mount_entry *entries;
    const struct ra_mount_entry **by_id; /* sorted */
    size_t count;
};

static int compare_ids(const void *a, const void *b)
{
    const struct ra_mount_entry *const *left = a;
    const struct ra_mount_entry *const *right = b;

    return ((*left)->id > (*right)->id) - ((*left)->id < (*right)->id);
}

static int compare_id(const void *key, const void *element)
{
    const struct ra_mount_entry *const *entry = element;
    int id = *(const int *)key;

    return (id > (*entry)->id) - (id < (*entry)->id);
}

/* A line that libmount cannot read ends the parsing. */
static int refuse_line(struct libmnt_table *parsed, const char *name, int line)
{
    (void)parsed;
    (void)name;
    return -line;
}

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

static void take_entries(struct ra_mount_table *table)
{
    struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
    size_t most = (size_t)mnt_table_get_nents(table->parsed);
    struct libmnt_fs *fs;

    table->entries = calloc(most + 1, sizeof(table->entries[0]));
    table->by_id = calloc(most + 1, sizeof(table->by_id[0]));
    if (iter == NULL || table->entries == NULL || table->by_id == NULL)
        abort();
    while (table->count < most && mnt_table_next_fs(table->parsed, iter, &fs) == 0)
        table->entries[table->count++] = (struct ra_mount_entry){
            .id = mnt_fs_get_id(fs),
            .parent_id = mnt_fs_get_parent_id(fs),
            .devno = mnt_fs_get_devno(fs),
            .root = or_empty(mnt_fs_get_root(fs)),
            .target = or_empty(mnt_fs_get_target(fs)),
            .fstype = or_empty(mnt_fs_get_fstype(fs)),
            .source = or_empty(mnt_fs_get_source(fs)),
            .vfs_options = or_empty(mnt_fs_get_vfs_options(fs)),
            .fs_options = or_empty(mnt_fs_get_fs_options(fs)),
        };
    mnt_free_iter(iter);
    for (size_t i = 0; i < table->count; i++)
        table->by_id[i] = &table->entries[i];
    qsort(table->by_id, table->count, sizeof(table->by_id[0]), compare_ids);
}

static int parse_into(struct libmnt_table *parsed, char *text, size_t bytes, struct ra_error *err)
{
    ra_auto_fclose FILE *stream = NULL;

    if (bytes == 0)
        return 0;
    stream = fmemopen(text, bytes, "r");
    if (stream == NULL)
        return ra_error_set_errno(err, errno, "cannot read the mount table");
    (void)mnt_table_set_parser_errcb(parsed, refuse_line);
    if (mnt_table_parse_stream(parsed, stream, MOUNTINFO) != 0)
        return ra_error_set(err, RA_ERROR_PROTOCOL,
                            "the mount table has a line that cannot be understood");
    return 0;
}

/* libmount reads the formats of fstab and mtab as well: of those an entry has no mount number. */
static int check_entries(const struct ra_mount_table *table, struct ra_error *err)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->entries[i].target[0] != '/' || table->entries[i].id == 0)
            return ra_error_set(err, RA_ERROR_PROTOCOL,
                                "the mount table is not in the form of /proc/PID/mountinfo");
    return 0;
}

static int parse(char *text, size_t bytes, struct ra_mount_table **ret_table, struct ra_error *err)
{
    struct ra_mount_table *table = calloc(1, sizeof(*table));

    if (table == NULL)
        abort();
    table->parsed = mnt_new_table();
    if (table->parsed == NULL)
        abort();
    if (parse_into(table->parsed, text, bytes, err) == 0) {
        take_entries(table);
        if (check_entries(table, err) == 0) {
            *ret_table = table;
            return 0;
        }
    }
    ra_mount_table_free(table);
    return -1;
}

static int read_text(int fd, struct ra_text_buffer *text, struct ra_error *err)
{
    ra_auto_free char *chunk = malloc(CHUNK_BYTES);
    ssize_t count;

    if (chunk == NULL)
        abort();
    text->used_bytes = 0;
    while ((count = read(fd, chunk, CHUNK_BYTES)) != 0) {
        if (count > 0)
            ra_text_buffer_add_bytes(text, chunk, (size_t)count);
        else if (errno != EINTR)
            return ra_error_set_errno(err, errno, "cannot read the mount table");
    }
    return 0;
}

/* The kernel wakes a poll for POLLPRI when its mounts changed since the file was last looked at. */
static bool has_changed(int fd)
{
    struct pollfd change = { .fd = fd, .events = POLLPRI };

    return poll(&change, 1, 0) > 0 && (change.revents & (POLLPRI | POLLERR)) != 0;
}

int ra_mount_table_read(const char *path, struct ra_mount_table **ret_table, struct ra_error *err)
{
    ra_auto_text_buffer struct ra_text_buffer text = { 0 };
    const char *name = path != NULL ? path : MOUNTINFO;
    ra_auto_close int fd = open(name, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return ra_error_set_errno(err, errno, "cannot open %s", name);
    for (int i = 0; i < READS_MOST; i++) {
        if (lseek(fd, 0, SEEK_SET) < 0)
            return ra_error_set_errno(err, errno, "cannot read %s", name);
        if (read_text(fd, &text, err) != 0)
            return -1;
        if (!has_changed(fd))
            break;
    }
    return parse(text.data, text.used_bytes, ret_table, err);
}

int ra_mount_table_parse(const char *text, struct ra_mount_table **ret_table, struct ra_error *err)
{
    ra_auto_free char *copy = ra_text_copy(text);

    return parse(copy, strlen(copy), ret_table, err);
}

void ra_mount_table_free(struct ra_mount_table *table)
{
    if (table == NULL)
        return;
    mnt_unref_table(table->parsed);
    free(table->entries);
    free(table->by_id);
    free(table);
}

size_t ra_mount_table_count(const struct ra_mount_table *table)
{
    return table->count;
}

const struct ra_mount_entry *ra_mount_table_at(const struct ra_mount_table *table, size_t index)
{
    return index < table->count ? &table->entries[index] : NULL;
}

const struct ra_mount_entry *ra_mount_table_parent(const struct ra_mount_table *table,
                                                   const struct ra_mount_entry *entry)
{
    const struct ra_mount_entry *const *parent =
        bsearch(&entry->parent_id, table->by_id, table->count, sizeof(table->by_id[0]), compare_id);

    /* The very first mount of a system is its own parent. */
    return parent != NULL && *parent != entry ? *parent : NULL;
}

/* The mount that a walk from `current` to `path` crosses first; NULL: it stays in `current`. */
static const struct ra_mount_entry *crossing(const struct ra_mount_table *table,
                                             const struct ra_mount_entry *current, const char *path)
{
    const struct ra_mount_entry *first = NULL;

    for (size_t i = 0; i < table->count; i++) {
        const struct ra_mount_entry *entry = &table->entries[i];

        if (entry == current || ra_mount_table_parent(table, entry) != current ||
            !ra_path_is_within(path, entry->target))
            continue;
        if (first == NULL || strlen(entry->target) < strlen(first->target))
            first = entry;
    }
    return first;
}

const struct ra_mount_entry *ra_mount_table_visible(const struct ra_mount_table *table,
                                                    const char *path)
{
    const struct ra_mount_entry *current = NULL;

    for (int depth = 0; depth < DEPTH_MOST; depth++) {
        const struct ra_mount_entry *next = crossing(table, current, path);

        if (next == NULL)
            break;
        current = next;
    }
    return current;
}

bool ra_mount_table_is_above(const struct ra_mount_table *table, const struct ra_mount_entry *entry,
                             const struct ra_mount_entry *ancestor)
{
    for (int depth = 0; entry != NULL && depth < DEPTH_MOST; depth++) {
        entry = ra_mount_table_parent(table, entry);
        if (entry == ancestor)
            return entry != NULL;
    }
    return false;
}
