/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who keeps a block device from being free, for the person who has to end it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "mount/holders.h"
#include "base/proc.h"
#include "mount/release.h"
#include "mount/table.h"

#define NAMESPACES_MOST 1024

struct search {
    dev_t devno;
    ino_t namespaces[NAMESPACES_MOST]; /* that were looked into */
    size_t namespace_count;
    struct ra_text_buffer *text;
    struct ra_mount_holders users; /* after a lazy unmount */
};

static void separate(struct ra_text_buffer *text)
{
    if (text->used_bytes > 0)
        ra_text_buffer_add(text, ", ");
}

/* Device mapper, md and the like. */
static void describe_stacked(dev_t devno, struct ra_text_buffer *text)
{
    ra_auto_free char *path =
        ra_text_format("/sys/dev/block/%u:%u/holders", major(devno), minor(devno));
    ra_auto_closedir DIR *holders = opendir(path);
    struct dirent *entry;

    while (holders != NULL && (entry = readdir(holders)) != NULL)
        if (entry->d_name[0] != '.') {
            separate(text);
            ra_text_buffer_addf(text, "the device %s", entry->d_name);
        }
}

/* The mount of the device that we see ourselves; every process of our namespace sees it too. */
static void look_into_own_namespace(struct search *search)
{
    ra_auto_mount_table struct ra_mount_table *table = NULL;
    struct stat status;

    if (stat("/proc/self/ns/mnt", &status) != 0 || ra_mount_table_read(NULL, &table, NULL) != 0)
        return;
    search->namespaces[search->namespace_count++] = status.st_ino;
    for (size_t i = 0; i < ra_mount_table_count(table); i++) {
        const struct ra_mount_entry *entry = ra_mount_table_at(table, i);

        if (entry->devno != search->devno)
            continue;
        separate(search->text);
        ra_text_buffer_addf(search->text, "the mount on %s", entry->target);
        return;
    }
}

static bool is_new_namespace(struct search *search, int process_fd)
{
    struct stat status;

    if (fstatat(process_fd, "ns/mnt", &status, 0) != 0)
        return false;
    for (size_t i = 0; i < search->namespace_count; i++)
        if (search->namespaces[i] == status.st_ino)
            return false;
    if (search->namespace_count < NAMESPACES_MOST)
        search->namespaces[search->namespace_count++] = status.st_ino;
    return true;
}

/* The mounts of the device in a namespace that no process looked at so far was in. */
static void look_into_namespace(struct search *search, pid_t pid, int process_fd)
{
    ra_auto_free char *path = ra_text_format("/proc/%d/mountinfo", (int)pid);
    ra_auto_mount_table struct ra_mount_table *table = NULL;
    struct ra_proc_status status;

    if (!is_new_namespace(search, process_fd) || ra_mount_table_read(path, &table, NULL) != 0 ||
        !ra_proc_status(process_fd, &status))
        return;
    for (size_t i = 0; i < ra_mount_table_count(table); i++) {
        const struct ra_mount_entry *entry = ra_mount_table_at(table, i);

        if (entry->devno != search->devno)
            continue;
        separate(search->text);
        ra_text_buffer_addf(search->text, "%s[%d], in whose mount namespace it is mounted on %s",
                            status.name, (int)pid, entry->target);
        return;
    }
}

/* Is the file behind /proc/PID/LINK on the device, or it? AT_STATX_DONT_SYNC: nobody is asked. */
static bool is_on_device(const struct search *search, int process_fd, const char *link)
{
    struct statx found;

    if (statx(process_fd, link, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &found) != 0)
        return false;
    return makedev(found.stx_dev_major, found.stx_dev_minor) == search->devno ||
           (S_ISBLK(found.stx_mode) &&
            makedev(found.stx_rdev_major, found.stx_rdev_minor) == search->devno);
}

static bool has_file_on_device(const struct search *search, int process_fd,
                               struct ra_mount_holder *holder)
{
    static const char *const links[] = { "cwd", "root", "exe" };
    ra_auto_closedir DIR *fds = NULL;
    int fd;

    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        if (is_on_device(search, process_fd, links[i])) {
            ra_text_join(holder->how, sizeof(holder->how), links[i], "", "");
            return true;
        }
    fds = ra_proc_opendir(process_fd, "fd");
    while (fds != NULL && (fd = ra_proc_next_fd(fds)) >= 0) {
        char link[32];

        (void)snprintf(link, sizeof(link), "fd/%d", fd);
        if (is_on_device(search, process_fd, link)) {
            (void)snprintf(holder->how, sizeof(holder->how), "file %d", fd);
            return true;
        }
    }
    return false;
}

static void look_at_process(struct search *search, pid_t pid, int process_fd)
{
    struct ra_mount_holder holder = { .pid = pid };
    struct ra_mount_holders *users = &search->users;
    struct ra_mount_holder *grown;
    struct ra_proc_status status;

    if (!has_file_on_device(search, process_fd, &holder) || !ra_proc_status(process_fd, &status))
        return;
    ra_text_join(holder.name, sizeof(holder.name), status.name, "", "");
    grown = realloc(users->items, (users->count + 1) * sizeof(users->items[0]));
    if (grown == NULL)
        abort();
    users->items = grown;
    users->items[users->count++] = holder;
}

static void walk(struct search *search, struct ra_deadline deadline,
                 void (*look)(struct search *search, pid_t pid, int process_fd))
{
    ra_auto_closedir DIR *proc = opendir("/proc");
    int process_fd = -1;
    pid_t pid;

    while (proc != NULL && !ra_deadline_expired(deadline) &&
           (pid = ra_proc_next(proc, &process_fd)) != 0) {
        ra_auto_close int fd = process_fd;

        look(search, pid, fd);
    }
}

void ra_mount_device_describe_users(dev_t devno, struct ra_deadline deadline,
                                    struct ra_text_buffer *text)
{
    ra_auto_text_buffer struct ra_text_buffer found = { 0 };
    ra_auto_free struct search *search = calloc(1, sizeof(*search));
    RA_LOG_CALL("looking for the users of the device %u:%u", major(devno), minor(devno));

    if (search == NULL)
        abort();
    search->devno = devno;
    search->text = &found;
    describe_stacked(devno, &found);
    look_into_own_namespace(search);
    walk(search, deadline, look_into_namespace);
    if (found.used_bytes == 0)
        walk(search, deadline, look_at_process);
    ra_mount_holders_describe(&search->users, &found);
    ra_mount_holders_free(&search->users);
    if (found.used_bytes > 0) {
        separate(text);
        ra_text_buffer_add(text, found.data);
    }
}
