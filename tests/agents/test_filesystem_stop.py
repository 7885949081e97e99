# SPDX-License-Identifier: GPL-3.0-or-later
"""Filesystem's stop: users of the file system, other mounts of it, and proof that it is gone."""

import os
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import Agent, wait_until
from mount_env import Disk, Holder, PrivateNamespace, freeze, mounted_on, mounts, run
from test_filesystem import (  # noqa: F401 (fixtures)
    GENERIC, NOT_RUNNING, STATE, SUCCESS, clean_table, disk, filesystem, made, other)


def started(agent):
    outcome = agent("start")
    assert outcome.rc == SUCCESS, outcome
    return agent


def hold(made, how, path, **kwargs):
    made.append(Holder(how, path, **kwargs))
    return made[-1]


# --- users ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how,path,word", [
    ("cwd", "/data/x", "working directory"),
    ("file", "/data/x/log", "file"),
    ("map", "/data/x/shared", "mapping"),
])
def test_a_user_is_asked_to_end(made, disk, how, path, word):
    agent = started(filesystem(disk))
    Path("/data/x/shared").write_bytes(b"x" * 4096)
    holder = hold(made, how, path)
    outcome = agent("stop")
    assert outcome.rc == SUCCESS
    assert outcome.seconds < 2
    assert holder.wait() == signal.SIGTERM
    assert f"[{holder.process.pid}]" in outcome.err and word in outcome.err
    assert mounted_on("/data/x") == []


def test_a_program_on_the_file_system_counts_as_a_user(made, disk):
    agent = started(filesystem(disk))
    run("cp", "/bin/sleep", "/data/x/sleep")
    sleeper = subprocess.Popen(["/data/x/sleep", "600"], cwd="/")
    outcome = agent("stop")
    assert outcome.rc == SUCCESS
    assert sleeper.wait(5) == -signal.SIGTERM


def test_a_user_that_does_not_listen_is_killed(made, disk):
    agent = started(filesystem(disk))
    holder = hold(made, "file", "/data/x/log", ignore_term=True)
    outcome = agent("stop", timeout_s=10)
    assert outcome.rc == SUCCESS
    # Half of the time is for TERM.
    assert 3 < outcome.seconds < 6
    assert holder.wait() == signal.SIGKILL


def test_fast_stop_takes_six_seconds_at_most(made, disk):
    agent = started(filesystem(disk, fast_stop="yes"))
    holder = hold(made, "file", "/data/x/log", ignore_term=True)
    outcome = agent("stop", timeout_s=60)
    assert outcome.rc == SUCCESS
    assert outcome.seconds < 5
    assert holder.wait() == signal.SIGKILL


def test_the_signals_can_be_chosen(made, disk):
    agent = started(filesystem(disk, term_signals="CONT SIGUSR1", kill_signals="9", signal_delay="0"))
    holder = hold(made, "cwd", "/data/x", ignore_term=True)
    assert agent("stop").rc == SUCCESS
    assert holder.wait() == signal.SIGUSR1


def test_force_unmount_false_signals_nobody(made, disk):
    agent = started(filesystem(disk, force_unmount="false"))
    holder = hold(made, "cwd", "/data/x")
    outcome = agent("stop", timeout_s=5)
    assert outcome.rc == GENERIC
    assert outcome.seconds < 4.6
    assert f"[{holder.process.pid}]" in outcome.reason and "force_unmount" in outcome.reason
    assert holder.is_alive()
    holder.remove()
    assert agent("stop").rc == SUCCESS


def test_a_user_that_leaves_is_waited_for(made, disk):
    agent = started(filesystem(disk, force_unmount="false"))
    leaver = subprocess.Popen(["sleep", "2"], cwd="/data/x")
    outcome = agent("stop")
    assert outcome.rc == SUCCESS
    assert outcome.seconds < 4
    assert leaver.wait(5) == 0


def test_an_ancestor_of_the_agent_is_never_signalled(disk):
    agent = started(filesystem(disk))
    # The shell that calls the agent stands in the mount, as an administrator's might.
    script = f"cd /data/x && {agent.path} stop; echo rc=$?"
    done = subprocess.run(["sh", "-c", script], env=agent.environment(timeout_s=5), cwd="/",
                          capture_output=True, text=True, check=True)
    assert "rc=1" in done.stdout
    assert "never signalled" in done.stderr
    assert agent("stop").rc == SUCCESS


def test_1304_a_bind_of_the_root_file_system(made):
    """Users of / are not users of a bind of it."""
    Path("/srv/source").mkdir(parents=True, exist_ok=True)
    agent = started(filesystem("/srv/source", fstype="none", options="bind"))
    on_the_root = hold(made, "file", "/srv/source/same")
    on_the_bind = hold(made, "file", "/data/x/same")
    assert agent("stop").rc == SUCCESS
    assert on_the_bind.wait() == signal.SIGTERM
    assert on_the_root.is_alive()


def test_1944_users_of_the_file_system_above_are_left_alone(made, disk, other):
    outer = Agent("Filesystem", instance="outer", device=other.path, directory="/data/outer", fstype="ext4")
    started(outer)
    agent = started(filesystem(disk, "/data/outer/x"))
    above = hold(made, "cwd", "/data/outer")
    inside = hold(made, "cwd", "/data/outer/x")
    assert agent("stop").rc == SUCCESS
    assert inside.wait() == signal.SIGTERM
    assert above.is_alive()
    assert outer("stop").rc == SUCCESS
    assert above.wait() == signal.SIGTERM


def test_a_user_in_another_mount_namespace(made, disk):
    """A container that got the mount by propagation keeps it busy."""
    run("mount", "--bind", "/srv", "/srv")
    run("mount", "--make-shared", "/srv")
    agent = started(filesystem(disk, "/srv/x"))
    made.append(PrivateNamespace("slave"))
    holder = hold(made, "cwd", "/srv/x", namespace=made[-1].pid)
    outcome = agent("stop")
    assert outcome.rc == SUCCESS
    assert holder.wait() == signal.SIGTERM


# --- the kernel -----------------------------------------------------------------------------------


def test_i_a_loop_device_is_named_and_not_hammered(made, disk):
    agent = started(filesystem(disk))
    with open("/data/x/inner.img", "wb") as image:
        image.truncate(1 << 20)
    loop = run("losetup", "--find", "--show", "/data/x/inner.img")
    try:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        outcome = agent("stop", timeout_s=8)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert outcome.rc == GENERIC
        assert loop in outcome.reason and "/data/x/inner.img" in outcome.reason
        assert 5 < outcome.seconds < 7.5
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        assert spent < 1, "it waits instead of trying without a pause"
    finally:
        run("losetup", "-d", loop)
    assert agent("stop").rc == SUCCESS


def test_i_a_swap_file_is_named(disk):
    agent = started(filesystem(disk))
    run("dd", "if=/dev/zero", "of=/data/x/swap", "bs=1M", "count=8")
    os.chmod("/data/x/swap", 0o600)
    run("mkswap", "/data/x/swap")
    run("swapon", "/data/x/swap")
    try:
        outcome = agent("stop", timeout_s=5)
    finally:
        run("swapoff", "/data/x/swap")
    assert outcome.rc == GENERIC
    assert "swap file /data/x/swap" in outcome.reason
    assert agent("stop").rc == SUCCESS


# --- other mounts of the same file system ---------------------------------------------------------


def test_mounts_inside_go_first(disk, other):
    agent = started(filesystem(disk))
    for directory in ("/data/x/a", "/data/x/a/b", "/data/x/c"):
        Path(directory).mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "inner", directory)
    run("mount", other.path, "/data/x/c")
    assert agent("stop").rc == SUCCESS
    assert [entry for entry in mounts() if entry[0].startswith("/data")] == []


def test_binds_of_the_disk_go_with_it(disk):
    """They would keep the file system alive on a device that another node is about to mount."""
    agent = started(filesystem(disk))
    Path("/data/x/part").mkdir()
    Path("/mnt/part").mkdir(exist_ok=True)
    run("mount", "--bind", "/data/x/part", "/mnt/part")
    assert agent("stop").rc == SUCCESS
    assert mounted_on("/mnt/part") == []


def test_a_mount_in_a_container_is_no_success(made, disk):
    agent = started(filesystem(disk))
    made.append(PrivateNamespace("private"))
    outcome = agent("stop", timeout_s=5)
    assert outcome.rc == GENERIC
    assert disk.path in outcome.reason and "another mount namespace" in outcome.reason
    assert mounted_on("/data/x") == []
    assert agent("stop", timeout_s=5).rc == GENERIC, "and it stays none"
    made.pop().remove()
    assert agent("stop").rc == SUCCESS


def test_a_lazy_unmount_by_somebody_else_is_no_success(made, disk):
    agent = started(filesystem(disk))
    holder = hold(made, "file", "/data/x/log")
    run("umount", "-l", "/data/x")
    outcome = agent("stop", timeout_s=5)
    assert outcome.rc == GENERIC
    assert "still active" in outcome.reason
    holder.remove()
    assert agent("stop").rc == SUCCESS


def test_nothing_is_left_behind_on_the_device(disk):
    agent = started(filesystem(disk))
    Path("/data/x/data").write_text("acknowledged")
    assert agent("stop").rc == SUCCESS
    assert "clean" in run("tune2fs", "-l", disk.path).split("Filesystem state:")[1].splitlines()[0]
    assert run("debugfs", "-R", "cat /data", disk.image) .endswith("acknowledged")


def test_1907_ten_stops_take_no_time(made):
    agents = []
    for number in range(10):
        made.append(Disk(f"many{number}", megabytes=8))
        agents.append(started(Agent("Filesystem", instance=f"many{number}", device=made[-1].path,
                                    directory=f"/data/many/{number}", fstype="ext4")))
    began = time.monotonic()
    assert [agent("stop").rc for agent in agents] == [SUCCESS] * 10
    assert time.monotonic() - began < 2


# --- move -----------------------------------------------------------------------------------------


def test_move_takes_the_mount_away_from_its_users(made, disk):
    agent = started(filesystem(disk, force_unmount="true,move"))
    holder = hold(made, "cwd", "/data/x", ignore_term=True)
    process = agent.start_process("stop", timeout_s=10)
    wait_until(lambda: mounted_on("/data/.x"), 3, "the mount is moved")
    assert mounted_on("/data/x") == []
    assert agent("monitor").rc == GENERIC, "neither running nor stopped"
    _, err = process.communicate(timeout=10)
    assert process.returncode == SUCCESS, err
    assert holder.wait() == signal.SIGKILL
    assert mounted_on("/data/.x") == [] and not Path("/data/.x").exists()


def test_move_goes_on_after_a_stop_that_was_killed(made, disk):
    agent = started(filesystem(disk, force_unmount="safe,move"))
    holder = hold(made, "cwd", "/data/x", ignore_term=True)
    process = agent.start_process("stop", timeout_s=20)
    wait_until(lambda: mounted_on("/data/.x"), 3, "the mount is moved")
    process.kill()
    process.communicate()
    holder.remove()
    outcome = agent("monitor")
    assert outcome.rc == GENERIC and "/data/.x" in outcome.reason
    assert agent("stop").rc == SUCCESS
    assert mounted_on("/data/.x") == []


def test_b_a_directory_of_the_moved_name_is_not_the_mount(disk):
    agent = started(filesystem(disk, force_unmount="safe,move"))
    Path("/data/.x").mkdir()
    try:
        assert agent("monitor").rc == SUCCESS
        assert agent("stop").rc == SUCCESS
        assert agent("monitor").rc == NOT_RUNNING
    finally:
        if Path("/data/.x").exists():
            Path("/data/.x").rmdir()


def test_move_below_a_shared_mount_stops_in_place(disk):
    run("mount", "--bind", "/srv", "/srv")
    run("mount", "--make-shared", "/srv")
    agent = started(filesystem(disk, "/srv/x", force_unmount="true,move"))
    outcome = agent("stop")
    assert outcome.rc == SUCCESS
    assert "shared" in outcome.err
    assert mounted_on("/srv/x") == []


# --- missing knowledge ----------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [
    {"device": None}, {"directory": None}, {"fstype": None},
    {"device": None, "directory": None, "fstype": None},
    {"device": "-U", "run_fsck": "?", "signal_delay": "x", "fast_stop": "y"},
])
def test_stop_works_without_parameters_it_remembers(disk, missing):
    agent = started(filesystem(disk))
    assert agent("monitor", **missing).rc == SUCCESS
    assert agent("stop", **missing).rc == SUCCESS
    assert mounted_on("/data/x") == []
    assert agent("monitor", **missing).rc == NOT_RUNNING
    assert agent("stop", **missing).rc == SUCCESS


def test_stop_without_a_device_proves_nothing(disk):
    agent = started(filesystem(disk))
    for leftover in STATE.glob("*"):
        leftover.unlink()
    outcome = agent("stop", device=None)
    assert outcome.rc == GENERIC
    assert mounted_on("/data/x") == [disk.path]
    assert agent("stop").rc == SUCCESS, "with it, no state is needed"


def test_stop_when_the_device_node_is_gone(made, disk):
    node = Path("/dev/na-vanishing")
    os.mknod(node, 0o60600, os.stat(disk.path).st_rdev)
    agent = started(filesystem(node))
    node.unlink()
    for leftover in STATE.glob("*"):
        leftover.unlink()
    assert agent("monitor").rc == SUCCESS
    assert agent("stop").rc == SUCCESS
    assert mounted_on("/data/x") == []


def test_a_stop_of_what_was_never_started_touches_nothing(made, disk):
    Path("/data/x").mkdir(parents=True, exist_ok=True)
    run("mount", disk.path, "/data/x")
    holder = hold(made, "cwd", "/data/x")
    stranger = Agent("Filesystem", instance="stranger", device="tmpfs", directory="/data/x", fstype="tmpfs")
    assert stranger("stop").rc == SUCCESS
    assert mounted_on("/data/x") == [disk.path]
    assert holder.is_alive()


def test_killed_in_the_middle_and_run_again(made, disk):
    agent = started(filesystem(disk))
    holder = hold(made, "cwd", "/data/x", ignore_term=True)
    process = agent.start_process("stop", timeout_s=30)
    time.sleep(1)
    process.kill()
    process.communicate()
    holder.remove()
    assert agent("stop").rc == SUCCESS
    assert agent("monitor").rc == NOT_RUNNING


def test_a_stopped_user_is_killed_all_the_same(made, disk):
    agent = started(filesystem(disk))
    holder = hold(made, "file", "/data/x/log")
    freeze(holder.process.pid)
    outcome = agent("stop", timeout_s=8)
    assert outcome.rc == SUCCESS
    assert holder.wait() == signal.SIGKILL
