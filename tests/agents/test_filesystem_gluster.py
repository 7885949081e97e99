# SPDX-License-Identifier: GPL-3.0-or-later
"""Filesystem on GlusterFS: a real glusterd, three bricks, and what becomes of them.

The letters are those of faults that were found in the stock agent and reproduced.
"""

import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from conftest import Agent, wait_until
from gluster_env import PING_TIMEOUT_S, Gluster, fuse_daemons, is_alive
from mount_env import Holder, freeze, mounted_on, mounts, run

SUCCESS, GENERIC, CONFIGURED, NOT_RUNNING = 0, 1, 6, 7
DIRECTORY = "/datos/xendata"
DEEP = {"OCF_CHECK_LEVEL": "10"}
DEEPER = {"OCF_CHECK_LEVEL": "20"}


@pytest.fixture(scope="session")
def cluster():
    gluster = Gluster()
    gluster.up()
    return gluster


@pytest.fixture
def gluster(cluster):
    yield cluster
    cluster.restore()
    for entry in reversed(mounts()):
        if entry[2] == "fuse.glusterfs":
            for pid in fuse_daemons(entry[0]):
                os.kill(pid, signal.SIGKILL)
            subprocess.run(["umount", "-l", entry[0]], check=False)
    for leftover in Path("/run/native-agents").glob("*"):
        leftover.unlink()


class VolumeAgent(Agent):
    """The address sanitizer intercepts XDR functions, and finds the real ones only in a library that
    is there from the start; gfapi, which needs them, is loaded later."""

    def environment(self, **kwargs):
        result = super().environment(**kwargs)
        if "ASAN_OPTIONS" in result:
            result["ASAN_OPTIONS"] += ":verify_asan_link_order=0"
            result["LD_PRELOAD"] = "libtirpc.so.3"
        return result


def volume(device="localhost:/vol", directory=DIRECTORY, **params):
    return VolumeAgent("Filesystem", device=device, directory=directory, fstype="glusterfs", **params)


def started(agent):
    outcome = agent("start")
    assert outcome.rc == SUCCESS, outcome
    return agent


def daemon():
    pids = fuse_daemons(DIRECTORY)
    assert len(pids) == 1
    return pids[0]


# --- life cycle -----------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["localhost:/vol", "localhost:vol", "127.0.0.1,localhost:/vol"])
def test_life_of_a_volume(gluster, device):
    agent = volume(device)
    assert agent.probe().rc == NOT_RUNNING
    assert agent("stop").rc == SUCCESS
    outcome = agent("start")
    assert (outcome.rc, outcome.err) == (SUCCESS, "")
    pid = daemon()
    assert agent("start").rc == SUCCESS
    assert len(mounted_on(DIRECTORY)) == 1 and daemon() == pid
    for env in ({}, DEEP, DEEPER):
        outcome = agent("monitor", env=env)
        assert (outcome.rc, outcome.err) == (SUCCESS, "")
        assert outcome.seconds < 1
    outcome = agent("stop")
    assert (outcome.rc, outcome.err) == (SUCCESS, "")
    assert mounted_on(DIRECTORY) == []
    assert not is_alive(pid), "the client goes on writing"
    assert agent("monitor").rc == NOT_RUNNING


def test_a_directory_of_a_volume(gluster):
    whole = started(volume(directory="/datos/whole"))
    Path("/datos/whole/guests").mkdir(exist_ok=True)
    agent = started(volume("localhost:/vol/guests", instance="part"))
    assert mounted_on(DIRECTORY) == ["localhost:/vol/guests"]
    assert agent("monitor", env=DEEPER).rc == SUCCESS
    assert whole("monitor").rc == SUCCESS
    assert agent("stop").rc == SUCCESS
    assert whole("monitor").rc == SUCCESS, "each mount has a client of its own"
    assert whole("stop").rc == SUCCESS


def test_depth_10_writes_to_every_brick(gluster):
    agent = started(volume())
    assert agent("monitor", env=DEEP).rc == SUCCESS
    name = f".Filesystem_status/test_{os.uname().nodename}.gfapi"
    copies = [Path(f"/srv/bricks/vol{number}") / name for number in range(3)]
    first = [copy.read_text() for copy in copies]
    assert len(set(first)) == 1 and name[:-len(".gfapi")] in first[0]


def test_mount_options_reach_the_client(gluster):
    agent = started(volume(options="backup-volfile-servers=127.0.0.1:localhost,log-level=ERROR,_netdev"))
    words = Path(f"/proc/{daemon()}/cmdline").read_bytes().decode().split("\0")
    assert "--log-level=ERROR" in words and "--volfile-server=127.0.0.1" in words
    assert agent("stop").rc == SUCCESS


def test_a_read_only_volume_is_only_looked_at(gluster):
    agent = started(volume(options="ro"))
    assert agent("monitor", env=DEEP).rc == SUCCESS
    assert agent("stop").rc == SUCCESS


def test_a_volume_may_be_cloned(gluster):
    agent = volume()
    assert agent("start", meta={"clone_max": 3, "clone": 1}).rc == SUCCESS
    assert agent("stop", meta={"clone_max": 3, "clone": 1}).rc == SUCCESS


# --- k: the client ends ---------------------------------------------------------------------------


def test_k_the_client_is_dead(gluster):
    agent = started(volume())
    gluster.kill(daemon())
    for env in ({}, DEEP, DEEPER):
        outcome = agent("monitor", env=env)
        assert outcome.rc == GENERIC
        assert outcome.seconds < 1
        assert "dead" in outcome.reason and DIRECTORY in outcome.reason
    assert agent.probe().rc == GENERIC, "the mount is there: never 7"


def test_k_start_mounts_afresh_over_a_dead_client(gluster):
    agent = started(volume())
    gluster.kill(daemon())
    assert agent("start").rc == SUCCESS
    assert len(mounted_on(DIRECTORY)) == 1
    assert agent("monitor", env=DEEPER).rc == SUCCESS
    assert agent("stop").rc == SUCCESS


def test_k_stop_after_the_client_died_in_use(gluster):
    agent = started(volume())
    holder = Holder("file", f"{DIRECTORY}/log")
    try:
        gluster.kill(daemon())
        assert agent("stop").rc == SUCCESS
        assert holder.wait() == signal.SIGTERM
        assert mounted_on(DIRECTORY) == []
    finally:
        holder.remove()


def test_a_frozen_client(gluster):
    """Depth 0 cannot tell it from a volume that waits for a brick, at first."""
    agent = started(volume())
    pid = daemon()
    freeze(pid)
    outcome = agent("monitor")
    assert outcome.rc == SUCCESS
    assert outcome.seconds < 5
    assert "does not answer" in outcome.err
    # As if the silence had lasted: the moment it began is moved into the past.
    since = Path("/run/native-agents/FsSilence-test")
    since.write_text(str(int(since.read_text()) - 121_000))
    outcome = agent("monitor")
    assert outcome.rc == GENERIC
    assert "silent for 12" in outcome.reason
    deep = agent("monitor", env=DEEP, timeout_s=8)
    assert deep.rc == GENERIC
    assert "does not answer" in deep.reason and str(pid) in deep.reason
    stopped = agent("stop", timeout_s=30)
    assert stopped.rc == SUCCESS
    assert not is_alive(pid), "a frozen client would write when it thaws"
    assert not since.exists()


def test_a_frozen_client_in_use(gluster):
    agent = started(volume())
    pid = daemon()
    holder = Holder("cwd", DIRECTORY)
    freeze(pid)
    stuck = subprocess.Popen(["dd", "if=/dev/zero", f"of={DIRECTORY}/stuck", "bs=4k", "count=1"],
                             stderr=subprocess.DEVNULL)
    try:
        stopped = agent("stop", timeout_s=20)
        assert stopped.rc == SUCCESS
        assert stopped.seconds < 18
        assert holder.wait() == signal.SIGTERM
        assert stuck.wait(5) != 0
        assert not is_alive(pid)
        assert mounted_on(DIRECTORY) == []
    finally:
        holder.remove()


# --- l: the quorum --------------------------------------------------------------------------------


def test_one_brick_of_three_is_not_missed(gluster):
    agent = started(volume())
    gluster.kill(gluster.bricks()[0])
    assert agent("monitor").rc == SUCCESS
    assert agent("monitor", env=DEEPER).rc == SUCCESS
    assert agent("stop").rc == SUCCESS
    assert agent("start").rc == SUCCESS


def test_l_the_quorum_is_lost(gluster):
    agent = started(volume())
    gluster.kill(*gluster.bricks()[:2])
    wait_until(lambda: agent("monitor").rc != SUCCESS, 5, "depth 0 sees it")
    for env in ({}, DEEP, DEEPER):
        outcome = agent("monitor", env=env)
        assert outcome.rc == GENERIC
        assert "quorum" in outcome.reason
    assert agent("stop").rc == SUCCESS
    outcome = agent("start")
    assert outcome.rc == GENERIC
    assert "vol" in outcome.reason and "quorum" in outcome.reason
    assert outcome.seconds < 5
    assert mounted_on(DIRECTORY) == []


def test_the_quorum_comes_back(gluster):
    agent = started(volume())
    gluster.kill(*gluster.bricks()[:2])
    wait_until(lambda: agent("monitor").rc != SUCCESS, 5, "depth 0 sees it")
    gluster.restore()
    wait_until(lambda: agent("monitor", env=DEEPER).rc == SUCCESS, 20, "it works again")


# --- m: another volume ----------------------------------------------------------------------------


def test_m_another_volume_is_mounted_there(gluster):
    Path(DIRECTORY).mkdir(parents=True, exist_ok=True)
    run("mount", "-t", "glusterfs", "localhost:/other", DIRECTORY)
    agent = volume()
    outcome = agent("monitor")
    assert outcome.rc == NOT_RUNNING
    assert "localhost:/other" in outcome.reason
    outcome = agent("start")
    assert outcome.rc == GENERIC
    assert "localhost:/other" in outcome.reason
    assert agent("stop").rc == SUCCESS
    assert mounted_on(DIRECTORY) == ["localhost:/other"]


def test_the_same_volume_of_another_cluster_is_another_volume(gluster):
    Path(DIRECTORY).mkdir(parents=True, exist_ok=True)
    run("mount", "-t", "glusterfs", "127.0.0.1:/vol", DIRECTORY)
    assert volume("elsewhere:/vol")("monitor").rc == NOT_RUNNING
    assert volume("elsewhere,127.0.0.1:/vol")("monitor").rc == SUCCESS
    assert volume("elsewhere:/vol", options="backup-volfile-servers=127.0.0.1")("monitor").rc == SUCCESS


# --- n: frozen bricks -----------------------------------------------------------------------------


def test_n_stop_with_all_bricks_frozen(gluster):
    agent = started(volume())
    pid = daemon()
    gluster.freeze(*gluster.bricks())
    outcome = agent("stop", timeout_s=30)
    assert outcome.rc == SUCCESS
    assert outcome.seconds < 15
    assert mounted_on(DIRECTORY) == [] and not is_alive(pid)


def test_n_stop_with_all_bricks_frozen_and_a_writer_stuck(gluster):
    # A ping-timeout that does not end the wait by itself.
    gluster.command("volume", "set", "vol", "network.ping-timeout", "300")
    try:
        agent = started(volume())
        gluster.freeze(*gluster.bricks())
        stuck = subprocess.Popen(["dd", "if=/dev/zero", f"of={DIRECTORY}/stuck", "bs=4k", "count=1"],
                                 stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        outcome = agent("stop", timeout_s=20)
        assert outcome.rc == SUCCESS
        assert outcome.seconds < 18
        assert stuck.wait(5) != 0
        assert mounted_on(DIRECTORY) == []
    finally:
        gluster.restore()
        gluster.command("volume", "set", "vol", "network.ping-timeout", str(PING_TIMEOUT_S))


def test_depth_0_outlasts_a_brick_that_a_dead_node_takes_with_it(gluster):
    """For its ping-timeout the volume is silent, then it goes on: no reason to restart guests."""
    agent = started(volume())
    gluster.freeze(gluster.bricks()[0])
    outcome = agent("monitor")
    assert outcome.rc == SUCCESS
    assert outcome.seconds < 5
    assert "does not answer" in outcome.err
    wait_until(lambda: agent("monitor").err == "", 3 * PING_TIMEOUT_S, "the volume goes on")
    assert not Path("/run/native-agents/FsSilence-test").exists()
    assert agent("monitor", env=DEEPER).rc == SUCCESS


def test_start_with_all_bricks_frozen_ends_in_time(gluster):
    gluster.freeze(*gluster.bricks())
    outcome = volume()("start", timeout_s=10)
    assert outcome.rc == GENERIC
    assert outcome.seconds < 9
    assert "vol" in outcome.reason
    assert mounted_on(DIRECTORY) == [] and fuse_daemons(DIRECTORY) == []


# --- why a volume cannot be mounted ---------------------------------------------------------------


def test_an_unknown_volume(gluster):
    outcome = volume("localhost:/nosuch")("start")
    assert outcome.rc == GENERIC
    assert "localhost" in outcome.reason and "knows no volume 'nosuch'" in outcome.reason
    assert outcome.seconds < 2
    assert mounted_on(DIRECTORY) == [] and fuse_daemons(DIRECTORY) == []


def test_a_volume_that_is_not_started(gluster):
    outcome = volume("localhost:/idle")("start")
    assert outcome.rc == GENERIC
    assert "idle" in outcome.reason and "not started" in outcome.reason


def test_no_glusterd(gluster):
    gluster.kill(gluster.glusterd_pid())
    outcome = volume()("start")
    assert outcome.rc == GENERIC
    assert "localhost" in outcome.reason and "refused" in outcome.reason


def test_a_server_without_an_address(gluster):
    outcome = volume("nosuchhost.invalid:/vol")("start", timeout_s=30)
    assert outcome.rc == GENERIC
    assert "nosuchhost.invalid" in outcome.reason


def test_the_second_server_will_do(gluster):
    agent = volume("nosuchhost.invalid,localhost:/vol")
    outcome = agent("start")
    assert outcome.rc == SUCCESS
    assert mounted_on(DIRECTORY) == ["localhost:/vol"]
    assert agent("monitor", env=DEEPER).rc == SUCCESS
    assert agent("stop").rc == SUCCESS
    backup = volume("nosuchhost.invalid:/vol", options="backup-volfile-servers=localhost")
    assert backup("start").rc == SUCCESS
    assert backup("stop").rc == SUCCESS


def test_glusterd_hangs(gluster):
    freeze(gluster.glusterd_pid())
    outcome = volume()("start", timeout_s=20)
    assert outcome.rc == GENERIC
    assert outcome.seconds < 10
    assert "localhost: glusterd accepts connections but does not answer" in outcome.reason
    assert mounted_on(DIRECTORY) == [] and fuse_daemons(DIRECTORY) == []


def test_the_first_glusterd_hangs_and_the_second_is_good(gluster):
    """gfapi and mount.glusterfs wait for the first one for ever."""
    relay = SilentServer()
    try:
        agent = volume(f"{relay.address},localhost:/vol")
        outcome = agent("start", timeout_s=30)
        assert outcome.rc == SUCCESS, outcome
        assert relay.connections > 0
        assert mounted_on(DIRECTORY) == ["localhost:/vol"]
        assert agent("stop").rc == SUCCESS
    finally:
        relay.close()


class SilentServer:
    """Accepts on glusterd's port of an address of its own and never says a word, as the kernel does
    for a glusterd that SIGSTOP holds; two glusterds on one machine would need a second machine."""

    NAMESPACE = "silent"
    address = "10.99.0.2"

    PROGRAM = """
import socket, time
listener = socket.create_server(("10.99.0.2", 24007))
print("listening", flush=True)
kept = []
while True:
    kept.append(listener.accept())
    print("accepted", flush=True)
"""

    def __init__(self):
        run("ip", "netns", "add", self.NAMESPACE)
        run("ip", "link", "add", "na-silent", "type", "veth", "peer", "name", "eth0", "netns",
            self.NAMESPACE)
        run("ip", "address", "add", "10.99.0.1/24", "dev", "na-silent")
        run("ip", "link", "set", "na-silent", "up")
        run("ip", "-n", self.NAMESPACE, "address", "add", f"{self.address}/24", "dev", "eth0")
        run("ip", "-n", self.NAMESPACE, "link", "set", "eth0", "up")
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.NAMESPACE, "/usr/bin/python3", "-c", self.PROGRAM],
            stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "listening\n"
        self.connections = 0
        threading.Thread(target=self.count, daemon=True).start()

    def count(self):
        for _ in self.process.stdout:
            self.connections += 1

    def close(self):
        self.process.kill()
        self.process.wait(5)
        run("ip", "link", "delete", "na-silent")
        run("ip", "netns", "delete", self.NAMESPACE)


def test_a_glusterd_that_is_away_does_not_fail_a_mount_that_works(gluster):
    """A client needs glusterd to mount, not to go on."""
    agent = started(volume())
    gluster.kill(gluster.glusterd_pid())
    assert agent("monitor").rc == SUCCESS
    outcome = agent("monitor", env=DEEP)
    assert outcome.rc == SUCCESS
    assert "refused" in outcome.err and "works nevertheless" in outcome.err
    assert agent("stop").rc == SUCCESS


@pytest.mark.parametrize("device", ["vol", "localhost:", ":/vol", ",:/vol"])
def test_a_device_that_is_no_volume(device):
    for action in ("validate-all", "start"):
        outcome = volume(device)(action)
        assert outcome.rc == CONFIGURED
        assert "device" in outcome.reason and device in outcome.reason


# --- a directory below a mount that hangs ---------------------------------------------------------


def test_stop_below_a_directory_that_hangs_ends_in_time(gluster):
    outer = started(volume())
    Path(f"{DIRECTORY}/deep/x").mkdir(parents=True, exist_ok=True)
    inner = Agent("Filesystem", instance="inner", device="scratch", directory=f"{DIRECTORY}/deep/x",
                  fstype="tmpfs")
    started(inner)
    freeze(daemon())
    assert inner("monitor").rc == SUCCESS, "the mount table needs no file system"
    began = time.monotonic()
    outcome = inner("stop", timeout_s=10)
    assert time.monotonic() - began < 9.5
    # The kernel may or may not have the path's names in its cache.
    if outcome.rc != SUCCESS:
        assert f"{DIRECTORY}/deep/x" in outcome.reason
    os.kill(daemon(), signal.SIGCONT)
    assert inner("stop").rc == SUCCESS
    assert outer("stop").rc == SUCCESS


def test_the_hostname_resolves():
    """What these tests rest on."""
    assert socket.gethostbyname(socket.gethostname()).startswith("127.")
