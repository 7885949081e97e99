# SPDX-License-Identifier: GPL-3.0-or-later
"""Filesystem on local file systems: life cycle, recognition of the own mount, parameters.

The letters are those of faults that were found in the stock agent and reproduced; the numbers with
a # are of its issue tracker.
"""

import os
import re
import subprocess
import threading
from pathlib import Path

import pytest
from conftest import Agent
from mount_env import Disk, FakeHelper, mounted_on, mounts, run

SUCCESS, GENERIC, ARGS, INSTALLED, CONFIGURED, NOT_RUNNING = 0, 1, 2, 5, 6, 7
STATE = Path("/run/native-agents")


@pytest.fixture
def made():
    """A list of things with a remove() that a test makes; removed in the reverse order."""
    things = []
    yield things
    for thing in reversed(things):
        thing.remove()


@pytest.fixture(autouse=True)
def clean_table():
    """No test leaves a mount behind for the next one."""
    before = len(mounts())
    yield
    for entry in reversed(mounts()[before:]):
        subprocess.run(["umount", "-l", entry[0]], check=False)
    for leftover in STATE.glob("*"):
        leftover.unlink()


@pytest.fixture
def disk(made):
    made.append(Disk("disk"))
    return made[-1]


@pytest.fixture
def other(made):
    made.append(Disk("other"))
    return made[-1]


def filesystem(device, directory="/data/x", fstype="ext4", **params):
    return Agent("Filesystem", device=getattr(device, "path", device), directory=directory,
                 fstype=fstype, **params)


def life_cycle(agent, directory, source=None):
    """Every action in its order, with what the mount table says in between."""
    assert agent.probe().rc == NOT_RUNNING
    assert agent("stop").rc == SUCCESS
    started = agent("start")
    assert (started.rc, started.err) == (SUCCESS, "")
    assert len(mounted_on(directory)) == 1
    if source:
        assert mounted_on(directory) == [source]
    assert agent("start").rc == SUCCESS
    assert len(mounted_on(directory)) == 1, "mounted twice"
    for level in ("0", "10", "20"):
        outcome = agent("monitor", env={"OCF_CHECK_LEVEL": level})
        assert (outcome.rc, outcome.err) == (SUCCESS, "")
    assert agent("status").rc == SUCCESS
    stopped = agent("stop")
    assert (stopped.rc, stopped.err) == (SUCCESS, "")
    assert mounted_on(directory) == []
    assert agent.probe().rc == NOT_RUNNING
    assert agent("stop").rc == SUCCESS
    assert list(STATE.glob("*")) == []


# --- life cycle, by type and by way of naming the device ------------------------------------------


@pytest.mark.parametrize("fstype", ["ext4", "xfs", "ext2", "btrfs"])
def test_life_of_a_disk(made, fstype):
    made.append(Disk("typed", fstype, megabytes=320))
    life_cycle(filesystem(made[0], fstype=fstype), "/data/x", made[0].path)


def test_life_of_a_tmpfs():
    life_cycle(filesystem("scratch", fstype="tmpfs", options="size=2m,mode=700"), "/data/x", "scratch")


def test_life_of_a_bind():
    Path("/srv/source").mkdir(parents=True, exist_ok=True)
    life_cycle(filesystem("/srv/source", fstype="none", options="bind"), "/data/x")


def test_life_of_an_image_by_a_loop_device(made, disk):
    image = Path("/srv/disks/loop.img")
    run("cp", disk.image, image)
    life_cycle(filesystem(image, options="loop"), "/data/x")
    assert str(image) not in run("losetup", "--list"), "the loop device is left over"


def test_life_without_a_type(disk):
    life_cycle(filesystem(disk, fstype=""), "/data/x", disk.path)
    life_cycle(filesystem(disk, fstype=None), "/data/x", disk.path)


@pytest.mark.parametrize("form", ["-U {0}", "-U{0}", "--uuid {0}", "--uuid={0}", "UUID={0}"])
def test_life_of_a_disk_by_uuid(disk, form):
    life_cycle(filesystem(form.format(disk.uuid())), "/data/x", disk.path)


@pytest.mark.parametrize("form", ["-L {0}", "-L{0}", "--label {0}", "--label={0}", "LABEL={0}"])
def test_life_of_a_disk_by_label(made, form):
    made.append(Disk("labelled", options=["-L", "na-disk-1"]))
    life_cycle(filesystem(form.format("na-disk-1")), "/data/x", made[0].path)


def test_a_link_to_a_device_is_the_device(disk):
    link = Path("/dev/na-link")
    link.symlink_to(disk.path)
    try:
        life_cycle(filesystem(link), "/data/x")
        run("mount", disk.path, "/data/x")
        assert filesystem(link)("monitor").rc == SUCCESS
        assert filesystem(link)("stop").rc == SUCCESS
    finally:
        link.unlink()


def test_options_reach_the_kernel(disk):
    agent = filesystem(disk, options="noatime,errors=remount-ro,nodev")
    assert agent("start").rc == SUCCESS
    entry = [entry for entry in mounts() if entry[0] == "/data/x"][0]
    assert {"noatime", "nodev"} <= set(entry[4])
    assert "errors=remount-ro" in entry[5]


def test_a_bind_can_be_read_only():
    Path("/srv/source").mkdir(parents=True, exist_ok=True)
    agent = filesystem("/srv/source", fstype="none", options="bind,ro")
    assert agent("start").rc == SUCCESS
    assert "ro" in [entry for entry in mounts() if entry[0] == "/data/x"][0][4]
    assert agent("monitor").rc == SUCCESS
    assert agent("stop").rc == SUCCESS


def test_slashes_at_the_end_of_the_directory_do_not_count(disk):
    life_cycle(filesystem(disk, "/data//x///"), "/data/x", disk.path)


def test_the_directory_is_made(disk):
    assert filesystem(disk, "/data/deep/er/x")("start").rc == SUCCESS
    assert mounted_on("/data/deep/er/x") == [disk.path]


def test_f_special_characters_in_the_directory(disk):
    for name in ("per%cent", "back\\slash", "sp ace", "t\tab", "new\nline", "a\\040b", "#hash", "ü"):
        life_cycle(filesystem(disk, f"/data/{name}"), f"/data/{name}", disk.path)


def test_e_a_dot_in_the_directory_is_a_dot(disk, other):
    Path("/data/aXb").mkdir(parents=True, exist_ok=True)
    run("mount", other.path, "/data/aXb")
    agent = filesystem(disk, "/data/a.b")
    assert agent.probe().rc == NOT_RUNNING
    life_cycle(agent, "/data/a.b", disk.path)
    assert mounted_on("/data/aXb") == [other.path]


def test_c_2041_a_device_name_that_starts_with_ours(disk, other):
    """Two nodes for the loop devices, one's name the beginning of the other's, as drbd5 and drbd55."""
    short, long = Path("/dev/na5"), Path("/dev/na5-data")
    for path, device in ((short, disk), (long, other)):
        os.mknod(path, 0o60600, os.stat(device.path).st_rdev)
    try:
        one, two = filesystem(short, "/data/one"), filesystem(long, "/data/two")
        assert two("start").rc == SUCCESS
        assert one.probe().rc == NOT_RUNNING
        assert one("start").rc == SUCCESS
        assert one("stop").rc == SUCCESS
        assert two("monitor").rc == SUCCESS
        assert mounted_on("/data/two") == [str(long)]
        assert two("stop").rc == SUCCESS
    finally:
        short.unlink()
        long.unlink()


def test_d_btrfs_subvolumes_are_told_apart(made):
    made.append(Disk("subvolumes", "btrfs", megabytes=320))
    device = made[0].path
    Path("/data/whole").mkdir(parents=True, exist_ok=True)
    run("mount", device, "/data/whole")
    run("btrfs", "subvolume", "create", "/data/whole/one")
    run("btrfs", "subvolume", "create", "/data/whole/two")
    run("umount", "/data/whole")
    one = filesystem(device, "/data/one", "btrfs", options="subvol=one")
    two = filesystem(device, "/data/two", "btrfs", options="subvol=/two")
    assert one("start").rc == SUCCESS
    assert two("start").rc == SUCCESS
    assert one("stop").rc == SUCCESS
    assert two("monitor").rc == SUCCESS
    # The other subvolume on our directory is not ours.
    run("mount", "-o", "subvol=two", device, "/data/one")
    assert one("monitor").rc == NOT_RUNNING
    assert one("start").rc == GENERIC
    assert one("stop").rc == SUCCESS
    assert len(mounted_on("/data/one")) == 1


def test_1204_a_symbolic_link_as_mount_point(disk):
    Path("/data/real").mkdir(parents=True, exist_ok=True)
    link = Path("/data/link")
    link.symlink_to("/data/real")
    try:
        agent = filesystem(disk, "/data/link")
        life_cycle(agent, "/data/real", disk.path)
        assert agent("start").rc == SUCCESS
        # Even when the link is gone, what start resolved is remembered.
        link.unlink()
        assert agent("monitor").rc == SUCCESS
        assert agent("stop").rc == SUCCESS
        assert mounted_on("/data/real") == []
    finally:
        link.unlink(missing_ok=True)


# --- foreign mounts -------------------------------------------------------------------------------


def test_a_start_refuses_a_directory_with_a_foreign_mount(disk, other):
    Path("/data/x").mkdir(parents=True, exist_ok=True)
    run("mount", other.path, "/data/x")
    agent = filesystem(disk)
    assert agent("monitor").rc == NOT_RUNNING
    started = agent("start")
    assert started.rc == GENERIC
    assert other.path in started.reason and disk.path in started.reason and "/data/x" in started.reason
    assert agent("stop").rc == SUCCESS
    assert mounted_on("/data/x") == [other.path]


@pytest.mark.parametrize("started_by_us", [True, False])
def test_a_our_mount_below_a_foreign_one(disk, other, started_by_us):
    agent = filesystem(disk)
    Path("/data/x").mkdir(parents=True, exist_ok=True)
    if started_by_us:
        assert agent("start").rc == SUCCESS
    else:
        run("mount", disk.path, "/data/x")
    run("mount", other.path, "/data/x")
    assert agent("monitor").rc == GENERIC
    assert other.path in agent("monitor").reason
    assert agent("start").rc == GENERIC
    stopped = agent("stop", timeout_s=10)
    assert stopped.rc == GENERIC
    assert other.path in stopped.reason
    assert mounted_on("/data/x") == [disk.path, other.path]
    run("umount", "/data/x")
    assert agent("stop").rc == SUCCESS
    assert mounted_on("/data/x") == []


def test_our_mount_hidden_with_its_parent_directory(disk, other):
    agent = filesystem(disk, "/data/parent/x")
    assert agent("start").rc == SUCCESS
    run("mount", other.path, "/data/parent")
    Path("/data/parent/x").mkdir()
    assert agent("monitor").rc == GENERIC
    stopped = agent("stop", timeout_s=10)
    assert stopped.rc == GENERIC and "hidden" in stopped.reason
    run("umount", "/data/parent")
    assert agent("stop").rc == SUCCESS


def test_a_directory_with_our_mount_twice_is_unmounted_twice():
    agent = filesystem("scratch", fstype="tmpfs")
    assert agent("start").rc == SUCCESS
    run("mount", "-t", "tmpfs", "scratch", "/data/x")
    assert mounted_on("/data/x") == ["scratch", "scratch"]
    assert agent("stop").rc == SUCCESS
    assert mounted_on("/data/x") == []


def test_h_a_foreign_disk_where_a_uuid_is_expected(disk, other):
    Path("/data/x").mkdir(parents=True, exist_ok=True)
    run("mount", other.path, "/data/x")
    agent = filesystem(f"-U {disk.uuid()}")
    assert agent("monitor").rc == NOT_RUNNING
    assert agent("stop").rc == SUCCESS
    assert mounted_on("/data/x") == [other.path]


def test_a_disk_that_cannot_be_found_is_no_proof(other):
    """Something is mounted, and whether it is ours nobody can tell: never 7, never a stop."""
    Path("/data/x").mkdir(parents=True, exist_ok=True)
    run("mount", other.path, "/data/x")
    agent = filesystem("-U 00000000-1111-2222-3333-444444444444")
    assert agent("monitor").rc == GENERIC
    assert agent("stop").rc == GENERIC
    assert "00000000-1111" in agent("stop").reason
    assert mounted_on("/data/x") == [other.path]


def test_another_directory_of_the_same_file_system_is_not_our_bind():
    for name in ("one", "two"):
        Path(f"/srv/{name}").mkdir(parents=True, exist_ok=True)
    Path("/data/x").mkdir(parents=True, exist_ok=True)
    run("mount", "--bind", "/srv/two", "/data/x")
    agent = filesystem("/srv/one", fstype="none", options="bind")
    assert agent("monitor").rc == NOT_RUNNING
    assert agent("start").rc == GENERIC
    assert agent("stop").rc == SUCCESS
    assert len(mounted_on("/data/x")) == 1


def test_a_bind_of_the_disk_is_not_the_disk(disk):
    Path("/data/x").mkdir(parents=True, exist_ok=True)
    Path("/data/whole").mkdir(parents=True, exist_ok=True)
    run("mount", disk.path, "/data/whole")
    Path("/data/whole/part").mkdir()
    run("mount", "--bind", "/data/whole/part", "/data/x")
    assert filesystem(disk)("monitor").rc == NOT_RUNNING


def test_mounts_inside_the_mount_point_are_not_hidden_by_a_start(disk, other):
    Path("/data/x/inner").mkdir(parents=True, exist_ok=True)
    run("mount", other.path, "/data/x/inner")
    started = filesystem(disk)("start")
    assert started.rc == GENERIC
    assert "/data/x/inner" in started.reason
    assert mounted_on("/data/x") == []


def test_a_device_that_is_mounted_elsewhere_is_refused_everywhere(disk):
    Path("/mnt/manual").mkdir(parents=True, exist_ok=True)
    run("mount", disk.path, "/mnt/manual")
    started = filesystem(disk)("start")
    assert started.rc == CONFIGURED, "another node would mount it a second time"
    assert "/mnt/manual" in started.reason
    assert mounted_on("/data/x") == []
    # With a disk for each node, the others need not suffer.
    assert filesystem(disk, force_clones="true")("start").rc == GENERIC
    # Nobody mounted it through the resource: a stop leaves it alone.
    assert filesystem(disk)("stop").rc == SUCCESS
    assert mounted_on("/mnt/manual") == [disk.path]


def test_a_second_mount_that_does_no_harm_is_allowed(made, disk):
    """What administrators do on purpose: a bind of a part, the whole read-only, btrfs."""
    whole = filesystem(disk, "/data/whole")
    assert whole("start").rc == SUCCESS
    Path("/data/whole/part").mkdir()
    bind = Agent("Filesystem", instance="bind", device="/data/whole/part", directory="/data/x",
                 fstype="none", options="bind")
    life_cycle_of_second(bind)
    assert whole("monitor").rc == SUCCESS
    assert whole("stop").rc == SUCCESS


def life_cycle_of_second(agent):
    assert agent("start").rc == SUCCESS
    assert agent("monitor").rc == SUCCESS
    assert agent("stop").rc == SUCCESS
    assert agent("monitor").rc == NOT_RUNNING


def test_stock_and_native_agent_see_each_others_mounts(disk):
    ours = filesystem(disk)
    stock = Agent("Filesystem", provider="heartbeat", device=disk.path, directory="/data/x", fstype="ext4")
    assert stock("start").rc == SUCCESS
    assert ours("monitor").rc == SUCCESS
    assert ours("start").rc == SUCCESS
    assert stock("monitor").rc == SUCCESS
    assert ours("stop").rc == SUCCESS
    assert stock("monitor").rc == NOT_RUNNING
    assert ours("start").rc == SUCCESS
    assert stock("stop").rc == SUCCESS
    assert ours("monitor").rc == NOT_RUNNING
    assert ours("stop").rc == SUCCESS


# --- monitor --------------------------------------------------------------------------------------


def test_j_the_kernel_made_it_read_only(disk):
    agent = filesystem(disk, options="errors=remount-ro")
    assert agent("start").rc == SUCCESS
    assert agent("monitor").rc == SUCCESS
    name = Path(disk.path).name
    Path(f"/sys/fs/ext4/{name}/trigger_fs_error").write_text("a test of the Filesystem agent")
    for level in ("0", "10", "20"):
        outcome = agent("monitor", env={"OCF_CHECK_LEVEL": level})
        assert outcome.rc == GENERIC
        assert "cannot be written to" in outcome.reason
    assert agent("start").rc == SUCCESS, "start mounts it afresh"
    assert agent("monitor").rc == SUCCESS


def test_j_xfs_has_shut_itself_down(made):
    made.append(Disk("xfs", "xfs", megabytes=320))
    agent = filesystem(made[0], fstype="xfs")
    assert agent("start").rc == SUCCESS
    assert agent("monitor").rc == SUCCESS
    run("xfs_io", "-x", "-c", "shutdown", "/data/x")
    outcome = agent("monitor")
    assert outcome.rc == GENERIC
    assert "/data/x does not work" in outcome.reason
    assert agent("start").rc == SUCCESS, "start mounts it afresh"
    assert agent("monitor").rc == SUCCESS


def test_read_only_on_request_is_fine(disk):
    agent = filesystem(disk, options="noatime,ro")
    assert agent("start").rc == SUCCESS
    assert agent("monitor").rc == SUCCESS
    assert agent("stop").rc == SUCCESS


def test_a_write_protected_device_is_not_mounted_read_only_in_silence(disk):
    path = run("losetup", "--find", "--show", "--read-only", disk.image)
    try:
        started = filesystem(path)("start")
        assert started.rc == GENERIC
        assert path in started.reason and "options=ro" in started.reason
        assert mounted_on("/data/x") == []
        readable = filesystem(path, options="ro")
        assert readable("start").rc == SUCCESS
        assert readable("stop").rc == SUCCESS
    finally:
        run("losetup", "-d", path)


def test_depth_10_reads_the_device(disk):
    agent = filesystem(disk)
    assert agent("start").rc == SUCCESS
    os.truncate(disk.image, 0)
    outcome = agent("monitor", env={"OCF_CHECK_LEVEL": "10"})
    assert outcome.rc == GENERIC
    assert disk.path in outcome.reason
    assert agent("monitor").rc == SUCCESS, "depth 0 does not touch the device"


def test_depth_20_writes_a_status_file_where_the_stock_agent_does(disk):
    agent = filesystem(disk)
    assert agent("start").rc == SUCCESS
    assert agent("monitor", env={"OCF_CHECK_LEVEL": "20"}).rc == SUCCESS
    file = Path(f"/data/x/.Filesystem_status/test_{os.uname().nodename}")
    first = file.read_bytes()
    assert agent("monitor", env={"OCF_CHECK_LEVEL": "20"}).rc == SUCCESS
    assert file.read_bytes() != first, "each time something new"
    assert agent("stop", env={"OCF_CHECK_LEVEL": "20"}).rc == SUCCESS
    assert agent("start").rc == SUCCESS
    assert not file.exists(), "a stop of depth 20 takes it away"
    custom = filesystem(disk, statusfile_prefix="here-")
    assert custom("monitor", env={"OCF_CHECK_LEVEL": "20"}).rc == SUCCESS
    assert Path(f"/data/x/here-test_{os.uname().nodename}").exists()


def test_depth_20_needs_to_write(disk):
    agent = filesystem(disk, options="ro")
    assert agent("start").rc == SUCCESS
    outcome = agent("monitor", env={"OCF_CHECK_LEVEL": "20"})
    assert outcome.rc == GENERIC
    assert "Read-only file system" in outcome.reason


def test_depth_20_does_not_follow_a_link_out_of_the_file_system(disk):
    agent = filesystem(disk, statusfile_prefix="s-")
    assert agent("start").rc == SUCCESS
    victim = Path("/srv/victim")
    victim.write_text("precious")
    Path(f"/data/x/s-test_{os.uname().nodename}").symlink_to(victim)
    assert agent("monitor", env={"OCF_CHECK_LEVEL": "20"}).rc == GENERIC
    assert victim.read_text() == "precious"


def test_depth_20_does_not_follow_a_linked_directory(disk):
    agent = filesystem(disk)
    assert agent("start").rc == SUCCESS
    Path("/srv/elsewhere").mkdir(exist_ok=True)
    Path("/data/x/.Filesystem_status").symlink_to("/srv/elsewhere")
    outcome = agent("monitor", env={"OCF_CHECK_LEVEL": "20"})
    assert outcome.rc == GENERIC
    assert ".Filesystem_status" in outcome.reason
    assert list(Path("/srv/elsewhere").iterdir()) == []


def test_2138_a_monitor_never_answers_configured(disk):
    agent = filesystem(disk)
    wrongs = ({"directory": "relative/path"}, {"directory": "/"}, {"device": "-U"}, {"device": ""})
    for wrong in wrongs:
        assert agent("monitor", **wrong).rc == NOT_RUNNING
        assert agent("stop", **wrong).rc == SUCCESS
    assert agent("start").rc == SUCCESS
    for wrong in wrongs:
        assert agent("monitor", **wrong).rc == SUCCESS, "what start remembered tells the truth"
    for level in ("5", "30"):
        outcome = agent("monitor", env={"OCF_CHECK_LEVEL": level})
        assert outcome.rc == GENERIC
        assert level in outcome.reason and "0, 10 and 20" in outcome.reason
    for wrong in ({"run_fsck": "maybe"}, {"signal_delay": "soon"}, {"fast_stop": "perhaps"}):
        assert agent("monitor", **wrong).rc == SUCCESS


def test_1337_monitors_while_other_mounts_come_and_go(disk):
    """The kernel's table is read in pieces: a mount must not be missed because others change."""
    directories = [Path(f"/data/many/{number}") for number in range(120)]
    for directory in directories:
        directory.mkdir(parents=True)
        run("mount", "-t", "tmpfs", "filler-with-a-long-name-to-fill-the-table", directory)
    agent = filesystem(disk)
    assert agent("start").rc == SUCCESS
    done = threading.Event()

    def storm():
        while not done.is_set():
            for directory in directories[::7]:
                subprocess.run(["umount", directory], check=False)
                subprocess.run(["mount", "-t", "tmpfs", "filler", directory], check=False)

    thread = threading.Thread(target=storm)
    thread.start()
    try:
        codes = [agent("monitor").rc for _ in range(100)]
    finally:
        done.set()
        thread.join()
    assert codes == [SUCCESS] * 100


# A sanitized build cannot look for leaks while it is traced.
NO_LEAK_CHECK = {"ASAN_OPTIONS": "detect_leaks=0"}


def test_depth_0_loads_neither_gfapi_nor_glib(disk):
    agent = filesystem(disk)
    assert agent("start").rc == SUCCESS
    done = subprocess.run(["strace", "-f", "-qq", "-e", "trace=openat", agent.path, "monitor"],
                          env=agent.environment(env=NO_LEAK_CHECK), capture_output=True, text=True,
                          check=True)
    libraries = set(re.findall(r'/(lib[a-z0-9_-]+)[^/"]*\.so[^"]*", [^=]*= \d', done.stderr))
    assert "libra-mount" in libraries and "libmount" in libraries
    assert not [name for name in libraries if "gfapi" in name or "gluster" in name or "glib" in name]


# --- start ----------------------------------------------------------------------------------------


def test_a_missing_device(tmp_path):
    agent = filesystem("/dev/na-nothing")
    assert agent.probe().rc == NOT_RUNNING
    started = agent("start")
    assert started.rc == INSTALLED
    assert "/dev/na-nothing" in started.reason
    assert agent("stop").rc == SUCCESS


def test_an_unknown_type(disk):
    started = filesystem(disk, fstype="nosuchfs")("start")
    assert started.rc == INSTALLED
    assert "nosuchfs" in started.reason
    assert list(STATE.glob("*")) == [], "what did not start is not remembered"


def test_a_device_without_a_file_system(made, disk):
    run("dd", "if=/dev/zero", f"of={disk.path}", "bs=1M", "count=4", "oflag=direct")
    started = filesystem(disk)("start")
    assert started.rc == GENERIC
    assert disk.path in started.reason and "superblock" in started.reason
    assert mounted_on("/data/x") == []


def corrupt(disk):
    """An inode table that fsck -p does not dare to repair: it ends with status 4."""
    run("debugfs", "-w", "-R", "set_inode_field <2> mode 0", disk.image)
    run("debugfs", "-w", "-R", "set_super_value state 2", disk.image)
    run("losetup", "-d", disk.path)
    disk.path = run("losetup", "--find", "--show", disk.image)


def test_fsck_is_run_when_forced_and_its_verdict_counts(disk):
    corrupt(disk)
    started = filesystem(disk, run_fsck="force")("start")
    assert started.rc == GENERIC
    assert "fsck" in started.reason and disk.path in started.reason
    assert mounted_on("/data/x") == []


def test_fsck_auto_is_for_file_systems_without_a_journal(made):
    made.append(Disk("old", "ext2"))
    corrupt(made[0])
    assert "fsck" in filesystem(made[0], fstype="ext2")("start").reason
    assert "fsck" not in filesystem(made[0], fstype="ext2", run_fsck="no")("start").reason


def test_a_mount_helper_that_lies(made):
    """mount.glusterfs of GlusterFS before 3.8 ended with status 0 though its client had failed."""
    made.append(FakeHelper("pretend", "#!/bin/sh\nexit 0\n"))
    started = filesystem("something:/x", fstype="pretend")("start")
    assert started.rc == GENERIC
    assert "nothing is mounted" in started.reason
    assert mounted_on("/data/x") == []


def test_a_mount_helper_that_fails_is_quoted(made):
    """mount.nfs4 says why on standard error, and ends with status 32."""
    made.append(FakeHelper("nfs4", "#!/bin/sh\necho 'mount.nfs4: access denied by server' >&2\nexit 32\n"))
    started = filesystem("server:/export", fstype="nfs4")("start")
    assert started.rc == GENERIC
    assert "server:/export" in started.reason and "access denied by server" in started.reason


def test_a_mount_helper_that_hangs_ends_before_the_timeout(made):
    """mount.nfs retries for two minutes in the foreground when the server does not answer."""
    made.append(FakeHelper("nfs", "#!/bin/sh\necho 'mount.nfs: trying server' >&2\n"
                                  "echo \"$@\" >/tmp/nfs-arguments\nsleep 600 &\nsleep 601\n"))
    started = filesystem("server:/export", fstype="nfs", options="vers=4.2,soft")("start", timeout_s=10)
    assert started.rc == GENERIC
    assert started.seconds < 9
    assert "server:/export" in started.reason and "trying server" in started.reason
    arguments = Path("/tmp/nfs-arguments").read_text()
    assert arguments.startswith("server:/export /data/x") and "vers=4.2,soft" in arguments
    left = subprocess.run(["pgrep", "-f", "^sleep 60[01]$"], capture_output=True, text=True, check=False)
    assert left.stdout == "", "the helper goes on"


def test_nfs_without_its_helper():
    assert not Path("/usr/sbin/mount.nfs").exists()
    started = filesystem("server:/export", fstype="nfs")("start")
    assert started.rc == INSTALLED
    assert "mount.nfs" in started.reason


# --- clones ---------------------------------------------------------------------------------------

CLONE = {"clone_max": 3, "clone": 0}


def test_a_clone_of_a_local_file_system_is_refused(disk):
    for options in ("", "ro"):
        started = filesystem(disk, options=options)("start", meta=CLONE)
        assert started.rc == CONFIGURED
        assert "ext4" in started.reason and "force_clones" in started.reason
        assert mounted_on("/data/x") == []


def test_force_clones_allows_it(disk):
    agent = filesystem(disk, force_clones="true")
    assert agent("start", meta=CLONE).rc == SUCCESS
    assert agent("stop", meta=CLONE).rc == SUCCESS


def test_g_errors_remount_ro_is_not_ro(made):
    made.append(Disk("old", "ext2"))
    refused = filesystem(made[0], fstype="ext2", options="errors=remount-ro")("start", meta=CLONE)
    assert refused.rc == CONFIGURED
    assert filesystem(made[0], fstype="ext2", options="noatime,ro")("start", meta=CLONE).rc == SUCCESS


def test_node_local_types_are_cloned_freely():
    agent = filesystem("scratch", fstype="tmpfs")
    assert agent("start", meta=CLONE).rc == SUCCESS
    assert agent("stop", meta=CLONE).rc == SUCCESS


# --- parameters -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name,value,allowed", [
    ("directory", "relative", "absolute"),
    ("directory", "/", "root file system"),
    ("directory", "", "directory"),
    ("device", "", "device"),
    ("device", "UUID=", "LABEL="),
    ("run_fsck", "sometimes", "force"),
    ("fast_stop", "perhaps", "fast_stop"),
    ("force_clones", "7", "force_clones"),
    ("force_unmount", "gently", "safe"),
    ("force_unmount", "true,shove", "nomove"),
    ("term_signals", "TERM WINK", "WINK"),
    ("kill_signals", "KILL 99", "99"),
    ("signal_delay", "-1", "signal_delay"),
    ("signal_delay", "1m", "signal_delay"),
])
def test_a_wrong_parameter_is_named_with_what_is_allowed(disk, name, value, allowed):
    agent = filesystem(disk, **{"directory": "/data/x", name: value}) if name != "device" \
        else filesystem(value)
    for action in ("validate-all", "start"):
        outcome = agent(action)
        assert outcome.rc == CONFIGURED, outcome
        assert name in outcome.reason and allowed in outcome.reason
        assert value == "" or value in outcome.reason
    assert mounted_on("/data/x") == []


@pytest.mark.parametrize("value", ["true", "safe", "false", "yes", "no", "1", "safe,move,noxargs,ps",
                                   "true,xargs,nops", "move", "ps,nops", "", ",,true"])
def test_every_stock_value_of_force_unmount_is_taken(disk, value):
    assert filesystem(disk, force_unmount=value)("validate-all").rc == SUCCESS


def test_validate_looks_at_the_node_only_when_asked():
    agent = filesystem("/dev/na-nothing")
    assert agent("validate-all").rc == SUCCESS
    assert agent("validate-all", env={"OCF_CHECK_LEVEL": "10"}).rc == INSTALLED
