# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks and mounts for the Filesystem tests: loop devices, the mount table, programs that hold files."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from conftest import wait_until

DISKS = Path("/srv/disks")


def run(*command, timeout=60):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=timeout, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def unescape(text):
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, char)
    return text


def mounts():
    """(mount point, source, type, root, options, superblock options) of every mount, in order."""
    table = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, right = line.split(" - ")
        fields, rest = left.split(), right.split()
        table.append((unescape(fields[4]), unescape(rest[1]), rest[0], unescape(fields[3]),
                      fields[5].split(","), rest[2].split(",")))
    return table


def mounted_on(directory):
    """The sources that are mounted on a directory, the topmost last."""
    return [entry[1] for entry in mounts() if entry[0] == str(directory)]


class Disk:
    """A loop device with a file system."""

    def __init__(self, name, fstype="ext4", megabytes=64, options=()):
        DISKS.mkdir(exist_ok=True)
        self.image = DISKS / f"{name}.img"
        with open(self.image, "wb") as image:
            image.truncate(megabytes << 20)
        self.fstype = fstype
        quiet = {"ext4": ["-q"], "ext2": ["-q"], "xfs": ["-q"], "btrfs": ["-q"]}[fstype]
        run(f"mkfs.{fstype}", *quiet, *options, self.image)
        self.path = run("losetup", "--find", "--show", self.image)

    def uuid(self):
        return run("blkid", "-p", "-s", "UUID", "-o", "value", self.path)

    def remove(self):
        for entry in reversed([entry for entry in mounts() if entry[1] == self.path]):
            subprocess.run(["umount", "-l", entry[0]], check=False)
        subprocess.run(["losetup", "-d", self.path], check=False, capture_output=True)
        self.image.unlink(missing_ok=True)


class SlowDisk(Disk):
    """A disk that can cease to answer: its image is served by a FUSE daemon, and that is stopped.

    What waits for it in the kernel is in uninterruptible sleep. When the daemon ends, with the sandbox
    at the latest, the kernel gives up whatever waits.
    """

    def __init__(self, name):
        super().__init__(name)
        run("losetup", "-d", self.path)
        self.file = DISKS / f"{name}.slow"
        self.file.touch()
        self.server = subprocess.Popen(
            ["qemu-storage-daemon", "--blockdev", f"driver=file,node-name=f,filename={self.image}",
             "--export", f"type=fuse,id=e,node-name=f,mountpoint={self.file},writable=on"])
        wait_until(lambda: mounted_on(self.file), 10, "the image is served")
        self.path = run("losetup", "--find", "--show", self.file)

    def stop_answering(self):
        run("blockdev", "--flushbufs", self.path)
        freeze(self.server.pid)

    def stop_answering_unflushed(self):
        """With what was written still in the node's memory."""
        freeze(self.server.pid)

    def answer(self):
        self.server.send_signal(signal.SIGCONT)

    def remove(self):
        self.answer()
        super().remove()
        self.server.terminate()
        try:
            self.server.wait(10)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait(10)


class Holder:
    """A process that uses a path: its working directory, or an open file. Says when it does."""

    PROGRAM = """
import os, signal, sys, time
how, path, ignore = sys.argv[1:4]
if ignore == "ignore":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if how == "cwd":
    os.chdir(path)
elif how == "map":
    import ctypes  # the mmap module keeps a descriptor
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    fd = os.open(path, os.O_RDWR)
    assert libc.mmap(None, 4096, 3, 1, fd, ctypes.c_long(0)) != ctypes.c_void_p(-1).value
    os.close(fd)
else:
    kept = open(path, "a")
print("ready", flush=True)
time.sleep(600)
"""

    def __init__(self, how, path, ignore_term=False, namespace=None):
        prefix = ["nsenter", "--mount", "--root", f"--target={namespace}"] if namespace else []
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", self.PROGRAM, how, str(path),
             "ignore" if ignore_term else "-"],
            stdout=subprocess.PIPE, text=True, cwd="/")
        assert self.process.stdout.readline() == "ready\n"

    def is_alive(self):
        return self.process.poll() is None

    def wait(self, seconds=5):
        """The number of the signal that ended it."""
        return -self.process.wait(seconds)

    def remove(self):
        if self.is_alive():
            self.process.kill()
            self.process.wait(5)
        self.process.stdout.close()


class PrivateNamespace:
    """A process in a mount namespace of its own, as a container has."""

    def __init__(self, propagation="private"):
        self.process = subprocess.Popen(
            ["unshare", "--mount", f"--propagation={propagation}", "sh", "-c",
             "echo ready; exec sleep 600"], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"
        self.pid = self.process.pid

    def remove(self):
        self.process.kill()
        self.process.wait(5)
        self.process.stdout.close()


class FakeHelper:
    """A helper /sbin/mount.TYPE or fsck.TYPE for what no real one does on request; each use says what."""

    def __init__(self, fstype, script, program="mount"):
        self.path = Path(f"/usr/sbin/{program}.{fstype}")
        self.kept = self.path.read_bytes() if self.path.exists() else None
        self.path.unlink(missing_ok=True)  # it may be a link to a program of many names
        self.path.write_text(script)
        self.path.chmod(0o755)

    def remove(self):
        self.path.unlink()
        if self.kept is not None:
            self.path.write_bytes(self.kept)
            self.path.chmod(0o755)


def freeze(pid):
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T",
               5, "it is stopped")


def children_of(pid):
    """All descendants of a process."""
    found, queue = [], [pid]
    while queue:
        parent = queue.pop()
        try:
            text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
        except FileNotFoundError:
            continue
        queue += map(int, text.split())
        found += map(int, text.split())
    return found


def timed(function):
    began = time.monotonic()
    result = function()
    return result, time.monotonic() - began
