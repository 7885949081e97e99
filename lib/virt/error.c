/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "virt/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

/*
 * Whatever is not here is RA_ERROR_SYSTEM: the call failed and says nothing about the state. A
 * row with a part of libvirt counts only for errors from that part: a failed system call of the
 * client's own sockets means that the daemon does not answer, one that the daemon reports does not.
 */
static const struct {
    int code;
    int part; /* VIR_FROM_; VIR_FROM_NONE: any */
    enum ra_error_kind kind;
} kinds[] = {
    { VIR_ERR_NO_CONNECT, VIR_FROM_NONE, RA_ERROR_UNREACHABLE },
    { VIR_ERR_INVALID_CONN, VIR_FROM_NONE, RA_ERROR_UNREACHABLE },
    { VIR_ERR_UNKNOWN_HOST, VIR_FROM_NONE, RA_ERROR_UNREACHABLE },
    { VIR_ERR_RPC, VIR_FROM_NONE, RA_ERROR_UNREACHABLE },
    { VIR_ERR_SYSTEM_ERROR, VIR_FROM_RPC, RA_ERROR_UNREACHABLE },
    { VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC, RA_ERROR_UNREACHABLE },
    { VIR_ERR_GNUTLS_ERROR, VIR_FROM_NONE, RA_ERROR_UNREACHABLE },
    { VIR_ERR_SSH, VIR_FROM_NONE, RA_ERROR_UNREACHABLE },
    { VIR_ERR_LIBSSH, VIR_FROM_NONE, RA_ERROR_UNREACHABLE },
    { VIR_ERR_AUTH_FAILED, VIR_FROM_NONE, RA_ERROR_PERMISSION },
    { VIR_ERR_AUTH_CANCELLED, VIR_FROM_NONE, RA_ERROR_PERMISSION },
    { VIR_ERR_AUTH_UNAVAILABLE, VIR_FROM_NONE, RA_ERROR_PERMISSION },
    { VIR_ERR_ACCESS_DENIED, VIR_FROM_NONE, RA_ERROR_PERMISSION },
    { VIR_ERR_OPERATION_DENIED, VIR_FROM_NONE, RA_ERROR_PERMISSION },
    { VIR_ERR_OPERATION_TIMEOUT, VIR_FROM_NONE, RA_ERROR_TIMEOUT },
    { VIR_ERR_RESOURCE_BUSY, VIR_FROM_NONE, RA_ERROR_BUSY },
    { VIR_ERR_BLOCK_COPY_ACTIVE, VIR_FROM_NONE, RA_ERROR_BUSY },
    { VIR_ERR_NO_SUPPORT, VIR_FROM_NONE, RA_ERROR_PROTOCOL },
    { VIR_ERR_OPERATION_UNSUPPORTED, VIR_FROM_NONE, RA_ERROR_PROTOCOL },
    { VIR_ERR_ARGUMENT_UNSUPPORTED, VIR_FROM_NONE, RA_ERROR_PROTOCOL },
    { VIR_ERR_NO_DOMAIN, VIR_FROM_NONE, RA_ERROR_PROTOCOL },
};

/*
 * What QEMU says of a lock: does it give another reason than that the lock is held? Then locking
 * itself does not work: no lock server, a file system without locks, no quorum.
 */
static bool is_failure_to_lock(const char *sentence)
{
    static const char *const held[] = { "Resource temporarily unavailable", "Permission denied" };
    const char *reason = strstr(sentence, "\" lock");

    reason =
        reason != NULL ? reason + strlen("\" lock") : sentence + strcspn(sentence, "0123456789");
    reason += strspn(reason, "0123456789");
    if (strncmp(reason, ": ", 2) != 0)
        return false;
    reason += 2;
    for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++)
        if (strncmp(reason, held[i], strlen(held[i])) == 0)
            return false;
    return true;
}

const char *ra_virt_error_find_lock(const char *message)
{
    static const struct {
        const char *phrase;
        bool is_qemus;
    } phrases[] = { { "Failed to get \"", true },
                    { "Failed to get shared \"", true },
                    { "Failed to lock byte ", true },
                    { "Failed to acquire lock", false },
                    { "Lockspace resource '", false } };
    const char *found = NULL;
    bool is_qemus = false;

    for (size_t i = 0; found == NULL && i < sizeof(phrases) / sizeof(phrases[0]); i++) {
        found = strstr(message, phrases[i].phrase);
        is_qemus = phrases[i].is_qemus;
    }
    /* "Failed to get" may be about something else. */
    if (found == NULL || strstr(found, "lock") == NULL)
        return NULL;
    return is_qemus && is_failure_to_lock(found) ? NULL : found;
}

enum ra_error_kind ra_virt_error_kind(int code, int part)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i].code == code && (kinds[i].part == VIR_FROM_NONE || kinds[i].part == part))
            return kinds[i].kind;
    }
    return RA_ERROR_SYSTEM;
}

__attribute__((format(printf, 3, 0))) static int take(struct ra_error *err, bool is_lookup,
                                                      const char *context, va_list args)
{
    virErrorPtr last = virGetLastError();
    int code = last == NULL ? VIR_ERR_OK : last->code;
    int part = last == NULL ? VIR_FROM_NONE : last->domain;
    char text[256];

    (void)vsnprintf(text, sizeof(text), context, args);
    (void)ra_error_set(err,
                       is_lookup && code == VIR_ERR_NO_DOMAIN ? RA_ERROR_NOT_FOUND
                                                              : ra_virt_error_kind(code, part),
                       "%s: %s", text, virGetLastErrorMessage());
    virResetLastError();
    return -1;
}

int ra_virt_error_take(struct ra_error *err, const char *context, ...)
{
    va_list args;

    va_start(args, context);
    (void)take(err, false, context, args);
    va_end(args);
    return -1;
}

int ra_virt_error_take_lookup(struct ra_error *err, const char *context, ...)
{
    va_list args;

    va_start(args, context);
    (void)take(err, true, context, args);
    va_end(args);
    return -1;
}
