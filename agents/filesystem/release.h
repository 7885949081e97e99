/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Proof that a file system is active on this node no more. */
#ifndef RA_AGENTS_FILESYSTEM_RELEASE_H
#define RA_AGENTS_FILESYSTEM_RELEASE_H

#include "base/error.h"
#include "subject.h"

/*
 * Wait until the kernel has let go of every device that an exclusive file system of ours is or was
 * on; nothing is done for another one. Errors: BUSY with who has it, SYSTEM (it cannot be told).
 */
int filesystem_prove_release(struct subject *subject, struct ra_error *err);

/* The same at this moment, without waiting. */
int filesystem_check_release(struct subject *subject, struct ra_error *err);

#endif
