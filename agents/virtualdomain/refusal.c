/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Why QEMU ended at once: its last words, and the lock of a disk image.
 *
 * QEMU locks its images, so that no two write to one. A node that loses its power leaves its locks
 * behind where a server keeps them: the bricks of a GlusterFS volume hold them until they give the
 * dead client's connection up, which takes longer than fencing. Such a lock is no enemy. It is what
 * forbids a second copy, and it goes away by itself.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "mount/backend.h"
#include "runtime/backend.h"
#include "guest.h"
#include "refusal.h"

#define QEMU_LOG       "/var/log/libvirt/qemu/%s.log"
#define LOG_TAIL_BYTES 8192

/* "2026-11-22T17:37:54.979640Z ", which libvirt has QEMU put in front of what it says. */
static const char *skip_timestamp(const char *line)
{
    const char *end = strchr(line, ' ');

    if (isdigit((unsigned char)line[0]) && end != NULL && end[-1] == 'Z')
        return end + 1;
    return line;
}

static int open_log(const char *name, off_t *ret_size)
{
    ra_auto_free char *path = ra_text_replace(QEMU_LOG, "%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    *ret_size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    return fd;
}

int64_t virtualdomain_log_end(const char *name)
{
    off_t size;
    ra_auto_close int fd = open_log(name, &size);

    return fd >= 0 && size > 0 ? size : 0;
}

void virtualdomain_last_words(const struct guest *guest, const char *name, char *text,
                              size_t size_bytes)
{
    off_t size;
    ra_auto_close int fd = open_log(name, &size);
    /* One that is shorter now has been rotated. */
    off_t begin = size < guest->log_end_bytes ? 0 : (off_t)guest->log_end_bytes;
    char tail[LOG_TAIL_BYTES + 1];
    ssize_t count;
    char *line;

    text[0] = '\0';
    if (fd < 0)
        return;
    if (size - begin > LOG_TAIL_BYTES)
        begin = size - LOG_TAIL_BYTES;
    count = pread(fd, tail, LOG_TAIL_BYTES, begin);
    tail[count > 0 ? count : 0] = '\0';
    for (char *rest = tail; (line = strsep(&rest, "\n")) != NULL;) {
        const char *words = skip_timestamp(line);

        if (ra_text_starts_with(words, "qemu") || ra_text_starts_with(words, "kvm"))
            ra_text_join(text, size_bytes, words, "", "");
    }
}

bool virtualdomain_met_lock(const struct guest *guest, const char *name, struct ra_error *why)
{
    char words[400];
    const char *lock;

    if (guest->virt->error_find_lock(why->text) != NULL)
        return why->kind == RA_ERROR_BUSY;
    if (why->kind != RA_ERROR_SYSTEM)
        return false;
    /* libvirt does not always repeat all that QEMU said. */
    virtualdomain_last_words(guest, name, words, sizeof(words));
    lock = guest->virt->error_find_lock(words);
    if (lock == NULL)
        return false;
    (void)ra_error_set(why, RA_ERROR_BUSY, "guest %s: libvirt cannot start the domain: %s", name,
                       lock);
    return true;
}

/* QEMU names the image: "... using the image [/path]?"; new memory or NULL. */
static char *image_of(const char *lock)
{
    const char *begin = strstr(lock, "image [");
    const char *end = begin == NULL ? NULL : strrchr(begin, ']');

    if (end == NULL)
        return NULL;
    begin += strlen("image [");
    return ra_text_format("%.*s", (int)(end - begin), begin);
}

static void explain_mount(const struct ra_mount_entry *entry, char *text, size_t size_bytes)
{
    if (strcmp(entry->fstype, "fuse.glusterfs") == 0)
        (void)snprintf(text, size_bytes,
                       "it is probably that of a node that lost its power: the volume %s gives the "
                       "locks of such a node up after 42 to 62 s with GlusterFS's defaults, and "
                       "after 5 s with the options that ocf_native_VirtualDomain(7) names "
                       "(server.tcp-user-timeout and others)",
                       entry->source);
    else if (ra_text_starts_with(entry->fstype, "nfs"))
        (void)snprintf(text, size_bytes,
                       "it is probably that of a node that lost its power: the NFS server of %s "
                       "keeps the locks of such a node for its lease time, 90 s by default",
                       entry->source);
    else
        (void)snprintf(text, size_bytes,
                       "%s on %s is a file system of type %s: a program on this node has the image "
                       "open, or, if other nodes share it, one of theirs",
                       entry->source, entry->target, entry->fstype);
}

void virtualdomain_explain_lock(const char *lock, char *text, size_t size_bytes)
{
    ra_auto_free char *image = image_of(lock);
    const struct ra_mount_backend *mount = NULL;
    struct ra_mount_table *table = NULL;
    const struct ra_mount_entry *entry = NULL;
    struct ra_error ignored;

    if (image != NULL)
        mount = ra_backend_load("mount", &ignored);
    if (mount != NULL && mount->table_read(NULL, &table, &ignored) == 0)
        entry = mount->table_visible(table, image);
    if (entry != NULL)
        explain_mount(entry, text, size_bytes);
    else
        (void)snprintf(text, size_bytes,
                       "another guest or program has the image open, or a node that lost its power "
                       "had, and the storage has not given its lock up yet");
    if (mount != NULL)
        mount->table_free(table);
}
