/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

#define STATE_MOST_BYTES 65536

static const char *state_directory = RA_STATE_DIR;

void ra_file_state_set_directory(const char *path)
{
    state_directory = path;
}

static int read_all(int fd, const char *name, size_t most_bytes, char **ret_text,
                    struct ra_error *err)
{
    ra_auto_text_buffer struct ra_text_buffer text = { 0 };
    struct stat status;
    char chunk[4096];
    ssize_t count;

    if (fstat(fd, &status) != 0)
        return ra_error_set_errno(err, errno, "cannot examine %s", name);
    if (!S_ISREG(status.st_mode))
        return ra_error_set(err, RA_ERROR_SYSTEM, "%s is not a regular file", name);
    while ((count = read(fd, chunk, sizeof(chunk))) != 0) {
        if (count < 0) {
            if (errno == EINTR)
                continue;
            return ra_error_set_errno(err, errno, "cannot read %s", name);
        }
        if (memchr(chunk, '\0', (size_t)count) != NULL)
            return ra_error_set(err, RA_ERROR_PROTOCOL, "%s is not a text file", name);
        if (text.used_bytes + (size_t)count > most_bytes)
            return ra_error_set(err, RA_ERROR_PROTOCOL, "%s is larger than %zu bytes", name,
                                most_bytes);
        ra_text_buffer_add_bytes(&text, chunk, (size_t)count);
    }
    ra_text_buffer_add(&text, "");
    *ret_text = ra_steal_ptr(&text.data);
    return 0;
}

int ra_file_read(const char *path, size_t most_bytes, char **ret_text, struct ra_error *err)
{
    ra_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0)
        return ra_error_set_errno(err, errno, "cannot open %s", path);
    return read_all(fd, path, most_bytes, ret_text, err);
}

/* Letters, digits, '_', '-' and inner dots stay; everything else becomes %XX. */
static int state_file_name(const char *name, char file[NAME_MAX - 8], struct ra_error *err)
{
    size_t used = 0;

    for (const char *c = name; *c != '\0'; c++) {
        bool plain =
            isalnum((unsigned char)*c) || strchr("_-", *c) != NULL || (*c == '.' && c != name);

        if (used + 4 > NAME_MAX - 8)
            return ra_error_set(err, RA_ERROR_CONFIG, "the name '%.60s...' is too long", name);
        if (plain)
            file[used++] = *c;
        else
            used += (size_t)snprintf(file + used, 4, "%%%02X", (unsigned char)*c);
    }
    file[used] = '\0';
    return 0;
}

char *ra_file_state_path(const char *name)
{
    char file[NAME_MAX - 8];

    if (state_file_name(name, file, NULL) != 0)
        return ra_text_copy(state_directory);
    return ra_text_format("%s/%s", state_directory, file);
}

static int open_state_directory(int *ret_fd, struct ra_error *err)
{
    ra_auto_close int fd = -1;
    struct stat status;

    if (mkdir(state_directory, 0700) != 0 && errno != EEXIST)
        return ra_error_set_errno(err, errno, "cannot create the state directory %s",
                                  state_directory);
    fd = open(state_directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0)
        return ra_error_set_errno(err, errno, "cannot open the state directory %s",
                                  state_directory);
    if (status.st_uid != geteuid() || (status.st_mode & 022) != 0)
        return ra_error_set(err, RA_ERROR_PERMISSION,
                            "the state directory %s belongs to user %u with mode %03o, it must be "
                            "ours alone",
                            state_directory, status.st_uid, status.st_mode & 0777U);
    *ret_fd = ra_steal_fd(&fd);
    return 0;
}

static int write_and_sync(int fd, const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t count = write(fd, text, left);

        if (count < 0 && errno != EINTR)
            return -1;
        if (count > 0) {
            text += count;
            left -= (size_t)count;
        }
    }
    return fsync(fd);
}

int ra_file_state_write(const char *name, const char *text, struct ra_error *err)
{
    ra_auto_close int directory = -1;
    ra_auto_close int fd = -1;
    char file[NAME_MAX - 8];
    char temporary[NAME_MAX];

    if (state_file_name(name, file, err) != 0 || open_state_directory(&directory, err) != 0)
        return -1;
    (void)snprintf(temporary, sizeof(temporary), ".%s.new", file);
    (void)unlinkat(directory, temporary, 0);
    fd = openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || write_and_sync(fd, text) != 0 ||
        renameat(directory, temporary, directory, file) != 0)
        return ra_error_set_errno(err, errno, "cannot write the state file %s/%s", state_directory,
                                  file);
    return 0;
}

int ra_file_state_read(const char *name, char **ret_text, struct ra_error *err)
{
    ra_auto_close int directory = -1;
    ra_auto_close int fd = -1;
    char file[NAME_MAX - 8];

    if (state_file_name(name, file, err) != 0 || open_state_directory(&directory, err) != 0)
        return -1;
    fd = openat(directory, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return ra_error_set(err, RA_ERROR_NOT_FOUND, "there is no state file %s/%s",
                            state_directory, file);
    if (fd < 0)
        return ra_error_set_errno(err, errno, "cannot open the state file %s/%s", state_directory,
                                  file);
    return read_all(fd, file, STATE_MOST_BYTES, ret_text, err);
}

int ra_file_state_remove(const char *name, struct ra_error *err)
{
    ra_auto_close int directory = -1;
    char file[NAME_MAX - 8];

    if (state_file_name(name, file, err) != 0 || open_state_directory(&directory, err) != 0)
        return -1;
    if (unlinkat(directory, file, 0) != 0 && errno != ENOENT)
        return ra_error_set_errno(err, errno, "cannot remove the state file %s/%s", state_directory,
                                  file);
    return 0;
}
