/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "console_log.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

#define NODE_BYTES 128
#define TIME_BYTES 32
#define SUFFIX     ".log"

static int open_directory(const char *path, int *ret_fd, struct ra_error *err)
{
    ra_auto_close int fd = -1;
    struct stat status;

    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return ra_error_set_errno(err, errno, "console_log: cannot create %s", path);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0)
        return ra_error_set_errno(err, errno, "console_log: cannot open %s", path);
    if (status.st_uid != geteuid() || (status.st_mode & 022) != 0)
        return ra_error_set(err, RA_ERROR_PERMISSION,
                            "console_log: %s must belong to root and be writable for nobody else",
                            path);
    *ret_fd = ra_steal_fd(&fd);
    return 0;
}

/* A node's name as part of a file's: what could mean something to a path or a shell becomes '_'. */
static void file_part(const char *node, char part[NODE_BYTES])
{
    size_t i;

    for (i = 0; i < NODE_BYTES - 1 && node[i] != '\0'; i++)
        part[i] = (char)(isalnum((unsigned char)node[i]) || strchr("-_", node[i]) != NULL ||
                                 (node[i] == '.' && i > 0)
                             ? node[i]
                             : '_');
    part[i] = '\0';
}

/* True for "PART-YYYYmmddTHHMMSS.uuuuuuZ.log": the times of equal length sort by themselves. */
static bool is_of(const char *name, const char *part)
{
    size_t length = strlen(part);
    const char *rest = name + length;

    return ra_text_starts_with(name, part) && rest[0] == '-' &&
           strlen(rest) == sizeof("-20261120T173000.000000Z" SUFFIX) - 1 && rest[9] == 'T' &&
           ra_text_equal(rest + strlen(rest) - strlen(SUFFIX), SUFFIX);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Remove the oldest until there is room for one more. */
static void remove_oldest(int directory, const char *part)
{
    ra_auto_closedir DIR *stream = fdopendir(dup(directory));
    char **names = NULL;
    size_t count = 0;
    const struct dirent *entry;

    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        char **more;

        if (!is_of(entry->d_name, part))
            continue;
        more = realloc(names, (count + 1) * sizeof(*names));
        if (more == NULL)
            break;
        names = more;
        names[count++] = ra_text_copy(entry->d_name);
    }
    if (count > 1)
        qsort(names, count, sizeof(*names), compare);
    for (size_t i = 0; i < count; i++) {
        if (count - i >= CONSOLE_LOG_MOST_FILES)
            (void)unlinkat(directory, names[i], 0);
        free(names[i]);
    }
    free(names);
}

int console_log_create(const char *directory_path, const char *node, int *ret_fd,
                       struct ra_error *err)
{
    ra_auto_close int directory = -1;
    ra_auto_free char *name = NULL;
    char part[NODE_BYTES];
    char when[TIME_BYTES];
    struct timespec now;
    struct tm utc;
    int fd;

    if (open_directory(directory_path, &directory, err) != 0)
        return -1;
    file_part(node, part);
    remove_oldest(directory, part);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &utc);
    (void)strftime(when, sizeof(when), "%Y%m%dT%H%M%S", &utc);
    name = ra_text_format("%s-%s.%06ldZ" SUFFIX, part, when, now.tv_nsec / 1000);
    fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return ra_error_set_errno(err, errno, "console_log: cannot create %s/%s", directory_path,
                                  name);
    *ret_fd = fd;
    return 0;
}
