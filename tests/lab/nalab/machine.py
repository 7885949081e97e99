# SPDX-License-Identifier: GPL-3.0-or-later
"""A throw-away machine: an overlay of the host's root with devices, /proc, /sys and temporary places of its own.

Shared by the sandbox (one machine, gone with its command) and by the lab's nodes (machines whose disk
survives their power).
"""

import os
import subprocess
from pathlib import Path

from . import namespaces as ns

SOURCE_TREE = Path(__file__).resolve().parents[3]


class MachineError(Exception):
    """What a machine needs is not there; the text is meant for the user."""


def build_root(disk, stage=None, binds=()):
    """Assemble a machine's root file system below DISK and return its path.

    DISK is a directory on a tmpfs; what the machine writes lands in DISK/upper and survives this mount.
    STAGE is a `make install DESTDIR=STAGE` tree laid over the root. BINDS are (host path, path inside)
    pairs, mounted read-write. To be called in the machine's own mount, pid and net namespaces: /proc and
    /sys show those.
    """
    upper, work, root = (Path(disk) / name for name in ("upper", "work", "root"))
    for directory in (upper, work, root):
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o755)
    ns.mount("machine", root, "overlay", 0, f"lowerdir=/,upperdir={upper},workdir={work}")
    if stage:
        lay_over(stage, root)
    _mount_kernel_views(root)
    for place, mode in (("dev/shm", "1777"), ("run", "755"), ("tmp", "1777")):
        (root / place).mkdir(exist_ok=True)
        ns.mount("tmpfs", root / place, "tmpfs", ns.MS_NOSUID, f"mode={mode}")
    (root / "run/lock").mkdir(mode=0o1777)
    for outside, inside in binds:
        bind(outside, root / str(inside).lstrip("/"))
    return root


def bind(source, target):
    """Bind SOURCE (file or directory) on TARGET, which is created."""
    source, target = Path(source), Path(target)
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch(exist_ok=True)
    ns.mount(source, target, "", ns.MS_BIND | ns.MS_REC)


def _mount_kernel_views(root):
    ns.mount("proc", root / "proc", "proc", ns.MS_NOSUID | ns.MS_NODEV | ns.MS_NOEXEC)
    # A cluster member may panic its node through these two files; they are the whole host's.
    for trigger in ("proc/sysrq-trigger", "proc/sys/kernel/sysrq"):
        if (root / trigger).exists():
            ns.mount("/dev/null", root / trigger, "", ns.MS_BIND)
    ns.mount("sysfs", root / "sys", "sysfs", ns.MS_NOSUID | ns.MS_NODEV | ns.MS_NOEXEC)
    if Path("/sys/fs/cgroup").is_dir():
        ns.mount("/sys/fs/cgroup", root / "sys/fs/cgroup", "", ns.MS_BIND | ns.MS_REC)
    ns.mount("/dev", root / "dev", "", ns.MS_BIND | ns.MS_REC)


def lay_over(stage, root):
    """Copy the tree STAGE over ROOT, keeping ROOT's directories and directory symlinks as they are."""
    # Not a second lowerdir: overlayfs refuses a layer that lies inside another one, and / holds all.
    with subprocess.Popen(["tar", "-C", str(stage), "-cf", "-", "."], stdout=subprocess.PIPE) as packer:
        unpack = ["tar", "-C", str(root), "-xf", "-", "--keep-directory-symlink", "--no-overwrite-dir"]
        unpacked = subprocess.run(unpack, stdin=packer.stdout, check=False).returncode
        packer.stdout.close()
    if unpacked != 0 or packer.returncode != 0:
        raise MachineError(f"cannot copy the stage {stage} into the machine")


def check_stage(stage):
    """Return STAGE as an absolute path; refuse one that cannot be a `make install DESTDIR=` tree."""
    stage = Path(stage).resolve()
    if not stage.is_dir():
        raise MachineError(f"the stage {stage} is not a directory; make it with: make install DESTDIR={stage}")
    if not (stage / "usr").is_dir():
        raise MachineError(f"the stage {stage} has no usr/ below it; make it with: make install DESTDIR={stage}")
    return stage


def check_root():
    """Refuse to go on without the rights that namespaces and mounts need."""
    if os.geteuid() != 0:
        raise MachineError("this needs root: it makes namespaces, mounts and network interfaces (its own only)")


def loopback_up():
    """Bring up the loopback interface of the current network namespace."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
