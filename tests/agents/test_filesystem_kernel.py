# SPDX-License-Identifier: GPL-3.0-or-later
"""mount(2) and umount(2) that go on in the kernel when the action that called them is long over."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import Agent, wait_until
from mount_env import FakeHelper, SlowDisk, mounted_on, run
from test_filesystem import (  # noqa: F401 (fixtures)
    GENERIC, NOT_RUNNING, STATE, SUCCESS, clean_table, disk, filesystem, made)
from test_filesystem_stop import started

CHILDREN = STATE / "FsChildren-test"


@pytest.fixture
def slow(made):
    made.append(SlowDisk("slow"))
    return made[-1]


def stat_of(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["gone"]


def sleepers(name="Filesystem"):
    """The agents' processes, or others of a name, that wait where no signal reaches them."""
    return [int(entry.name) for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and stat_of(entry.name)[0] == "D"
            and name in (entry / "comm").read_text()]


def one_sleeper():
    return wait_until(sleepers, 5, "a process waits in the kernel")[0]


def is_free(path):
    return subprocess.run(["python3", "-c", f"import os; os.open({path!r}, os.O_EXCL)"],
                          capture_output=True, check=False).returncode == 0


def names(outcome, pid, disk):
    assert outcome.rc == GENERIC
    assert f"process {pid}" in outcome.reason and disk.path in outcome.reason, outcome.reason


def refused_everywhere(agent, pid, disk, what):
    """Nothing says "not running", nothing says "stopped", and no second mount(2) is begun."""
    for outcome in (agent("monitor"), agent.probe(), agent("monitor", device=None, directory=None)):
        assert outcome.rc == GENERIC
        assert f"{what} of" in outcome.reason and f"process {pid}" in outcome.reason
    for _ in range(2):
        outcome = agent("stop", timeout_s=3)
        names(outcome, pid, disk)
        assert outcome.seconds < 2.8
    names(agent("start", timeout_s=8), pid, disk)
    assert sleepers() == [pid]


def released(agent, disk):
    disk.answer()
    outcome = agent("stop")
    assert outcome.rc == SUCCESS, outcome
    assert sleepers() == [] and mounted_on("/data/x") == []
    assert is_free(disk.path)
    assert list(STATE.glob("*")) == []
    assert agent.probe().rc == NOT_RUNNING
    assert agent("start").rc == SUCCESS
    assert agent("monitor").rc == SUCCESS
    assert agent("stop").rc == SUCCESS


# --- mount(2) -------------------------------------------------------------------------------------


def test_a_start_that_timed_out_in_the_kernel(slow):
    agent = filesystem(slow)
    slow.stop_answering()
    outcome = agent("start", timeout_s=10)
    assert outcome.rc == GENERIC and "in time" in outcome.reason
    pid = one_sleeper()
    refused_everywhere(agent, pid, slow, "a mount")
    released(agent, slow)


def test_a_start_that_was_killed_in_the_kernel(slow):
    """With its supervisor, as Pacemaker does at the operation's timeout."""
    agent = filesystem(slow)
    slow.stop_answering()
    process = agent.start_process("start", timeout_s=60)
    pid = one_sleeper()
    process.kill()
    process.communicate()
    refused_everywhere(agent, pid, slow, "a mount")
    released(agent, slow)


def test_a_stop_waits_for_a_mount_that_comes(slow):
    agent = filesystem(slow)
    slow.stop_answering()
    process = agent.start_process("start", timeout_s=60)
    pid = one_sleeper()
    process.kill()
    process.communicate()
    stopping = agent.start_process("stop", timeout_s=30)
    time.sleep(1)
    assert stopping.poll() is None and sleepers() == [pid]
    slow.answer()
    _, err = stopping.communicate(timeout=10)
    assert stopping.returncode == SUCCESS, err
    assert mounted_on("/data/x") == [] and is_free(slow.path)


def test_a_start_waits_for_the_mount_before_it(slow):
    agent = filesystem(slow)
    slow.stop_answering()
    process = agent.start_process("start", timeout_s=60)
    one_sleeper()
    process.kill()
    process.communicate()
    again = agent.start_process("start", timeout_s=60)
    time.sleep(1)
    assert len(sleepers()) == 1
    slow.answer()
    _, err = again.communicate(timeout=20)
    assert again.returncode == SUCCESS, err
    assert mounted_on("/data/x") == [slow.path]
    assert not CHILDREN.exists()
    assert agent("stop").rc == SUCCESS


def test_a_mount_that_appears_after_the_timeout_is_unmounted(slow):
    """The process gets its answer before the stop asks: the mount is there though start failed."""
    agent = filesystem(slow)
    slow.stop_answering()
    process = agent.start_process("start", timeout_s=60)
    one_sleeper()
    process.kill()
    process.communicate()
    slow.answer()
    wait_until(lambda: mounted_on("/data/x"), 10, "the mount appears")
    wait_until(lambda: agent("monitor").rc == SUCCESS, 5, "it is the resource's own")
    assert agent("stop").rc == SUCCESS
    assert mounted_on("/data/x") == [] and is_free(slow.path)


def test_a_check_that_was_given_up(slow):
    """fsck of a start that timed out still has the device: it would write what it has begun to."""
    agent = filesystem(slow, run_fsck="force")
    slow.stop_answering()
    assert "fsck" in agent("start", timeout_s=8).reason
    # SIGKILL ends it between two requests, and then nothing of it is left to wait for.
    for _ in range(2):
        outcome = agent("stop", timeout_s=3)
        assert outcome.seconds < 2.8
        if outcome.rc == SUCCESS:
            assert sleepers("fsck") == []
        else:
            assert f"a check of {slow.path} " in outcome.reason, outcome.reason
            assert int(re.search(r"process (\d+)", outcome.reason)[1]) in sleepers("fsck")
    slow.answer()
    assert agent("stop").rc == SUCCESS
    assert list(STATE.glob("*")) == []


# As fsck.fat: it opens the device without a claim on it, and writes later.
CHECKER = """#!/bin/sh
for device; do :; done
exec 3<>"$device"
echo $$ >/tmp/checker.pid
sleep 600
"""


@pytest.mark.parametrize("kill", [False, True], ids=["timed out", "killed"])
def test_a_checker_without_a_claim_on_the_device(made, disk, kill):
    made.append(FakeHelper("ext4", CHECKER, program="fsck"))
    agent = filesystem(disk, run_fsck="force")
    note = Path("/tmp/checker.pid")
    note.unlink(missing_ok=True)
    if kill:
        process = agent.start_process("start", timeout_s=60)
        wait_until(lambda: note.exists() and note.read_text(), 5, "the checker runs")
        process.kill()
        process.communicate()
        for outcome in (agent.probe(), agent("monitor")):
            assert outcome.rc == GENERIC and f"a check of {disk.path} " in outcome.reason
    else:
        assert "fsck" in agent("start", timeout_s=8).reason
    pid = int(note.read_text())
    assert agent("stop").rc == SUCCESS
    assert stat_of(pid)[0] in ("gone", "Z")
    assert list(STATE.glob("*")) == []


# A helper as of a network file system: its daemon goes to a session of its own and mounts later.
LATE = """#!/bin/sh
setsid sh -c 'sleep 4; mount -t tmpfs late "$0"' "$2" &
sleep 600
"""


@pytest.mark.parametrize("kill", [False, True], ids=["timed out", "killed"])
def test_a_helper_whose_daemon_mounts_later(made, kill):
    made.append(FakeHelper("late", LATE))
    agent = filesystem("late", fstype="late")
    if kill:
        process = agent.start_process("start", timeout_s=60)
        wait_until(CHILDREN.exists, 5, "the helper runs")
        time.sleep(0.5)
        process.kill()
        process.communicate()
        outcome = agent.probe()
        assert outcome.rc == GENERIC and "a mount of" in outcome.reason
    else:
        assert agent("start", timeout_s=8).rc == GENERIC
    assert agent("stop").rc == SUCCESS
    time.sleep(4)
    assert mounted_on("/data/x") == []
    assert agent.probe().rc == NOT_RUNNING


# As mount.nfs with the option bg: the first attempt has failed, a daemon goes on.
BACKGROUND = """#!/bin/sh
setsid sh -c 'sleep 3; mount -t tmpfs late "$0"' "$2" </dev/null >/dev/null 2>&1 &
exit %d
"""


@pytest.mark.parametrize("status", [0, 32])
def test_a_helper_that_ends_before_its_daemon_mounts(made, status):
    made.append(FakeHelper("late", BACKGROUND % status))
    agent = filesystem("late", fstype="late")
    assert agent("start").rc == GENERIC
    assert agent("stop").rc == SUCCESS
    time.sleep(4)
    assert mounted_on("/data/x") == []
    assert agent.probe().rc == NOT_RUNNING


SERVED = """#!/bin/sh
mount -t tmpfs served "$2" || exit 32
setsid sleep 600 </dev/null >/dev/null 2>&1 &
echo $! >/tmp/served.pid
exit 0
"""


def test_a_daemon_that_serves_the_mount_stays(made):
    made.append(FakeHelper("served", SERVED))
    agent = filesystem("served", fstype="served")
    assert agent("start").rc == SUCCESS
    pid = int(Path("/tmp/served.pid").read_text())
    time.sleep(0.2)
    assert stat_of(pid)[0] == "S"
    assert not CHILDREN.exists()
    assert agent("stop").rc == SUCCESS
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_start_that_was_interrupted_with_a_daemon(made, end):
    made.append(FakeHelper("late", LATE))
    agent = filesystem("late", fstype="late")
    process = agent.start_process("start", timeout_s=60)
    wait_until(CHILDREN.exists, 5, "the helper runs")
    time.sleep(0.5)
    process.send_signal(end)
    process.communicate()
    assert agent("monitor").rc == GENERIC
    assert agent("stop").rc == SUCCESS
    time.sleep(4)
    assert mounted_on("/data/x") == []
    assert agent.probe().rc == NOT_RUNNING


# --- umount(2) ------------------------------------------------------------------------------------


def fill(slow):
    """Something to write back: the kernel takes the mount out of the table first."""
    Path("/data/x/data").write_bytes(b"x" * (8 << 20))
    slow.stop_answering_unflushed()


def test_an_unmount_that_still_writes_back(slow):
    agent = started(filesystem(slow))
    fill(slow)
    outcome = agent("stop", timeout_s=6)
    pid = one_sleeper()
    names(outcome, pid, slow)
    assert "an unmount of" in outcome.reason
    assert mounted_on("/data/x") == []
    refused_everywhere(agent, pid, slow, "an unmount")
    released(agent, slow)


def test_an_unmount_of_an_image_that_still_writes_back(slow):
    run("losetup", "-d", slow.path)
    agent = started(filesystem(slow.file, options="loop"))
    fill(slow)
    outcome = agent("stop", timeout_s=6)
    pid = one_sleeper()
    assert outcome.rc == GENERIC
    assert f"process {pid}" in outcome.reason and str(slow.file) in outcome.reason
    assert agent.probe().rc == GENERIC
    outcome = agent("stop", timeout_s=3)
    assert outcome.rc == GENERIC and f"process {pid}" in outcome.reason
    slow.answer()
    assert agent("stop").rc == SUCCESS
    assert sleepers() == [] and list(STATE.glob("*")) == []
    slow.path = run("losetup", "--find", "--show", slow.file)


def test_a_stop_that_was_killed_while_it_wrote_back(slow):
    agent = started(filesystem(slow))
    fill(slow)
    process = agent.start_process("stop", timeout_s=60)
    pid = one_sleeper()
    process.kill()
    process.communicate()
    refused_everywhere(agent, pid, slow, "an unmount")
    released(agent, slow)


def test_an_unmount_that_goes_on_when_nothing_else_is_known(slow):
    """The state was removed, and the parameters are missing."""
    agent = started(filesystem(slow))
    fill(slow)
    assert agent("stop", timeout_s=6).rc == GENERIC
    pid = one_sleeper()
    (STATE / "Filesystem-test").unlink()
    for _ in range(2):
        outcome = agent("stop", timeout_s=3, device=None, directory=None)
        assert outcome.rc == GENERIC and f"process {pid}" in outcome.reason
    slow.answer()
    assert agent("stop", device=None, directory=None).rc == SUCCESS
    assert sleepers() == [] and is_free(slow.path)
    assert list(STATE.glob("*")) == []


# --- what is written down -------------------------------------------------------------------------


def test_another_process_of_the_number_is_not_ours(disk):
    """Numbers are used again: a later process has another start time, and is let alone."""
    agent = started(filesystem(disk))
    sleeper = subprocess.Popen(["sleep", "600"])
    CHILDREN.write_text(f"mount {sleeper.pid} {sleeper.pid} 1\n")
    try:
        assert agent("monitor").rc == SUCCESS
        assert agent("stop").rc == SUCCESS
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()
    assert not CHILDREN.exists()


def test_a_service_of_the_number_is_not_ours(disk):
    """It leads a session, as services do, and its workers began later than what was written down."""
    agent = started(filesystem(disk))
    service = subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; wait"], start_new_session=True,
                               stdout=subprocess.PIPE, text=True)
    worker = int(service.stdout.readline())
    CHILDREN.write_text(f"mount {service.pid} {service.pid} 1\n")
    try:
        assert agent("monitor").rc == SUCCESS
        assert agent("stop").rc == SUCCESS
        assert stat_of(worker)[0] == "S"
    finally:
        os.killpg(service.pid, signal.SIGKILL)
        service.communicate()
    assert not CHILDREN.exists()


@pytest.mark.parametrize("text", ["", "rubbish\n", "mount 1 1 1\n", "mount -1 2 3\n", "mount 5 6\n"])
def test_a_damaged_note_is_no_success(disk, text):
    agent = filesystem(disk)
    STATE.mkdir(mode=0o700, exist_ok=True)
    CHILDREN.write_text(text)
    for action in ("monitor", "stop", "start"):
        outcome = agent(action)
        assert outcome.rc == GENERIC
        assert "cannot be told" in outcome.reason
    assert mounted_on("/data/x") == []


def test_two_ids_have_notes_of_their_own(slow, disk):
    agent = filesystem(slow)
    other = Agent("Filesystem", instance="test2", device=disk.path, directory="/data/y", fstype="ext4")
    slow.stop_answering()
    assert agent("start", timeout_s=8).rc == GENERIC
    one_sleeper()
    assert other("start").rc == SUCCESS
    assert other("monitor").rc == SUCCESS
    assert other("stop").rc == SUCCESS
    slow.answer()
    assert agent("stop").rc == SUCCESS


def test_a_start_that_failed_at_once_leaves_nothing(made, disk):
    run("dd", "if=/dev/zero", f"of={disk.path}", "bs=1M", "count=4", "oflag=direct")
    assert filesystem(disk)("start").rc == GENERIC
    assert list(STATE.glob("*")) == []
