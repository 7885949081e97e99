/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/path.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

bool ra_path_is_within(const char *path, const char *directory)
{
    size_t length = strlen(directory);

    if (strcmp(directory, "/") == 0)
        return path[0] == '/';
    return strncmp(path, directory, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

char *ra_path_normalise(const char *path)
{
    ra_auto_text_list char **words = ra_text_split(path, "/");
    ra_auto_text_buffer struct ra_text_buffer clean = { 0 };

    if (path[0] != '/')
        return NULL;
    for (char **word = words; *word != NULL; word++) {
        if (strcmp(*word, ".") == 0)
            continue;
        if (strcmp(*word, "..") == 0)
            return NULL;
        ra_text_buffer_add(&clean, "/");
        ra_text_buffer_add(&clean, *word);
    }
    if (clean.used_bytes == 0)
        ra_text_buffer_add(&clean, "/");
    return ra_steal_ptr(&clean.data);
}
