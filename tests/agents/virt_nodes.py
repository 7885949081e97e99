# SPDX-License-Identifier: GPL-3.0-or-later
"""What the VirtualDomain tests share: two nodes with a real libvirtd, a guest, and the agent in them."""

import signal

import pytest
from conftest import wait_until
from virt_env import Guest, Node, NodeAgent, Pki, build_guest, disk, join

ADDRESSES = ("10.0.0.1", "10.0.0.2")
HOSTS = "127.0.0.1 localhost\n10.0.0.1 node1 node1-mig\n10.0.0.2 node2 node2-mig\n"
NOT_RUNNING, GENERIC, ARGS, INSTALLED, CONFIGURED = 7, 1, 2, 5, 6
TO_2 = {"migrate_source": "node1", "migrate_target": "node2"}
TO_1 = {"migrate_source": "node2", "migrate_target": "node1"}


@pytest.fixture(scope="session")
def boot(tmp_path_factory):
    directory = tmp_path_factory.mktemp("boot")
    build_guest(directory)
    return directory


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki") / "pki")


@pytest.fixture(scope="session")
def both(tmp_path_factory, pki):
    nodes = []
    for name, address in zip(("node1", "node2"), ADDRESSES):
        node = Node(name, tmp_path_factory.mktemp(name), HOSTS)
        pki.issue(name, address)
        pki.install(name, node.pki)
        node.start()
        nodes.append(node)
    join(*nodes, ADDRESSES)
    for node in nodes:
        node.start_daemon()
    yield nodes
    for node in nodes:
        node.end()


@pytest.fixture
def nodes(both):
    yield both
    for node in both:
        if node.daemon.poll() is not None:
            node.start_daemon()
        node.signal_daemon(signal.SIGCONT)
        node.end_guests()
        node.run("rm", "-rf", "/etc/libvirt/hooks/qemu", "/run/tried")


@pytest.fixture
def node(nodes):
    return nodes[0]


@pytest.fixture
def guest(tmp_path, boot):
    return Guest(tmp_path, boot)


def agent(node, guest, **params):
    return NodeAgent(node, **{"instance": "vm", "config": str(guest.config), **params})


def is_gone(node, name):
    """Neither libvirt nor the table of processes has it."""
    return node.state(name) in ("absent", "shut off") and node.qemu_pids(name) == []


def forget(node):
    """As after a guest was started by another agent."""
    node.run("rm", "-rf", "/run/native-agents")


def hook(node, script):
    path = node.directory / "etc/libvirt/hooks/qemu"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/bash\n{script}\nexit 0\n")
    path.chmod(0o755)
    # libvirtd looks for hooks when it starts.
    node.kill_daemon()
    node.start_daemon()


def agent_pids(node, action):
    """The agent's processes in the node, supervisor and worker."""
    found = []
    for word in node.run("ls", "/proc").stdout.split():
        if word.isdigit():
            words = node.run("cat", f"/proc/{word}/cmdline", check=False).stdout.split("\0")
            if len(words) >= 2 and words[0].endswith("native/VirtualDomain") and words[1] == action:
                found.append(int(word))
    return sorted(found)


def kill_agent(node, action, number="KILL"):
    pids = agent_pids(node, action)
    assert pids
    node.run("kill", f"-{number}", *(pids if number == "KILL" else pids[:1]), check=False)


@pytest.fixture
def exclusive(tmp_path, boot):
    """A guest whose disk is its own: QEMU locks the image. The guest and the image's path."""
    image = tmp_path / "disk.img"
    return Guest(tmp_path, boot, devices=disk(image).replace("<shareable/>", "")), image
