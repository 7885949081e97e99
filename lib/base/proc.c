/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"

#define STATUS_FIELDS 22 /* of /proc/PID/stat up to the start time; proc_pid_stat(5) */

static int64_t next_number(DIR *directory, const char **ret_name)
{
    struct dirent *entry;
    int64_t number;

    while ((entry = readdir(directory)) != NULL)
        if (ra_number_parse_integer(entry->d_name, &number) == 0) {
            *ret_name = entry->d_name;
            return number;
        }
    return -1;
}

pid_t ra_proc_next(DIR *proc, int *ret_fd)
{
    const char *name;
    int64_t pid;

    while ((pid = next_number(proc, &name)) > 0) {
        int fd = openat(dirfd(proc), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd >= 0) {
            *ret_fd = fd;
            return (pid_t)pid;
        }
    }
    return 0;
}

int ra_proc_next_fd(DIR *fds)
{
    const char *name;

    return (int)next_number(fds, &name);
}

DIR *ra_proc_opendir(int process_fd, const char *name)
{
    ra_auto_close int fd = openat(process_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;

    if (directory != NULL)
        (void)ra_steal_fd(&fd);
    return directory;
}

size_t ra_proc_read(int process_fd, const char *name, char *buffer, size_t size_bytes)
{
    ra_auto_close int fd = openat(process_fd, name, O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    ssize_t count;

    while (fd >= 0 && used + 1 < size_bytes &&
           (count = read(fd, buffer + used, size_bytes - 1 - used)) != 0) {
        if (count < 0 && errno != EINTR)
            break;
        used += count > 0 ? (size_t)count : 0;
    }
    buffer[used] = '\0';
    return used;
}

bool ra_proc_status(int process_fd, struct ra_proc_status *ret_status)
{
    char text[1024];
    ra_auto_text_list char **fields = NULL;
    char *name, *name_end;
    int64_t parent, group, session, start;

    if (ra_proc_read(process_fd, "stat", text, sizeof(text)) == 0)
        return false;
    /* The name is between the first and the last parenthesis, and may hold any of them. */
    name = strchr(text, '(');
    name_end = strrchr(text, ')');
    if (name == NULL || name_end == NULL || name_end < name)
        return false;
    fields = ra_text_split(name_end + 1, " ");
    for (int i = 0; i < STATUS_FIELDS - 2; i++)
        if (fields[i] == NULL)
            return false;
    if (ra_number_parse_integer(fields[1], &parent) != 0 ||
        ra_number_parse_integer(fields[2], &group) != 0 ||
        ra_number_parse_integer(fields[3], &session) != 0 ||
        ra_number_parse_integer(fields[STATUS_FIELDS - 3], &start) != 0)
        return false;
    *name_end = '\0';
    ra_text_join(ret_status->name, sizeof(ret_status->name), name + 1, "", "");
    ra_text_flatten(ret_status->name);
    ret_status->state = fields[0][0];
    ret_status->parent = (pid_t)parent;
    ret_status->group = (pid_t)group;
    ret_status->session = (pid_t)session;
    ret_status->start_ticks = (uint64_t)start;
    return true;
}

static bool is_dead(char state)
{
    return state == 'Z' || state == 'X';
}

/* The first thread may be a zombie while others go on. */
bool ra_proc_has_ended(int process_fd)
{
    ra_auto_closedir DIR *tasks = ra_proc_opendir(process_fd, "task");
    struct ra_proc_status status;
    int thread_fd = -1;

    if (!ra_proc_status(process_fd, &status))
        return true;
    if (!is_dead(status.state))
        return false;
    while (tasks != NULL && ra_proc_next(tasks, &thread_fd) != 0) {
        ra_auto_close int fd = thread_fd;

        if (ra_proc_status(fd, &status) && !is_dead(status.state))
            return false;
    }
    return true;
}

int64_t ra_proc_number(int process_fd, const char *file, const char *name)
{
    char text[2048];
    size_t length = strlen(name);
    int64_t number;

    if (ra_proc_read(process_fd, file, text, sizeof(text)) == 0)
        return -1;
    for (char *line = text; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');

        if (end != NULL)
            *end = '\0';
        if (strncmp(line, name, length) == 0 && line[length] == ':')
            return ra_number_parse_integer(line + length + 1 + strspn(line + length + 1, " \t"),
                                           &number) == 0
                       ? number
                       : -1;
        line = end != NULL ? end + 1 : NULL;
    }
    return -1;
}
