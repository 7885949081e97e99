/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ra_text_flatten(char *text)
{
    for (; *text != '\0'; text++)
        if (iscntrl((unsigned char)*text))
            *text = ' ';
}

static size_t append(char *buffer, size_t size_bytes, size_t used, const char *text)
{
    size_t length = strlen(text);

    if (length > size_bytes - 1 - used)
        length = size_bytes - 1 - used;
    memcpy(buffer + used, text, length);
    return used + length;
}

void ra_text_join(char *buffer, size_t size_bytes, const char *a, const char *between,
                  const char *b)
{
    size_t used = append(buffer, size_bytes, 0, a);

    used = append(buffer, size_bytes, used, between);
    used = append(buffer, size_bytes, used, b);
    buffer[used] = '\0';
}

bool ra_text_equal(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return strcmp(a, b) == 0;
}

bool ra_text_is_empty(const char *text)
{
    return text == NULL || *text == '\0';
}

bool ra_text_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

__attribute__((returns_nonnull)) static void *or_abort(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

char *ra_text_format(const char *format, ...)
{
    va_list args;
    char *text = NULL;
    int length;

    va_start(args, format);
    length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        abort();
    return text;
}

char *ra_text_copy(const char *text)
{
    return text == NULL ? NULL : or_abort(strdup(text));
}

char *ra_text_replace(const char *text, const char *what, const char *with)
{
    struct ra_text_buffer result = { 0 };
    const char *hit;

    while ((hit = strstr(text, what)) != NULL) {
        ra_text_buffer_add_bytes(&result, text, (size_t)(hit - text));
        ra_text_buffer_add(&result, with);
        text = hit + strlen(what);
    }
    ra_text_buffer_add(&result, text);
    return result.data;
}

/* gcc's analyzer loses sight of a word once it is in the list. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
char **ra_text_split(const char *text, const char *separators)
{
    size_t count = 0;
    char **list = or_abort(calloc(strlen(text) / 2 + 2, sizeof(*list)));

    for (text += strspn(text, separators); *text != '\0'; text += strspn(text, separators)) {
        size_t length = strcspn(text, separators);

        list[count++] = or_abort(strndup(text, length));
        text += length;
    }
    return list;
}
#pragma GCC diagnostic pop

void ra_text_list_free(char **list)
{
    if (list == NULL)
        return;
    for (char **word = list; *word != NULL; word++)
        free(*word);
    free(list);
}

void ra_text_wipe(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
}

void ra_text_buffer_add_bytes(struct ra_text_buffer *buffer, const char *bytes, size_t count_bytes)
{
    size_t needed = buffer->used_bytes + count_bytes + 1;

    if (buffer->data == NULL || needed > buffer->size_bytes) {
        size_t size = needed < 128 ? 256 : needed * 2;

        buffer->data = or_abort(realloc(buffer->data, size));
        buffer->size_bytes = size;
    }
    memcpy(buffer->data + buffer->used_bytes, bytes, count_bytes);
    buffer->used_bytes += count_bytes;
    buffer->data[buffer->used_bytes] = '\0';
}

void ra_text_buffer_add(struct ra_text_buffer *buffer, const char *text)
{
    ra_text_buffer_add_bytes(buffer, text, strlen(text));
}

void ra_text_buffer_addf(struct ra_text_buffer *buffer, const char *format, ...)
{
    ra_auto_free char *text = NULL;
    va_list args;
    int length;

    va_start(args, format);
    length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        abort();
    ra_text_buffer_add_bytes(buffer, text, (size_t)length);
}

void ra_text_buffer_free(struct ra_text_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct ra_text_buffer){ 0 };
}
