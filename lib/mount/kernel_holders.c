/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Users of a mount that no process stands for, and the words for all users.
 */
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "base/path.h"
#include "mount/holders.h"

#define DESCRIBED_MOST  3
#define TEXT_MOST_BYTES (1 << 20)

void ra_mount_holders_describe(const struct ra_mount_holders *holders, struct ra_text_buffer *text)
{
    for (size_t i = 0; i < holders->count && i < DESCRIBED_MOST; i++) {
        const struct ra_mount_holder *holder = &holders->items[i];

        ra_text_buffer_addf(text, "%s%s[%d] (%s%s)", i > 0 ? ", " : "", holder->name,
                            (int)holder->pid, holder->how,
                            holder->is_protected ? ", never signalled" : "");
    }
    if (holders->count > DESCRIBED_MOST)
        ra_text_buffer_addf(text, " and %zu more", holders->count - DESCRIBED_MOST);
}

static void add(struct ra_text_buffer *text, const char *what, const char *name, const char *of)
{
    ra_text_buffer_addf(text, "%s%s%s%s%s%s", text->used_bytes > 0 ? ", " : "", what, name,
                        *of != '\0' ? " (" : "", of, *of != '\0' ? ")" : "");
}

static void describe_loops(const char *target, struct ra_text_buffer *text)
{
    ra_auto_closedir DIR *blocks = opendir("/sys/block");
    struct dirent *entry;

    while (blocks != NULL && (entry = readdir(blocks)) != NULL) {
        ra_auto_free char *path = NULL;
        ra_auto_free char *file = NULL;

        if (!ra_text_starts_with(entry->d_name, "loop"))
            continue;
        path = ra_text_format("/sys/block/%s/loop/backing_file", entry->d_name);
        if (ra_file_read(path, PATH_MAX, &file, NULL) != 0)
            continue;
        file[strcspn(file, "\n")] = '\0';
        if (ra_path_is_within(file, target))
            add(text, "the loop device /dev/", entry->d_name, file);
    }
}

/* Undo the \ooo of /proc/swaps and of nfsd's table, in place. */
static void unescape(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; to++) {
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
            from[2] <= '7' && from[3] >= '0' && from[3] <= '7') {
            *to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* Tables whose lines start with a path: "what PATH" is added for each one below the target. */
static void describe_table(const char *table, const char *what, const char *target,
                           struct ra_text_buffer *text)
{
    ra_auto_free char *content = NULL;
    char *rest = NULL;

    if (ra_file_read(table, TEXT_MOST_BYTES, &content, NULL) != 0)
        return;
    for (char *line = strtok_r(content, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        line[strcspn(line, " \t")] = '\0';
        unescape(line);
        if (line[0] == '/' && ra_path_is_within(line, target))
            add(text, what, line, "");
    }
}

void ra_mount_holders_describe_kernel(const struct ra_mount_entry *entry,
                                      struct ra_text_buffer *text)
{
    struct ra_text_buffer found = { 0 };

    describe_loops(entry->target, &found);
    describe_table("/proc/swaps", "the swap file ", entry->target, &found);
    describe_table("/proc/fs/nfsd/exports", "the NFS server's export ", entry->target, &found);
    if (found.used_bytes > 0)
        ra_text_buffer_add(text, found.data);
    ra_text_buffer_free(&found);
}
