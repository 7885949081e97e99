/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why QEMU ended at once. */
#ifndef RA_AGENTS_VIRTUALDOMAIN_REFUSAL_H
#define RA_AGENTS_VIRTUALDOMAIN_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "guest.h"

/* Where QEMU's log ends now, in bytes: what is behind that later was written since. */
int64_t virtualdomain_log_end(const char *name);

/*
 * The last that QEMU wrote into its log since it ended at guest->log_end_bytes, on one line; "" if
 * it wrote nothing.
 */
void virtualdomain_last_words(const struct guest *guest, const char *name, char *text,
                              size_t size_bytes);

/*
 * libvirt could not start guest `name`, for the reason in *why. True if that was the lock of a disk
 * image that somebody else holds; *why is then of kind BUSY and says which.
 */
bool virtualdomain_met_lock(const struct guest *guest, const char *name, struct ra_error *why);

/* Whose lock it probably is, and what makes it go away: a sentence by the image's file system. */
void virtualdomain_explain_lock(const char *lock, char *text, size_t size_bytes);

#endif
