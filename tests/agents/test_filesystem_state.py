# SPDX-License-Identifier: GPL-3.0-or-later
"""Filesystem's state: what start leaves for stop, when it is damaged, and when ids look alike."""

import os
import signal
from pathlib import Path

import pytest
from conftest import Agent
from mount_env import FakeHelper, mounted_on, run
from test_filesystem import (  # noqa: F401 (fixtures)
    GENERIC, NOT_RUNNING, STATE, SUCCESS, clean_table, disk, filesystem, made, other)


def state_of(instance="test"):
    return STATE / f"Filesystem-{instance}"


def silence_of(instance="test"):
    return STATE / f"FsSilence-{instance}"


# --- two ids, one the beginning of the other ------------------------------------------------------


def test_the_silence_of_a_is_not_the_state_of_a_silent(made, disk):
    """A FUSE mount that is asked while its daemon is stopped is silent."""
    made.append(FakeHelper("fuse.mute", MUTE))
    one = Agent("Filesystem", instance="a", device="mute", directory="/data/a", fstype="fuse.mute")
    two = Agent("Filesystem", instance="a-silent", device=disk.path, directory="/data/x", fstype="ext4")
    Path("/data/a").mkdir(parents=True, exist_ok=True)
    run("mount.fuse.mute", "mute", "/data/a")
    try:
        assert two("start").rc == SUCCESS
        before = state_of("a-silent").read_text()
        assert "does not answer" in one("monitor").err
        assert state_of("a-silent").read_text() == before
        assert silence_of("a").read_text().isdigit()
        # The end of the one does not take the other's memory: it stops without its parameters.
        assert one("stop", timeout_s=10).rc == SUCCESS
        assert state_of("a-silent").read_text() == before
        assert two("stop", device=None, directory=None).rc == SUCCESS
        assert mounted_on("/data/x") == []
    finally:
        os.kill(int(MUTE_PID.read_text()), signal.SIGKILL)


MUTE_PID = Path("/tmp/mute.pid")

# Mounts and stays in the background with the connection open, answering nothing.
MUTE = """#!/usr/bin/python3
import ctypes, os, sys, time
fd = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={fd},rootmode=40000,user_id=0,group_id=0".encode()
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(sys.argv[1].encode(), sys.argv[2].encode(), b"fuse.mute", 0, options) != 0:
    sys.exit(32)
pid = os.fork()
if pid != 0:
    open("/tmp/mute.pid", "w").write(str(pid))
else:
    os.setsid()
    for number in (0, 1, 2):
        os.close(number)
    time.sleep(600)
"""


@pytest.mark.parametrize("action,expected", [("stop", SUCCESS), ("monitor", NOT_RUNNING)])
def test_a_silence_file_of_the_first_release_is_no_state(disk, action, expected):
    """It had the name that is the state's of a resource a-silent."""
    STATE.mkdir(mode=0o700, exist_ok=True)
    state_of("a-silent").write_text("123456789")
    agent = Agent("Filesystem", instance="a-silent", device=disk.path, directory="/data/x", fstype="ext4")
    assert agent(action).rc == expected
    assert state_of("a-silent").read_text() == "123456789"
    assert agent("start").rc == SUCCESS
    assert "device" in state_of("a-silent").read_text()
    assert agent("stop").rc == SUCCESS


def test_the_longest_id(disk):
    """As long as the state's own name allows."""
    agent = Agent("Filesystem", instance="i" * 232, device=disk.path, directory="/data/x", fstype="ext4")
    for action in ("start", "monitor", "stop"):
        assert agent(action).rc == SUCCESS, action
    assert list(STATE.glob("*")) == []


# --- damage ---------------------------------------------------------------------------------------

DAMAGES = {
    "empty": lambda text: "",
    "cut": lambda text: text[:text.index("parameter")],
    "cut in the mount": lambda text: text[:text.index("root")],
    "no device number": lambda text: text.replace("devno ", "devno x"),
    "half a device number": lambda text: "devno 7\n".join(
        [text[:text.index("devno")], text[text.index("root"):]]),
    "not lines": lambda text: text + "rubbish\n",
    "binary": lambda text: text + "\0",
    "something else": lambda text: "-",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_state_is_no_success(disk, damage):
    agent = filesystem(disk)
    assert agent("start").rc == SUCCESS
    text = state_of().read_text()
    state_of().write_text(damage(text))
    assert agent("monitor").rc == SUCCESS, "what the mount table proves needs no state"
    run("umount", "/data/x")
    for action in ("monitor", "stop", "stop", "start"):
        outcome = agent(action)
        assert outcome.rc == GENERIC, action
        assert "cannot be told" in outcome.reason
    assert agent.probe().rc == GENERIC
    assert agent("stop", device=None, directory=None).rc == GENERIC
    state_of().unlink()
    assert agent("stop").rc == SUCCESS


def test_with_a_damaged_state_stop_unmounts_what_it_can(disk):
    agent = filesystem(disk)
    assert agent("start").rc == SUCCESS
    state_of().write_text("")
    assert agent("stop").rc == GENERIC
    assert mounted_on("/data/x") == []


def test_a_state_that_cannot_be_read_is_no_success(disk):
    agent = filesystem(disk)
    STATE.mkdir(mode=0o700, exist_ok=True)
    state_of().symlink_to("/etc/passwd")
    for action in ("monitor", "stop", "start"):
        outcome = agent(action)
        assert outcome.rc == GENERIC
        assert "state file" in outcome.reason


def test_a_key_of_a_later_version_is_no_damage(disk):
    agent = filesystem(disk)
    assert agent("start").rc == SUCCESS
    state_of().write_text(state_of().read_text() + "later thing\n")
    assert agent("monitor").rc == SUCCESS
    assert agent("stop", device=None).rc == SUCCESS
