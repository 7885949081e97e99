/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mount/loop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "mount/child.h"
#include "mount/device.h"

#define LOOP_MAJOR      7
#define NUMBERS_MOST_MS 1000 /* for one device to tell its file's numbers */

/* --- paths --- */

/* Take away what the kernel adds to the name of a file that is no more. */
static void strip_deleted(char *file)
{
    static const char deleted[] = " (deleted)";
    size_t length = strlen(file);

    if (length >= sizeof(deleted) && strcmp(file + length - (sizeof(deleted) - 1), deleted) == 0)
        file[length - (sizeof(deleted) - 1)] = '\0';
}

/* 1 with new memory, 0 if the device is bound to nothing, -1 if it cannot be told. */
static int backing_file(const char *directory, char **ret_file)
{
    ra_auto_free char *path = ra_text_format("%s/loop/backing_file", directory);

    if (ra_file_read(path, PATH_MAX + 16, ret_file, NULL) == 0) {
        (*ret_file)[strcspn(*ret_file, "\n")] = '\0';
        strip_deleted(*ret_file);
        return 1;
    }
    /* Unbound before we looked, or while we did. */
    return access(path, F_OK) != 0 && errno == ENOENT ? 0 : -1;
}

char *ra_mount_loop_path(dev_t loop)
{
    ra_auto_free char *directory = ra_text_format("/sys/dev/block/%u:%u", major(loop), minor(loop));
    char *file = NULL;

    return major(loop) == LOOP_MAJOR && backing_file(directory, &file) == 1 ? file : NULL;
}

/* --- numbers: asked for in a child, because the file system that holds the file is asked --- */

struct bound {
    dev_t loop;
    bool has_numbers;
    dev_t devno;
    ino_t inode;
};

struct bounds {
    struct bound *items;
    size_t count;
    size_t ours_count; /* known by their paths; they come first */
};

static void free_bounds(struct bounds *bounds)
{
    free(bounds->items);
}

static int tell_in_child(void *argument)
{
    const struct bounds *bounds = argument;

    for (size_t i = 0; i < bounds->count; i++) {
        ra_auto_close int fd = ra_mount_device_open(bounds->items[i].loop, NULL, O_RDONLY);
        struct loop_info64 info = { 0 };
        bool known = fd >= 0 && ioctl(fd, LOOP_GET_STATUS64, &info) == 0;

        (void)dprintf(STDOUT_FILENO, "%d %llu %llu\n", known ? 1 : 0,
                      (unsigned long long)info.lo_device, (unsigned long long)info.lo_inode);
    }
    return 0;
}

/* How many have answered. */
static size_t take_numbers(const struct bounds *bounds, const char *text)
{
    ra_auto_text_list char **lines = ra_text_split(text != NULL ? text : "", "\n");
    size_t count = 0;

    for (; count < bounds->count && lines[count] != NULL; count++) {
        unsigned long long devno, inode;
        int known;

        if (sscanf(lines[count], "%d %llu %llu", &known, &devno, &inode) != 3)
            break;
        bounds->items[count].has_numbers = known == 1;
        bounds->items[count].devno = (dev_t)devno;
        bounds->items[count].inode = (ino_t)inode;
    }
    return count;
}

/* One after the other; one that is silent is passed over. False if time ran out before the last. */
static bool find_numbers(const struct bounds *bounds, struct ra_deadline deadline)
{
    struct bounds rest = *bounds;

    while (rest.count > 0 && !ra_deadline_expired(deadline)) {
        ra_auto_text_buffer struct ra_text_buffer output = { 0 };
        struct ra_deadline slice =
            ra_deadline_earlier(deadline, ra_deadline_after_ms(NUMBERS_MOST_MS));
        int status;
        size_t done;

        (void)ra_mount_child_run(tell_in_child, &rest, NULL, slice, &output, &status, NULL);
        done = take_numbers(&rest, output.data);
        if (done < rest.count) {
            ra_auto_free char *name = ra_mount_device_name(rest.items[done].loop);

            ra_log_note("%s does not tell which file it is bound to", name);
            done++;
        }
        rest.items += done;
        rest.count -= done;
    }
    return rest.count == 0;
}

bool ra_mount_loop_numbers(dev_t loop, struct ra_deadline deadline, dev_t *ret_devno,
                           ino_t *ret_inode)
{
    struct bound bound = { .loop = loop };
    const struct bounds bounds = { .items = &bound, .count = 1 };

    (void)find_numbers(&bounds, deadline);
    *ret_devno = bound.devno;
    *ret_inode = bound.inode;
    return bound.has_numbers;
}

/* --- the loop devices of an image --- */

static bool device_of(const char *directory, dev_t *ret_devno)
{
    ra_auto_free char *path = ra_text_format("%s/dev", directory);
    ra_auto_free char *text = NULL;
    unsigned high, low;

    if (ra_file_read(path, 64, &text, NULL) != 0 || sscanf(text, "%u:%u", &high, &low) != 2)
        return false;
    *ret_devno = makedev(high, low);
    return true;
}

/* Add the device if it is bound to a file; false if it cannot be told. */
static bool add_bound(struct bounds *bounds, const char *name, const struct ra_mount_image *image)
{
    ra_auto_free char *directory = ra_text_format("/sys/block/%s", name);
    ra_auto_free char *file = NULL;
    struct bound bound = { 0 };
    int found = backing_file(directory, &file);

    if (found <= 0)
        return found == 0;
    if (!device_of(directory, &bound.loop))
        return false;
    bounds->items = realloc(bounds->items, (bounds->count + 1) * sizeof(bounds->items[0]));
    if (bounds->items == NULL)
        abort();
    bounds->items[bounds->count++] = bound;
    if (strcmp(file, image->path) == 0) {
        bounds->items[bounds->count - 1] = bounds->items[bounds->ours_count];
        bounds->items[bounds->ours_count++] = bound;
    }
    return true;
}

int ra_mount_image_find_loops(const struct ra_mount_image *image, struct ra_deadline deadline,
                              dev_t **ret_devices, size_t *ret_count, struct ra_error *err)
{
    ra_auto_closedir DIR *blocks = opendir("/sys/block");
    RA_CLEANUP(free_bounds) struct bounds bounds = { 0 };
    struct bounds others;
    struct dirent *entry;
    dev_t *devices;
    size_t count = 0;

    if (blocks == NULL)
        return ra_error_set_errno(err, errno, "cannot open /sys/block");
    while ((entry = readdir(blocks)) != NULL)
        if (ra_text_starts_with(entry->d_name, "loop") && !add_bound(&bounds, entry->d_name, image))
            return ra_error_set(err, RA_ERROR_SYSTEM,
                                "cannot tell whether the loop device %s is bound to %s",
                                entry->d_name, image->path);
    others = (struct bounds){ .items = bounds.count > 0 ? &bounds.items[bounds.ours_count] : NULL,
                              .count = bounds.count - bounds.ours_count };
    if (image->has_file && !find_numbers(&others, deadline))
        return ra_error_set(err, RA_ERROR_TIMEOUT,
                            "cannot tell in time which loop devices are bound to %s", image->path);
    devices = calloc(bounds.count + 1, sizeof(devices[0]));
    if (devices == NULL)
        abort();
    for (size_t i = 0; i < bounds.count; i++) {
        const struct bound *bound = &bounds.items[i];

        if (i < bounds.ours_count || (image->has_file && bound->has_numbers &&
                                      bound->devno == image->devno && bound->inode == image->inode))
            devices[count++] = bound->loop;
    }
    *ret_devices = devices;
    *ret_count = count;
    return 0;
}
