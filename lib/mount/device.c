/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mount/device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#define UEVENT_MOST_BYTES   4096
#define IDENTITY_MOST_BYTES 512
#define DEVICES             "/sys/dev/block"

static char *attribute_path(dev_t devno, const char *name)
{
    return ra_text_format(DEVICES "/%u:%u%s", major(devno), minor(devno), name);
}

/* --- identity --- */

static char *read_identity(dev_t devno, const char *attribute, const char *prefix)
{
    ra_auto_free char *path = attribute_path(devno, attribute);
    ra_auto_free char *text = NULL;

    if (ra_file_read(path, IDENTITY_MOST_BYTES, &text, NULL) != 0)
        return NULL;
    text[strcspn(text, "\n")] = '\0';
    return text[0] != '\0' ? ra_text_format("%s:%s", prefix, text) : NULL;
}

char *ra_mount_device_identity(dev_t devno)
{
    char *identity = read_identity(devno, "/diskseq", "diskseq");

    /* A partition has its disk's. */
    if (identity == NULL)
        identity = read_identity(devno, "/../diskseq", "diskseq");
    return identity != NULL ? identity : read_identity(devno, "/dm/uuid", "dm");
}

enum ra_mount_same ra_mount_device_compare(dev_t devno, const char *identity)
{
    ra_auto_free char *now = NULL;

    if (ra_mount_device_is_gone(devno))
        return RA_MOUNT_OTHER;
    if (ra_text_is_empty(identity))
        return RA_MOUNT_SAME_MAYBE;
    now = ra_mount_device_identity(devno);
    /* Names of two kinds cannot be compared. */
    if (now == NULL || strcspn(now, ":") != strcspn(identity, ":"))
        return ra_mount_device_is_gone(devno) ? RA_MOUNT_OTHER : RA_MOUNT_SAME_MAYBE;
    return strcmp(now, identity) == 0 ? RA_MOUNT_SAME : RA_MOUNT_OTHER;
}

/* --- names and nodes --- */

/* The kernel's name for it, "cciss/c0d0" below /dev; NULL if it cannot be read. */
static char *kernel_name(dev_t devno)
{
    static const char key[] = "DEVNAME=";
    ra_auto_free char *path = attribute_path(devno, "/uevent");
    ra_auto_free char *text = NULL;
    char *rest = NULL;

    if (ra_file_read(path, UEVENT_MOST_BYTES, &text, NULL) != 0)
        return NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        if (ra_text_starts_with(line, key))
            return ra_text_copy(line + sizeof(key) - 1);
    return NULL;
}

char *ra_mount_device_name(dev_t devno)
{
    char *name = kernel_name(devno);

    return name != NULL ? name : ra_text_format("%u:%u", major(devno), minor(devno));
}

bool ra_mount_device_is_gone(dev_t devno)
{
    ra_auto_free char *path = attribute_path(devno, "");

    return access(path, F_OK) != 0 && errno == ENOENT && access(DEVICES, F_OK) == 0;
}

/* --- opening --- */

static bool is_device(int fd, dev_t devno)
{
    struct stat status;

    return fd >= 0 && fstat(fd, &status) == 0 && S_ISBLK(status.st_mode) && status.st_rdev == devno;
}

/*
 * Open what an O_PATH descriptor stands for: whatever becomes of its name, it is this node. The
 * number was looked at before, so that no other device is opened, which might mean something to it.
 */
static int reopen(int node_fd, int flags)
{
    char path[32];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", node_fd);
    return open(path, flags);
}

/* -2: the path does not lead to the device. */
static int open_by_path(const char *path, dev_t devno, int flags)
{
    ra_auto_close int node = open(path, O_PATH | O_CLOEXEC);

    return is_device(node, devno) ? reopen(node, flags) : -2;
}

/*
 * Open the device by a node of our own, in a directory that nobody else can enter. Below /dev,
 * because other file systems may be mounted with nodev. The node is gone again before the device is
 * asked for anything, so that nothing stays behind should it not answer and we be killed.
 */
static int open_own_node(dev_t devno, int flags)
{
    char directory[] = "/dev/.native-agents-XXXXXX";
    ra_auto_free char *path = NULL;
    ra_auto_close int node = -1;
    int failed = 0;

    if (mkdtemp(directory) == NULL)
        return -1;
    path = ra_text_format("%s/device", directory);
    if (mknod(path, S_IFBLK | 0600, devno) != 0 || (node = open(path, O_PATH | O_CLOEXEC)) < 0)
        failed = errno;
    (void)unlink(path);
    (void)rmdir(directory);
    if (failed == 0)
        return reopen(node, flags);
    errno = failed;
    return -1;
}

int ra_mount_device_open(dev_t devno, const char *const *paths, int flags)
{
    ra_auto_free char *name = kernel_name(devno);
    ra_auto_free char *path = ra_text_format("/dev/%s", name != NULL ? name : "");
    int fd = -2;

    flags |= O_NONBLOCK | O_CLOEXEC;
    for (; fd == -2 && paths != NULL && *paths != NULL; paths++)
        if (**paths == '/')
            fd = open_by_path(*paths, devno, flags);
    if (fd == -2 && name != NULL)
        fd = open_by_path(path, devno, flags);
    return fd != -2 ? fd : open_own_node(devno, flags);
}
