# SPDX-License-Identifier: GPL-3.0-or-later
"""A GlusterFS of one's own: one glusterd with a replicated volume of three bricks, on loopback.

One per session; a test that damages it calls restore().
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from conftest import wait_until

BRICKS = Path("/srv/bricks")
PID_FILE = Path("/run/glusterd-test.pid")
PING_TIMEOUT_S = 4
# Addresses of this machine: glusterd listens on all of them, so each is a "server" of its own name.
SECOND_ADDRESS = "127.0.0.2"


def is_alive(pid):
    """Does the process run? A zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def find_processes(name, *arguments):
    """The pids of the running processes NAME whose command line has all ARGUMENTS."""
    found = []
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit():
            continue
        try:
            words = (directory / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if Path(words[0]).name == name and all(word in words for word in arguments):
            found.append(int(directory.name))
    return [pid for pid in found if is_alive(pid)]


class Gluster:
    """glusterd and the volume `vol`; `other` is a second volume, `idle` one that is not started."""

    def __init__(self):
        self.host = socket.gethostname()

    def command(self, *words):
        done = subprocess.run(["gluster", "--mode=script", *words], capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == 0, f"gluster {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def create(self, volume, bricks):
        paths = [BRICKS / f"{volume}{number}" for number in range(bricks)]
        for path in paths:
            path.mkdir(parents=True)
        replica = ["replica", str(bricks)] if bricks > 1 else []
        self.command("volume", "create", volume, *replica,
                     *(f"{self.host}:{path}" for path in paths), "force")
        self.command("volume", "set", volume, "network.ping-timeout", str(PING_TIMEOUT_S))

    def start_glusterd(self):
        subprocess.run(["glusterd", "-p", str(PID_FILE)], check=True, timeout=30)
        wait_until(lambda: subprocess.run(["gluster", "--mode=script", "volume", "list"],
                                          capture_output=True, timeout=30, check=False
                                          ).returncode == 0, 20, "glusterd answers")

    def up(self):
        if os.path.exists("/var/lib/glusterd"):
            shutil.rmtree("/var/lib/glusterd")
        self.start_glusterd()
        self.create("vol", 3)
        self.create("other", 1)
        self.create("idle", 1)
        self.command("volume", "start", "vol")
        self.command("volume", "start", "other")
        self.wait_for_bricks()

    def glusterd_pid(self):
        return int(PID_FILE.read_text())

    def bricks(self, volume="vol"):
        """The pids of a volume's running brick processes, in order of the bricks."""
        found = []
        for number in range(3):
            found += find_processes("glusterfsd", "--brick-name", f"{BRICKS}/{volume}{number}")
        return found

    def wait_for_bricks(self):
        wait_until(lambda: len(self.bricks()) == 3, 20, "three bricks run")
        wait_until(lambda: self.command("volume", "status", "vol", "detail").count(": Y") == 3, 20,
                   "glusterd knows of three bricks")

    def freeze(self, *pids):
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)

    def thaw(self, *pids):
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    def kill(self, *pids):
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(is_alive(pid) for pid in pids), 10, "they are dead")

    def restore(self):
        """Whatever a test did to processes: everything runs again."""
        if PID_FILE.exists() and is_alive(self.glusterd_pid()):
            self.thaw(self.glusterd_pid())
        else:
            self.start_glusterd()
        self.thaw(*self.bricks())
        # The bricks' own connections time out while they are frozen: give them a moment.
        time.sleep(0.5)
        if len(self.bricks()) < 3:
            self.command("volume", "start", "vol", "force")
        self.wait_for_bricks()


def fuse_daemons(directory):
    """The glusterfs client processes of a mount point."""
    return find_processes("glusterfs", "--process-name", str(directory))
