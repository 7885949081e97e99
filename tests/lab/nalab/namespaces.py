# SPDX-License-Identifier: GPL-3.0-or-later
"""Linux namespaces and mounts: the few system calls that Python 3.11 does not wrap."""

import ctypes
import os
import signal

NEWNS, NEWUTS, NEWIPC, NEWPID, NEWNET = 0x00020000, 0x04000000, 0x08000000, 0x20000000, 0x40000000
MACHINE = NEWNS | NEWUTS | NEWIPC | NEWPID | NEWNET

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 0x1, 0x2, 0x4, 0x8, 0x20
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def unshare(flags):
    """Move the caller into new namespaces (NEWPID: its next children)."""
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def die_with_parent():
    """Have the kernel kill this process the moment its parent is gone, however that happens."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0), "prctl")


def mount(source, target, fstype="", flags=0, data=""):
    """mount(2); the message of a failure names source and target."""
    arguments = [os.fsencode(str(text)) for text in (source, target, fstype, data)]
    _check(
        _libc.mount(arguments[0], arguments[1], arguments[2], ctypes.c_ulong(flags), arguments[3]),
        f"mounting {source} on {target}",
    )


def make_mounts_private():
    """From here on, no mount made by this process shows outside its mount namespace."""
    mount("none", "/", "", MS_REC | MS_PRIVATE)


def set_hostname(name):
    """Name the machine (of the current UTS namespace)."""
    raw = name.encode()
    _check(_libc.sethostname(raw, ctypes.c_size_t(len(raw))), "sethostname")
