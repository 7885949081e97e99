# SPDX-License-Identifier: GPL-3.0-or-later
"""ocf:native:VirtualDomain: a guest whose disk is on a real GlusterFS volume, and the lock of its image."""

import subprocess
import time

import pytest
from gluster_env import Gluster
from virt_env import Guest, Node, Pki, disk
from virt_nodes import GENERIC, agent, boot, is_gone  # noqa: F401


@pytest.fixture(scope="module")
def volume(tmp_path_factory):
    """The volume's name and where it is mounted; the node, made later, has the mount too."""
    gluster = Gluster()
    gluster.up()
    directory = tmp_path_factory.mktemp("volume")
    subprocess.run(["mount", "-t", "glusterfs", f"{gluster.host}:/vol", directory], check=True, timeout=60)
    return f"{gluster.host}:/vol", directory


@pytest.fixture(scope="module")
def node(volume, tmp_path_factory):
    node = Node("node1", tmp_path_factory.mktemp("node1"))
    pki = Pki(tmp_path_factory.mktemp("pki") / "pki")
    pki.issue("node1", "127.0.0.1")
    pki.install("node1", node.pki)
    node.start()
    node.start_daemon()
    yield node
    node.end()


def test_a_lock_on_a_volume_is_waited_for_and_its_options_are_named(node, volume, tmp_path, boot):
    """Another client's lock on the same image, which the bricks hold as they hold that of a dead one."""
    source, directory = volume
    image = directory / "guest.img"
    guest = Guest(tmp_path, boot, devices=disk(image).replace("<shareable/>", ""))
    vm = agent(node, guest)
    assert vm("start").rc == 0 and vm("stop", force_stop="1").rc == 0, "it starts when nobody has the lock"
    holder = subprocess.Popen(["qemu-io", "-f", "raw", "-c", "sleep 60000", image], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(2)
        start = vm("start", timeout_s=20)
        assert start.rc == GENERIC and 8 < start.seconds < 16
        assert '"write" lock' in start.reason and str(image) in start.reason and "still so after" in start.reason
        assert source in start.reason and "server.tcp-user-timeout" in start.reason
        process = vm.start_process("start", timeout_s=60)
        time.sleep(5)
        assert process.poll() is None
    finally:
        holder.kill()
        holder.wait()
    _, err = process.communicate()
    assert process.returncode == 0 and source in err and "has the lock after" in err
    assert vm("stop", force_stop="1").rc == 0 and is_gone(node, guest.name)
