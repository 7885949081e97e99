/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The QEMU process behind a domain, found and ended without libvirt, for when its daemon does not
 * answer. A process is the guest's only if its executable is a QEMU and its argument vector holds
 * `-name guest=NAME`, as libvirt writes it; nothing is guessed from process titles. It is held by
 * a pidfd (pidfd_open(2)), so a number that the kernel gave to another process is never signalled.
 */
#ifndef RA_VIRT_EMULATOR_H
#define RA_VIRT_EMULATOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "base/error.h"
#include "virt/domain.h"

struct ra_virt_emulator {
    pid_t pid;
    int pidfd;    /* the caller closes it */
    bool stopped; /* by SIGSTOP or a debugger: it executes nothing */
    /* The domain's UUID by `-uuid` of its arguments, "" if they have none: names are used again. */
    char uuid[RA_VIRT_UUID_BYTES];
};

/* True if guests of this libvirt URI are QEMU processes of this node. Pure. */
bool ra_virt_emulator_covers(const char *uri);

/*
 * Find the process of the guest `name`: first by the daemon's pid file, then among all processes.
 * NOT_FOUND is the proof that there is none; BUSY if a process is there that might be it; SYSTEM if
 * /proc cannot be read. Blocks for a second at most, while a QEMU process that is ending might be
 * it.
 */
int ra_virt_emulator_find(const char *name, struct ra_virt_emulator *ret_emulator,
                          struct ra_error *err);

/*
 * SIGTERM, on which QEMU flushes its files and ends; SIGKILL when that takes more than 10 s, or
 * half of the time. Success means that the process is gone. Blocks until the deadline at most.
 * Errors: TIMEOUT (it is still there: stuck in the kernel), SYSTEM.
 */
int ra_virt_emulator_kill(const struct ra_virt_emulator *emulator, struct ra_deadline deadline,
                          struct ra_error *err);

/* Read another /proc and another directory of pid files; for unit tests. */
void ra_virt_emulator_set_directories(const char *proc, const char *pid_files);

#endif
