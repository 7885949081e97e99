/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ipmi/sink.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

static void write_all(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written = write(fd, bytes, count);

        if (written < 0 && errno != EINTR)
            return;
        if (written > 0) {
            bytes += written;
            count -= (size_t)written;
        }
    }
}

void ra_ipmi_sink_remark(const struct ra_ipmi_sink *sink, const char *what, const char *why)
{
    ra_auto_free char *line = ra_text_format("%s[%s%s]\n", sink->spoke ? "\n" : "", what, why);

    write_all(sink->fd, line, strlen(line));
}

static void keep_run(struct ra_ipmi_sink *sink, const char *bytes, size_t count)
{
    size_t room = count < sink->left_bytes ? count : sink->left_bytes;

    if (room == 0)
        return;
    write_all(sink->fd, bytes, room);
    sink->spoke = true;
    sink->left_bytes -= room;
    if (sink->left_bytes == 0)
        ra_ipmi_sink_remark(sink, "", "the file is full");
}

void ra_ipmi_sink_keep(struct ra_ipmi_sink *sink, const char *bytes, size_t count)
{
    while (count > 0) {
        const char *nul = memchr(bytes, '\0', count);
        size_t run = nul == NULL ? count : (size_t)(nul - bytes);

        keep_run(sink, bytes, run);
        if (nul == NULL)
            return;
        sink->established = true;
        bytes += run + 1;
        count -= run + 1;
    }
}
