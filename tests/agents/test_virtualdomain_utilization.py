# SPDX-License-Identifier: GPL-3.0-or-later
"""VirtualDomain keeps the resource's utilization attributes in a real cluster of one node."""

import signal
import subprocess
import time

import pytest
from conftest import wait_until
from virt_env import Guest, Node, NodeAgent, Pki, build_guest

COROSYNC_CONF = """\
totem {
    version: 2
    cluster_name: one
    transport: udpu
    crypto_cipher: none
    crypto_hash: none
}
nodelist {
    node {
        ring0_addr: 127.0.0.1
        nodeid: 1
        name: node1
    }
}
quorum {
    provider: corosync_votequorum
}
logging {
    to_logfile: yes
    logfile: /var/log/corosync.log
    to_syslog: no
}
"""
RESOURCES = ('<group id="g"><primitive id="vm" class="ocf" provider="native" type="VirtualDomain">'
             '<utilization id="u"><nvpair id="u-disk" name="disk" value="7"/></utilization>'
             '</primitive></group>')
SETUP = """\
mkdir -p /run/crm /var/lib/pacemaker/cib /var/lib/pacemaker/pengine /var/lib/pacemaker/cores
mkdir -p /var/log/pacemaker
chown -R hacluster:haclient /var/lib/pacemaker /run/crm
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    node = Node("node1", tmp_path_factory.mktemp("node1"))
    pki = Pki(tmp_path_factory.mktemp("pki") / "pki")
    pki.issue("node1", "127.0.0.1")
    pki.install("node1", node.pki)
    node.start()
    node.run("bash", "-c", f"cat > /etc/corosync/corosync.conf <<'E'\n{COROSYNC_CONF}E\n{SETUP}")
    daemons = []
    for command in (["corosync", "-f"], ["pacemakerd", "-f"]):
        daemons.append(subprocess.Popen(
            node.command("env", "PCMK_logfile=/var/log/pacemaker.log", *command),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        time.sleep(1)
    wait_until(lambda: node.run("cibadmin", "-Q", check=False).returncode == 0, 30, "the cluster")
    # Nothing is to be started: the cluster only holds the configuration.
    node.run("crm_attribute", "-n", "maintenance-mode", "-v", "true")
    node.run("cibadmin", "-C", "-o", "resources", "-X", RESOURCES)
    node.start_daemon()
    yield node
    node.end()
    for daemon in daemons:
        daemon.wait()


@pytest.fixture(scope="module")
def boot(tmp_path_factory):
    directory = tmp_path_factory.mktemp("boot")
    build_guest(directory)
    return directory


@pytest.fixture
def agent(node, boot, tmp_path):
    guest = Guest(tmp_path, boot)
    agent = NodeAgent(node, instance="vm", config=str(guest.config))
    assert agent("start").rc == 0
    yield agent
    node.end_guests()


def utilization(node):
    """The attributes of the resource, asked with Pacemaker's own tool."""
    found = {}
    for name in ("cpu", "host_memory", "hv_memory", "disk"):
        done = node.run("crm_resource", "-Q", "-r", "vm", "-z", "-g", name, check=False)
        if done.returncode == 0 and done.stdout.strip():
            found[name] = done.stdout.strip()
    return found


def epoch(node):
    return node.run("bash", "-c", "cibadmin -Q | grep -o ' epoch=\"[0-9]*\"' | head -1").stdout


GUEST = {"cpu": "1", "host_memory": "96", "hv_memory": "96", "disk": "7"}


def test_a_monitor_writes_what_the_guest_takes(node, agent):
    assert agent("monitor").rc == 0
    assert utilization(node) == GUEST


def test_a_second_monitor_writes_nothing(node, agent):
    assert agent("monitor").rc == 0
    before = epoch(node)
    assert agent("monitor").rc == 0
    assert epoch(node) == before


def test_each_attribute_can_be_left_alone_or_removed(node, agent):
    assert agent("monitor").rc == 0
    assert agent("monitor", autoset_utilization_cpu="false", unset_utilization_cpu="true",
                 autoset_utilization_host_memory="false").rc == 0
    assert utilization(node) == {name: GUEST[name] for name in ("host_memory", "hv_memory", "disk")}


def test_a_cib_manager_that_hangs_does_not_make_a_guest_ill(node, agent):
    pid = node.run("pidof", "pacemaker-based").stdout.strip()
    node.run("kill", f"-{signal.SIGSTOP.value}", pid)
    try:
        outcome = agent("monitor", autoset_utilization_hv_memory="false")
    finally:
        node.run("kill", f"-{signal.SIGCONT.value}", pid)
    assert outcome.rc == 0
    assert outcome.seconds < 10
    assert "the CIB manager does not answer" in outcome.err


def test_outside_a_cluster_nothing_is_said(node, agent):
    assert agent("stop").rc == 0
    stranger = {"OCF_RESOURCE_INSTANCE": "no-such-resource"}
    assert agent("start", env=stranger).rc == 0
    outcome = agent("monitor", env=stranger)
    assert (outcome.rc, outcome.err) == (0, "")


def test_what_is_cached_for_one_resource_is_no_state_of_another(node, agent, boot, tmp_path):
    """The resource `utilization-vm` beside `vm`."""
    assert agent("monitor").rc == 0, "which writes the cache of vm"
    (tmp_path / "other").mkdir()
    guest = Guest(tmp_path / "other", boot, name="other")
    other = NodeAgent(node, instance="utilization-vm", config=str(guest.config))
    assert other.probe().rc == 7
    assert other("start").rc == 0
    for vm in (agent, other, agent):
        assert vm("monitor").rc == 0
    assert agent("stop").rc == 0
    assert other("monitor").rc == 0 and other("stop").rc == 0
    assert node.qemu_pids("other") == []
