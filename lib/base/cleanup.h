/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ownership by scope. A variable declared with one of these attributes is released when its scope
 * ends, on every path out of it; ra_steal_*() hands it over instead.
 *
 * Follows the GCC manual, "Common Variable Attributes: cleanup". Nothing here blocks, except that
 * closing a descriptor may (close(2)); close is never retried, because on Linux the descriptor is
 * gone whatever close returns.
 */
#ifndef RA_BASE_CLEANUP_H
#define RA_BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RA_CLEANUP(function) __attribute__((cleanup(function)))

/* A pointer of any type may be looked at through this one. */
typedef void *__attribute__((may_alias)) ra_any_pointer;

static inline void ra_cleanup_free(void *pointer_to_pointer)
{
    free(*(ra_any_pointer *)pointer_to_pointer);
}

static inline void ra_cleanup_close(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static inline void ra_cleanup_fclose(FILE **file)
{
    if (*file != NULL)
        (void)fclose(*file);
}

static inline void ra_cleanup_closedir(DIR **dir)
{
    if (*dir != NULL)
        (void)closedir(*dir);
}

/* Heap memory, a descriptor (-1: none), a stream, a directory stream. Initialise them always. */
#define ra_auto_free     RA_CLEANUP(ra_cleanup_free)
#define ra_auto_close    RA_CLEANUP(ra_cleanup_close)
#define ra_auto_fclose   RA_CLEANUP(ra_cleanup_fclose)
#define ra_auto_closedir RA_CLEANUP(ra_cleanup_closedir)

/* Take the value out of a scoped pointer: the caller owns it now, the variable is NULL. */
#define ra_steal_ptr(pointer_to_pointer)                                                           \
    __extension__({                                                                                \
        __typeof__(*(pointer_to_pointer)) ra_stolen_ = *(pointer_to_pointer);                      \
        *(pointer_to_pointer) = NULL;                                                              \
        ra_stolen_;                                                                                \
    })

/* The same for a descriptor: the variable is -1 afterwards. */
static inline int ra_steal_fd(int *fd)
{
    int stolen = *fd;

    *fd = -1;
    return stolen;
}

#endif
