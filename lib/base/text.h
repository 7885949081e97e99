/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Text helpers: fixed buffers, a growing buffer, word lists. Nothing here blocks or fails other
 * than by memory; a process that runs out of memory for a few hundred bytes ends by abort(3),
 * which the supervisor reports as a crashed worker, never as a success.
 */
#ifndef RA_BASE_TEXT_H
#define RA_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/export.h"

RA_EXPORT_BEGIN

/* Replace every control character (and so every newline) in `text` by a space, in place. */
void ra_text_flatten(char *text);

/* Write "a" "between" "b" to `buffer`, cut to `size_bytes` with the terminating NUL. */
void ra_text_join(char *buffer, size_t size_bytes, const char *a, const char *between,
                  const char *b);

/* True if both are equal; two NULLs are equal, a NULL and a text are not. */
bool ra_text_equal(const char *a, const char *b);

/* True if `text` is NULL or "". */
bool ra_text_is_empty(const char *text);

/* True if `text` starts with `prefix`. */
bool ra_text_starts_with(const char *text, const char *prefix);

/* printf into new memory that the caller frees; never NULL. */
char *ra_text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* strdup that never returns NULL, except for a NULL. The caller frees. */
char *ra_text_copy(const char *text);

/*
 * `text` with every occurrence of `what` (not empty) replaced by `with`; new memory that the
 * caller frees, never NULL.
 */
char *ra_text_replace(const char *text, const char *what, const char *with);

/*
 * Split at any run of the characters in `separators`; empty words are left out. Returns a
 * NULL-terminated array that the caller frees with ra_text_list_free(); never NULL.
 */
char **ra_text_split(const char *text, const char *separators);
void ra_text_list_free(char **list);
static inline void ra_cleanup_text_list(char ***list)
{
    ra_text_list_free(*list);
}
#define ra_auto_text_list RA_CLEANUP(ra_cleanup_text_list)

/* Overwrite a secret in memory so that the compiler cannot leave it out. NULL is allowed. */
void ra_text_wipe(char *secret);

/* A text that grows. Initialise with { 0 }; release with ra_text_buffer_free(). */
struct ra_text_buffer {
    char *data; /* NUL-terminated, or NULL while nothing was added */
    size_t used_bytes;
    size_t size_bytes;
};
void ra_text_buffer_add(struct ra_text_buffer *buffer, const char *text);
void ra_text_buffer_addf(struct ra_text_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void ra_text_buffer_add_bytes(struct ra_text_buffer *buffer, const char *bytes, size_t count_bytes);
void ra_text_buffer_free(struct ra_text_buffer *buffer);
#define ra_auto_text_buffer RA_CLEANUP(ra_text_buffer_free)

RA_EXPORT_END

#endif
