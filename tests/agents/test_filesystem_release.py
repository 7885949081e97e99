# SPDX-License-Identifier: GPL-3.0-or-later
"""Filesystem's stop says 0 only with the proof that the kernel has let go of the device."""

import os
import subprocess
from pathlib import Path

import pytest
from conftest import Agent, wait_until
from mount_env import Disk, FakeHelper, PrivateNamespace, mounted_on, run
from test_filesystem import (  # noqa: F401 (fixtures)
    GENERIC, NOT_RUNNING, STATE, SUCCESS, clean_table, disk, filesystem, made, other)
from test_filesystem_stop import hold, started


@pytest.fixture
def image(disk):
    """A file with a file system that no loop device is bound to."""
    path = Path("/srv/disks/image.img")
    run("cp", disk.image, path)
    yield path
    for loop in loops_of(path):
        subprocess.run(["losetup", "-d", loop], check=False)
    path.unlink(missing_ok=True)


def loops_of(path):
    return run("losetup", "--noheadings", "--output", "NAME", "--associated", path).split()


def loop_mount(image, **params):
    return filesystem(image, options="loop", **params)


def forget():
    for leftover in STATE.glob("*"):
        leftover.unlink()


def held(made, agent):
    """Another mount namespace keeps its copy of the mount."""
    made.append(PrivateNamespace("private"))
    for attempt in ("first", "second"):
        outcome = agent("stop", timeout_s=3)
        assert outcome.rc == GENERIC, attempt
        assert "still active" in outcome.reason
        assert f"sleep[{made[-1].pid}]" in outcome.reason
        assert outcome.seconds < 2.7
        assert mounted_on("/data/x") == []
    made.pop().remove()
    assert agent("stop").rc == SUCCESS
    assert list(STATE.glob("*")) == []


# --- images ---------------------------------------------------------------------------------------


def test_an_image_that_another_namespace_holds(made, image):
    agent = started(loop_mount(image))
    held(made, agent)
    assert loops_of(image) == []


def test_an_image_that_was_renamed(made, image):
    agent = started(loop_mount(image))
    renamed = image.rename(image.with_name("renamed.img"))
    try:
        held(made, agent)
    finally:
        renamed.unlink()


def test_an_image_that_was_removed(made, image):
    agent = started(loop_mount(image))
    image.unlink()
    held(made, agent)


def test_an_image_that_was_mounted_by_hand(made, image):
    agent = started(loop_mount(image))
    forget()
    held(made, agent)


def test_a_lazily_unmounted_image(made, image):
    agent = started(loop_mount(image))
    holder = hold(made, "file", "/data/x/log")
    run("umount", "-l", "/data/x")
    outcome = agent("stop", timeout_s=3)
    assert outcome.rc == GENERIC
    assert f"[{holder.process.pid}] (file" in outcome.reason and str(image) in outcome.reason
    holder.remove()
    assert agent("stop").rc == SUCCESS


def test_a_second_loop_device_of_the_image_that_is_in_use(made, image):
    """Whoever bound it: as long as a file system on it is active, the image is not free."""
    agent = started(loop_mount(image))
    assert agent("stop").rc == SUCCESS
    agent = started(loop_mount(image))
    run("umount", "/data/x")
    loop = run("losetup", "--find", "--show", image)
    made.append(PrivateNamespace("private"))
    run("nsenter", "--mount", "--root", f"--target={made[-1].pid}", "mount", loop, "/mnt")
    outcome = agent("stop", timeout_s=3)
    assert outcome.rc == GENERIC
    assert loop in outcome.reason and "mounted on /mnt" in outcome.reason
    made.pop().remove()
    assert agent("stop").rc == SUCCESS


def test_a_loop_device_that_stays_bound_but_free_is_released(image):
    agent = started(loop_mount(image))
    loop = run("losetup", "--find", "--show", image)
    assert agent("stop").rc == SUCCESS
    assert loops_of(image) == [loop]


def test_a_loop_device_of_another_image_is_none_of_ours(made, image):
    made.append(Disk("neighbour", megabytes=8))
    Path("/data/neighbour").mkdir(parents=True, exist_ok=True)
    run("mount", made[-1].path, "/data/neighbour")
    agent = started(loop_mount(image))
    assert agent("stop").rc == SUCCESS


# --- devices whose name is gone -------------------------------------------------------------------


def test_a_device_whose_link_is_gone(made, disk):
    link = Path("/dev/na-link")
    link.symlink_to(disk.path)
    agent = started(filesystem(link))
    link.unlink()
    held(made, agent)


def test_a_device_without_any_node(made, disk):
    node = Path("/dev/na-node")
    os.mknod(node, 0o60600, os.stat(disk.path).st_rdev)
    agent = started(filesystem(node))
    node.unlink()
    kept = Path(disk.path).rename("/dev/na-kept")
    try:
        held(made, agent)
    finally:
        kept.rename(disk.path)


def new_uuid(path):
    """tune2fs wants a file system that was checked after it was mounted last."""
    subprocess.run(["e2fsck", "-f", "-y", path], capture_output=True, check=False)
    run("tune2fs", "-U", "random", path)


def test_a_uuid_that_is_gone(made, disk):
    agent = started(filesystem(f"UUID={disk.uuid()}"))
    run("umount", "/data/x")
    new_uuid(disk.path)
    run("mount", disk.path, "/data/x")
    held(made, agent)


def test_a_device_that_left_the_node_is_released(disk):
    """Its number is the kernel's no more, and so nothing can be active on it."""
    link = Path("/dev/na-link")
    link.symlink_to(disk.path)
    agent = started(filesystem(link))
    run("umount", "/data/x")
    link.unlink()
    state = STATE / "Filesystem-test"
    number = os.stat(disk.path).st_rdev
    text = state.read_text()
    assert f"block {os.major(number)}:{os.minor(number)}\n" in text
    state.write_text(text.replace(f" {os.major(number)}:{os.minor(number)}\n", " 259:1048575\n"))
    assert agent("stop").rc == SUCCESS
    assert list(STATE.glob("*")) == []


def test_a_device_that_cannot_be_asked_is_no_success(disk):
    """Its node is gone and none can be made: that proves nothing."""
    link = Path("/dev/na-link")
    link.symlink_to(disk.path)
    agent = started(filesystem(link))
    run("umount", "/data/x")
    link.unlink()
    kept = Path(disk.path).rename("/dev/na-kept")
    run("mount", "-o", "remount,bind,ro", "/dev")
    try:
        outcome = agent("stop", timeout_s=6)
    finally:
        run("mount", "-o", "remount,bind,rw", "/dev")
        kept.rename(disk.path)
    assert outcome.rc == GENERIC
    assert "cannot be told" in outcome.reason and "Read-only file system" in outcome.reason
    assert agent("stop").rc == SUCCESS


def test_binds_go_first_though_the_link_is_gone(disk):
    link = Path("/dev/na-link")
    link.symlink_to(disk.path)
    agent = started(filesystem(link))
    Path("/data/x/part").mkdir()
    Path("/mnt/part").mkdir(exist_ok=True)
    run("mount", "--bind", "/data/x/part", "/mnt/part")
    link.unlink()
    assert agent("stop", timeout_s=10).rc == SUCCESS
    assert mounted_on("/mnt/part") == []


# --- numbers that the kernel has handed out again -------------------------------------------------


@pytest.fixture
def link():
    """Makes links to devices, as udev does."""
    links = []

    def lead(name, device):
        path = Path(f"/dev/na-test-{os.getpid()}-{name}")
        path.unlink(missing_ok=True)
        path.symlink_to(getattr(device, "path", device))
        links.append(path)
        return path

    yield lead
    for path in links:
        path.unlink(missing_ok=True)


def neighbour(device, **params):
    """Another resource."""
    return Agent("Filesystem", instance="neighbour", device=getattr(device, "path", device),
                 directory="/data/y", fstype="ext4", **params)


def copy(image, name="second.img"):
    path = image.with_name(name)
    run("cp", image, path)
    new_uuid(path)
    return path


def swap(one, two):
    """Each loop device's number is the other volume's now."""
    run("losetup", "-d", one.path)
    run("losetup", "-d", two.path)
    run("losetup", one.path, two.image)
    run("losetup", two.path, one.image)


def test_a_number_that_is_another_resources_disk_now(made, disk, link):
    path = link("a", disk)
    agent = started(filesystem(path))
    run("umount", "/data/x")
    path.unlink()
    run("losetup", "-d", disk.path)
    second = copy(disk.image)
    run("losetup", disk.path, second)
    other = started(neighbour(disk))
    holder = hold(made, "file", "/data/y/log")
    outcome = agent("stop", timeout_s=10)
    assert outcome.rc == SUCCESS, outcome
    assert holder.is_alive() and other("monitor").rc == SUCCESS
    second.unlink()


def test_a_number_that_is_another_resources_image_now(made, image):
    agent = started(loop_mount(image))
    loop = loops_of(image)[0]
    run("umount", "/data/x")
    second = copy(image)
    made.append(Bound(loop, second))
    other = started(neighbour(loop))
    holder = hold(made, "file", "/data/y/log")
    assert agent.probe().rc == NOT_RUNNING
    outcome = agent("stop", timeout_s=10)
    assert outcome.rc == SUCCESS, outcome
    assert started(agent)("stop", timeout_s=10).rc == SUCCESS
    assert holder.is_alive() and other("monitor").rc == SUCCESS


class Bound:
    """A file bound to a certain loop device."""

    def __init__(self, loop, path):
        self.loop, self.path = loop, path
        run("losetup", loop, path)

    def remove(self):
        for target in ("/data/y", "/data/x"):
            subprocess.run(["umount", target], check=False, capture_output=True)
        subprocess.run(["losetup", "-d", self.loop], check=False, capture_output=True)
        self.path.unlink()


def test_another_image_on_the_number_and_directory_is_not_ours(made, image):
    """Number, directory, type and source are as the state has them; the file is another."""
    agent = started(loop_mount(image))
    loop = loops_of(image)[0]
    run("umount", "/data/x")
    made.append(Bound(loop, copy(image)))
    run("mount", loop, "/data/x")
    assert agent.probe().rc == NOT_RUNNING
    assert agent("stop").rc == SUCCESS
    assert mounted_on("/data/x") == [loop]


@pytest.mark.parametrize("seen", ["monitor", "stop", "start"])
def test_numbers_that_were_swapped(made, disk, other, link, seen):
    """Both volumes were deactivated and activated again in the other order, and mounted by hand."""
    one, two = started(filesystem(link("a", disk))), started(neighbour(link("b", other)))
    run("umount", "/data/x")
    run("umount", "/data/y")
    swap(disk, other)
    run("mount", link("a", other), "/data/x")
    run("mount", link("b", disk), "/data/y")
    if seen != "stop":
        assert one(seen).rc == SUCCESS
        number = os.stat(other.path).st_rdev
        assert f"block {os.major(number)}:{os.minor(number)}\n" in (STATE / "Filesystem-test").read_text()
    outcome = one("stop", timeout_s=5)
    assert outcome.rc == SUCCESS, outcome
    assert two("monitor").rc == SUCCESS and two("stop").rc == SUCCESS


def test_a_lost_mount_whose_number_is_in_use(made, disk, other, link):
    agent = started(filesystem(link("a", disk)))
    run("umount", "/data/x")
    swap(disk, other)
    link("a", other)
    two = started(neighbour(disk))
    assert agent("monitor").rc == NOT_RUNNING
    assert agent("stop", timeout_s=5).rc == SUCCESS
    assert agent("start").rc == SUCCESS and agent("stop").rc == SUCCESS
    assert two("monitor").rc == SUCCESS


def test_without_a_sequence_a_number_alone_unmounts_nothing(made, disk, link):
    """As on a kernel that has none: the number may be another volume's."""
    path = link("a", disk)
    agent = started(filesystem(path))
    run("umount", "/data/x")
    path.unlink()
    state = STATE / "Filesystem-test"
    state.write_text("".join(line for line in state.read_text().splitlines(True)
                             if "identity" not in line))
    other = started(neighbour(disk))
    holder = hold(made, "file", "/data/y/log")
    outcome = agent("stop", timeout_s=3)
    assert outcome.rc == GENERIC and "still active" in outcome.reason
    assert holder.is_alive() and other("monitor").rc == SUCCESS
    holder.remove()
    assert other("stop").rc == SUCCESS and agent("stop").rc == SUCCESS


# --- names that lead elsewhere by now -------------------------------------------------------------


def test_a_link_to_an_image_that_leads_to_another(made, image):
    """Unmounted by hand, the link set to the new image, mounted by hand."""
    path = image.with_name("current.img")
    path.symlink_to(image)
    new = copy(image)
    agent = started(loop_mount(path))
    run("umount", "/data/x")
    path.unlink()
    path.symlink_to(new)
    made.append(Disk("blocker"))
    run("mount", "-o", "loop", path, "/data/x")
    try:
        assert agent("monitor").rc == SUCCESS and agent.probe().rc == SUCCESS
        assert agent("stop", timeout_s=5).rc == SUCCESS
        assert mounted_on("/data/x") == []
    finally:
        path.unlink()
        new.unlink()


def test_an_image_on_another_loop_device_that_was_renamed(made, image):
    agent = started(loop_mount(image))
    run("umount", "/data/x")
    made.append(Disk("blocker"))
    run("mount", "-o", "loop", image, "/data/x")
    renamed = image.rename(image.with_name("renamed.img"))
    try:
        assert agent("monitor").rc == SUCCESS
        assert agent("stop", timeout_s=5).rc == SUCCESS
        assert mounted_on("/data/x") == []
    finally:
        renamed.unlink()


def test_an_image_that_cannot_be_found_is_not_foreign(made, image):
    """Another file on the directory, and where the link leads cannot be told."""
    path = image.with_name("current.img")
    path.symlink_to(image)
    new = copy(image)
    agent = started(loop_mount(path))
    run("umount", "/data/x")
    path.unlink()
    run("mount", "-o", "loop", new, "/data/x")
    for action in ("monitor", "stop"):
        outcome = agent(action, timeout_s=5)
        assert outcome.rc == GENERIC and "cannot be told" in outcome.reason
    path.symlink_to(image)
    assert agent.probe().rc == NOT_RUNNING and agent("stop", timeout_s=5).rc == SUCCESS
    run("umount", "/data/x")
    path.unlink()
    new.unlink()


def test_an_image_by_another_name_in_a_container(made, image):
    """A hard link: the same file."""
    agent = started(loop_mount(image))
    run("umount", "/data/x")
    hard = image.with_name("hard.img")
    os.link(image, hard)
    made.append(Disk("blocker"))
    loop = run("losetup", "--find", "--show", hard)
    made.append(PrivateNamespace("private"))
    run("nsenter", "--mount", "--root", f"--target={made[-1].pid}", "mount", loop, "/mnt")
    try:
        outcome = agent("stop", timeout_s=4)
        assert outcome.rc == GENERIC and str(hard) in outcome.reason
        made.pop().remove()
        assert agent("stop").rc == SUCCESS
    finally:
        run("losetup", "-d", loop)
        hard.unlink()


def test_a_link_that_leads_to_a_snapshot_is_not_followed(made, disk, link):
    """A backup has mounted the snapshot; a by-uuid link goes to the volume that came last."""
    made.append(Disk("snapshot"))
    agent = started(filesystem(link("a", disk)))
    link("a", made[-1])
    Path("/data/backup").mkdir(parents=True, exist_ok=True)
    run("mount", made[-1].path, "/data/backup")
    holder = hold(made, "file", "/data/backup/log")
    assert agent("stop", timeout_s=10).rc == SUCCESS
    assert holder.is_alive() and mounted_on("/data/backup") and not mounted_on("/data/x")


def test_a_link_that_leads_to_a_snapshot_when_the_volume_has_left(made, disk, link):
    """Also then a backup's mount of the snapshot, and its users, are nobody's business."""
    made.append(Disk("snapshot"))
    agent = started(filesystem(link("a", disk)))
    run("umount", "/data/x")
    run("losetup", "-d", disk.path)
    link("a", made[-1])
    Path("/data/backup").mkdir(parents=True, exist_ok=True)
    run("mount", made[-1].path, "/data/backup")
    holder = hold(made, "file", "/data/backup/log")
    outcome = agent("stop", timeout_s=10)
    assert holder.is_alive() and mounted_on("/data/backup")
    assert outcome.rc == SUCCESS, outcome
    assert list(STATE.glob("*")) == []


def test_a_link_that_leads_to_a_device_in_use_is_not_asked(made, disk, link):
    made.append(Disk("snapshot"))
    snapshot = made[-1]
    agent = started(filesystem(link("a", disk)))
    link("a", snapshot)
    made.append(PrivateNamespace("private"))
    run("nsenter", "--mount", "--root", f"--target={made[-1].pid}", "sh", "-ec",
        f"umount /data/x; mount {snapshot.path} /mnt")
    assert agent("stop", timeout_s=5).rc == SUCCESS


def test_a_mount_by_hand_on_a_number_whose_node_is_gone(made, disk, other):
    """What this stop unmounts counts, whatever the state says."""
    node = Path(f"/dev/na-test-{os.getpid()}-node")
    os.mknod(node, 0o60600, os.stat(disk.path).st_rdev)
    agent = started(filesystem(node))
    run("umount", "/data/x")
    swap(disk, other)
    node.unlink()
    os.mknod(node, 0o60600, os.stat(other.path).st_rdev)
    run("mount", node, "/data/x")
    made.append(PrivateNamespace("private"))
    node.unlink()
    for _ in range(2):
        assert agent("stop", timeout_s=4).rc == GENERIC
    made.pop().remove()
    assert agent("stop").rc == SUCCESS


def test_only_the_configured_node_leads_to_the_device(disk):
    """As in a container: no other node is there, and none can be made."""
    node = Path(f"/dev/na-test-{os.getpid()}-node")
    os.mknod(node, 0o60600, os.stat(disk.path).st_rdev)
    agent = started(filesystem(node))
    kept = Path(disk.path).rename(f"/dev/na-test-{os.getpid()}-kept")
    run("mount", "-o", "remount,bind,ro", "/dev")
    try:
        outcome = agent("stop", timeout_s=5)
    finally:
        run("mount", "-o", "remount,bind,rw", "/dev")
        kept.rename(disk.path)
        node.unlink()
    assert outcome.rc == SUCCESS, outcome


# --- parameters that say something else than what is mounted --------------------------------------


@pytest.mark.parametrize("params", [{"options": "ro"}, {"fstype": "btrfs"}, {"fstype": "nfs"}],
                         ids=["read-only", "a sharing type", "a network type"])
def test_parameters_that_were_changed_excuse_nothing(made, disk, params):
    """What was mounted is what must be released."""
    started(filesystem(disk))
    held(made, filesystem(disk, **params))


def test_a_link_that_leads_to_a_directory_now(made, disk, link):
    agent = started(filesystem(link("a", disk)))
    link("a", Path("/srv/disks"))
    held(made, agent)


def test_a_state_of_a_type_that_needs_no_proof(made, disk):
    """A btrfs was unmounted, and an ext4 mounted in its place, by hand."""
    made.append(Disk("free", "btrfs", megabytes=320))
    started(filesystem(made[-1], fstype=""))
    run("umount", "/data/x")
    run("mount", disk.path, "/data/x")
    held(made, filesystem(disk, fstype=""))


def test_what_is_mounted_read_only_needs_no_proof(made, disk):
    agent = started(filesystem(disk, options="ro"))
    made.append(PrivateNamespace("private"))
    assert agent("stop", timeout_s=5).rc == SUCCESS


def test_a_state_of_a_device_makes_no_device_of_a_bind(made, disk):
    """The bind's file system is mounted elsewhere, too, and used: that is nobody's business."""
    started(filesystem(disk))
    run("umount", "/data/x")
    made.append(Disk("lower"))
    for directory in ("/data/lower", "/data/x"):
        Path(directory).mkdir(parents=True, exist_ok=True)
    run("mount", made[-1].path, "/data/lower")
    run("mount", "--bind", "/data/lower", "/data/x")
    holder = hold(made, "file", "/data/lower/log")
    assert filesystem("/data/lower", fstype="none", options="bind")("stop", timeout_s=5).rc == SUCCESS
    assert holder.is_alive() and mounted_on("/data/lower") and not mounted_on("/data/x")


# --- what monitor says of a file system that is not mounted here but active -----------------------


def test_a_probe_after_a_stop_that_failed(made, disk):
    agent = started(filesystem(disk))
    made.append(PrivateNamespace("private"))
    assert agent("stop", timeout_s=3).rc == GENERIC
    for outcome in (agent.probe(), agent("monitor")):
        assert outcome.rc == GENERIC
        assert "still active" in outcome.reason and f"sleep[{made[-1].pid}]" in outcome.reason
        assert outcome.seconds < 1
    made.pop().remove()
    wait_until(lambda: agent.probe().rc == NOT_RUNNING, 5, "it is released")
    assert agent("stop").rc == SUCCESS


def test_a_probe_after_a_lazy_unmount(made, disk):
    agent = started(filesystem(disk))
    holder = hold(made, "file", "/data/x/log")
    run("umount", "-l", "/data/x")
    assert f"[{holder.process.pid}]" in agent.probe().reason
    assert agent("monitor").rc == GENERIC
    holder.remove()
    wait_until(lambda: agent.probe().rc == NOT_RUNNING, 5, "it is released")
    assert agent("stop").rc == SUCCESS


def test_a_mount_of_our_own_namespace_is_called_that(disk):
    agent = started(filesystem(disk))
    Path("/mnt/bound").mkdir(exist_ok=True)
    run("mount", "--bind", "/data/x", "/mnt/bound")
    run("umount", "/data/x")
    outcome = agent("monitor")
    assert outcome.rc == GENERIC
    assert "the mount on /mnt/bound" in outcome.reason and "in whose" not in outcome.reason
    assert agent("stop").rc == SUCCESS
    assert mounted_on("/mnt/bound") == []


# --- nothing can be written down ------------------------------------------------------------------


@pytest.fixture
def full():
    """The state's file system has no room for another file."""
    STATE.mkdir(mode=0o700, exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", "nr_inodes=1,mode=700", "full", STATE)
    yield
    run("umount", STATE)


def test_a_mount_that_cannot_be_remembered_stays(made, disk, full):
    """By hand; were it gone, the next stop would know of nothing and say 0."""
    Path("/data/x").mkdir(parents=True, exist_ok=True)
    run("mount", disk.path, "/data/x")
    made.append(PrivateNamespace("private"))
    for _ in range(2):
        outcome = filesystem(disk)("stop", timeout_s=4)
        assert outcome.rc == GENERIC and "No space left on device" in outcome.reason
        assert mounted_on("/data/x") == [disk.path]


def test_a_bind_needs_no_memory_to_be_stopped(full):
    for directory in ("/data/x", "/srv/source"):
        Path(directory).mkdir(parents=True, exist_ok=True)
    run("mount", "--bind", "/srv/source", "/data/x")
    assert filesystem("/srv/source", fstype="none", options="bind")("stop").rc == SUCCESS
    assert mounted_on("/data/x") == []


# --- a start that failed after it had mounted -----------------------------------------------------

# Fails when it is too late, as mount.glusterfs does without a quorum; a container mounts it too.
TOO_LATE = """#!/bin/sh
mount -i -t ext4 "$1" "$2"
nsenter --mount --root --target=%d mount -i -t ext4 "$1" /mnt
exit 32
"""


def test_a_failed_start_whose_mount_lives_on_elsewhere(made, disk):
    made.append(PrivateNamespace("private"))
    made.append(FakeHelper("ext4", TOO_LATE % made[-1].pid))
    agent = filesystem(disk)
    assert agent("start").rc == GENERIC
    assert mounted_on("/data/x") == []
    made.pop().remove()
    for _ in range(2):
        outcome = agent("stop", timeout_s=3)
        assert outcome.rc == GENERIC and f"sleep[{made[-1].pid}]" in outcome.reason
    made.pop().remove()
    assert agent("stop").rc == SUCCESS
    assert list(STATE.glob("*")) == []


def test_a_useless_mount_that_a_failed_start_took_away(made, disk):
    """The kernel had made it read-only; start unmounts it, but a container keeps it so."""
    Path("/data/x").mkdir(parents=True, exist_ok=True)
    run("mount", disk.path, "/data/x")
    run("mount", "-o", "remount,ro", "/data/x")
    made.append(PrivateNamespace("private"))
    agent = filesystem(disk)
    assert agent("start", timeout_s=10).rc == GENERIC
    assert mounted_on("/data/x") == []
    for _ in range(2):
        outcome = agent("stop", timeout_s=3)
        assert outcome.rc == GENERIC and f"sleep[{made[-1].pid}]" in outcome.reason
    made.pop().remove()
    assert agent("stop").rc == SUCCESS
    assert list(STATE.glob("*")) == []


# --- types that need no proof ---------------------------------------------------------------------


def test_a_btrfs_without_a_type_that_was_mounted_by_hand(made):
    """It may be mounted elsewhere too: that is nobody's business."""
    made.append(Disk("free", "btrfs", megabytes=320))
    for target in ("/data/x", "/data/y"):
        Path(target).mkdir(parents=True, exist_ok=True)
        run("mount", made[-1].path, target)
    outcome = filesystem(made[-1], fstype="auto")("stop", timeout_s=4)
    assert outcome.rc == SUCCESS, outcome
    assert mounted_on("/data/x") == [] and mounted_on("/data/y") == [made[-1].path]
