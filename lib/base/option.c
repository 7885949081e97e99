/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/option.h"

#include <string.h>

#include "base/text.h"

/* The last option of that name, from its name on, and its length; NULL if there is none. */
static const char *find_option(const char *options, const char *name, size_t *ret_length)
{
    const char *found = NULL;
    size_t name_length = strlen(name);

    while (options != NULL && *options != '\0') {
        size_t length = 0;
        bool quoted = false;

        /* SELinux contexts hold commas between double quotes. */
        while (options[length] != '\0' && (quoted || options[length] != ',')) {
            quoted = quoted != (options[length] == '"');
            length++;
        }
        if (length >= name_length && strncmp(options, name, name_length) == 0 &&
            (length == name_length || options[name_length] == '=')) {
            found = options;
            *ret_length = length;
        }
        options += length + (options[length] == ',' ? 1 : 0);
    }
    return found;
}

bool ra_option_is_set(const char *options, const char *name)
{
    size_t length;

    return find_option(options, name, &length) != NULL;
}

char *ra_option_value(const char *options, const char *name)
{
    size_t length = 0;
    const char *option = find_option(options, name, &length);
    size_t skip = strlen(name) + 1;

    return option != NULL && length >= skip
               ? ra_text_format("%.*s", (int)(length - skip), option + skip)
               : NULL;
}
