# SPDX-License-Identifier: GPL-3.0-or-later
"""ocf:native:VirtualDomain: live migration between two nodes.

A test named test_fault_... holds a fault of the stock agent that must not come back.
"""

import re
import signal
import time

import pytest
from conftest import wait_until
from virt_env import Guest, Pki, disk
from virt_nodes import (  # noqa: F401
    ADDRESSES, GENERIC, NOT_RUNNING, TO_1, TO_2, agent, boot, both, exclusive, guest, is_gone, kill_agent,
    node, nodes, pki
)


# --- migration -----------------------------------------------------------------------------------


def slow(nodes, vm, **kwargs):
    """A migration that takes minutes, under way, as a process."""
    process = vm.start_process("migrate_to", meta=TO_2, migration_speed="1", **kwargs)
    wait_until(lambda: re.search(r"Memory processed: +[1-9]", nodes[0].run(
        "virsh", "-c", "qemu:///system", "domjobinfo", "guest1", check=False).stdout),
               20, "memory is being sent")
    wait_until(lambda: nodes[1].state("guest1") == "paused", 20, "the target waits for it")
    return process


def assert_stayed(nodes, name="guest1"):
    assert nodes[0].state(name) == "running"
    assert is_gone(nodes[1], name)
    assert "None" in nodes[0].virsh("domjobinfo", name)


@pytest.fixture
def pair(nodes, guest):
    """A started guest, and the agent at both ends."""
    agents = [agent(node, guest, migration_transport="tls") for node in nodes]
    assert agents[0]("start").rc == 0
    guest.wait_up()
    return agents


def test_migration_there_and_back(nodes, guest, pair):
    one, two = pair
    assert one("migrate_to", meta=TO_2).rc == 0
    assert two("migrate_from", meta=TO_2).rc == 0
    assert one("stop").rc == 0
    assert nodes[1].state(guest.name) == "running" and is_gone(nodes[0], guest.name)
    assert two("monitor").rc == 0 and one("monitor").rc == NOT_RUNNING
    options = {"migration_network_suffix": "-mig", "migrateport": "49170", "migration_downtime": "250",
               "migration_user": "some_user", "migration_transport": "tls"}
    assert two("migrate_to", meta=TO_1, **options).rc == 0
    assert one("migrate_from", meta=TO_1).rc == 0
    assert two("stop").rc == 0
    assert nodes[0].state(guest.name) == "running" and is_gone(nodes[1], guest.name)


def test_fault_11_the_configuration_is_not_needed_on_the_target(nodes, guest, pair):
    one, two = pair
    assert one("migrate_to", meta=TO_2).rc == 0
    guest.config.unlink()
    assert two("migrate_from", meta=TO_2, config="/nowhere/guest1.xml").rc == 0
    assert two("monitor").rc == 0
    assert one("stop").rc == 0 and nodes[1].state(guest.name) == "running"
    assert two("stop").rc == 0 and is_gone(nodes[1], guest.name)


def test_migrate_from_without_a_guest_fails(nodes, guest):
    outcome = agent(nodes[1], guest)("migrate_from", meta=TO_2)
    assert outcome.rc == GENERIC and guest.name in outcome.reason


def test_fault_04_and_17_downtime_is_set_and_the_data_stream_is_encrypted(nodes, pair):
    process = slow(nodes, pair[0], migration_downtime="321")
    assert "321" in nodes[0].virsh("migrate-getmaxdowntime", "guest1")
    used = nodes[0].virsh("qemu-monitor-command", "--hmp", "guest1", "info migrate_parameters")
    assert re.search(r"tls-creds: '\w+'", used), used
    assert "downtime-limit: 321 " in used
    kill_agent(nodes[0], "migrate_to", "TERM")
    process.communicate()


def test_fault_17_a_data_stream_that_cannot_be_encrypted_is_not_sent(nodes, pki, pair):
    """QEMU's certificate on the target is of an authority that nobody here trusts."""
    other = Pki(pki.directory.parent / f"other{time.monotonic_ns()}")
    other.issue("node2", ADDRESSES[1])
    (nodes[1].pki / "qemu/server-cert.pem").write_bytes((other.directory / "node2.crt").read_bytes())
    (nodes[1].pki / "qemu/server-key.pem").write_bytes((other.directory / "node2.key").read_bytes())
    try:
        outcome = pair[0]("migrate_to", meta=TO_2)
        assert outcome.rc == GENERIC and "certificate" in outcome.reason.lower()
        assert_stayed(nodes)
    finally:
        pki.install("node2", nodes[1].pki)


def test_a_target_with_a_wrong_certificate_is_refused(nodes, pki, pair):
    other = Pki(pki.directory.parent / f"other{time.monotonic_ns()}")
    other.issue("node2", ADDRESSES[1])
    try:
        for name, suffix in (("servercert.pem", "crt"), ("private/serverkey.pem", "key")):
            source = other.directory / f"node2.{suffix}"
            (nodes[1].pki / "libvirt" / name).write_bytes(source.read_bytes())
        nodes[1].kill_daemon()
        # libvirtd checks its certificate against its own authority when it starts.
        (nodes[1].pki / "CA/cacert.pem").write_bytes((other.directory / "ca.crt").read_bytes())
        nodes[1].start_daemon()
        outcome = pair[0]("migrate_to", meta=TO_2)
        assert outcome.rc == GENERIC and "certificate" in outcome.reason and "node2" in outcome.reason
        assert_stayed(nodes)
    finally:
        pki.install("node2", nodes[1].pki)
        nodes[1].kill_daemon()
        nodes[1].start_daemon()


def test_a_target_that_is_down_or_hangs_is_named(nodes, pair):
    nodes[1].kill_daemon()
    outcome = pair[0]("migrate_to", meta=TO_2, timeout_s=20)
    assert outcome.rc == GENERIC and outcome.seconds < 10 and "qemu+tls://node2/system" in outcome.reason
    nodes[1].start_daemon()
    nodes[1].signal_daemon(signal.SIGSTOP)
    outcome = pair[0]("migrate_to", meta=TO_2, timeout_s=8)
    nodes[1].signal_daemon(signal.SIGCONT)
    assert outcome.rc == GENERIC and "timed out while connecting" in outcome.reason
    assert_stayed(nodes)


def test_fault_10_a_migration_that_its_target_abandons_leaves_nothing(nodes, pair):
    process = slow(nodes, pair[0], timeout_s=60)
    nodes[1].kill_daemon()
    nodes[1].start_daemon()
    err = process.communicate()[1]
    assert process.returncode == GENERIC and "guest1 did not move to node node2" in err
    assert_stayed(nodes)


def test_fault_10_a_cancelled_migration_leaves_nothing(nodes, pair):
    process = slow(nodes, pair[0])
    began = time.monotonic()
    kill_agent(nodes[0], "migrate_to", "TERM")
    err = process.communicate()[1]
    assert time.monotonic() - began < 5.5
    assert re.search("the migration was (cancelled|given up)", err)
    assert_stayed(nodes)


def test_a_migration_out_of_time_is_cancelled_and_says_how_far_it_came(nodes, pair):
    outcome = pair[0]("migrate_to", meta=TO_2, migration_speed="1", timeout_s=20)
    assert outcome.rc == GENERIC and "of 96 MiB of memory were still to be sent" in outcome.reason
    assert_stayed(nodes)


def test_stop_ends_a_migration_whose_agent_was_killed(nodes, pair):
    process = slow(nodes, pair[0])
    kill_agent(nodes[0], "migrate_to")
    process.communicate()
    assert pair[1].probe().rc == GENERIC, "a guest on its way does not run here"
    assert pair[0]("stop").rc == 0 and is_gone(nodes[0], "guest1")
    wait_until(lambda: is_gone(nodes[1], "guest1"), 10, "nothing is left on the target")


def test_what_a_failed_migration_left_on_the_target_is_removed(nodes, pair, guest):
    """A transient domain waiting for a stream, as after the source's daemon died in mid-migration."""
    process = slow(nodes, pair[0])
    kill_agent(nodes[0], "migrate_to")
    process.communicate()
    nodes[0].kill_daemon()
    nodes[0].start_daemon()
    wait_until(lambda: nodes[0].state(guest.name) == "running", 20, "the source goes on")
    outcome = pair[0]("migrate_to", meta=TO_2)
    assert outcome.rc == 0, outcome.reason
    assert nodes[1].state(guest.name) == "running" and is_gone(nodes[0], guest.name)


def test_fault_11_a_guest_that_is_on_the_target_too_is_not_migrated(nodes, pair, guest):
    nodes[1].virsh("create", guest.config)
    outcome = pair[0]("migrate_to", meta=TO_2)
    assert outcome.rc == GENERIC and "node2" in outcome.reason
    assert nodes[0].state(guest.name) == "running" and nodes[1].state(guest.name) == "running"


@pytest.mark.parametrize("part", ["disk", "console"])
def test_what_the_target_does_not_have_is_the_reason(nodes, tmp_path, boot, part):
    """Checked by libvirt before any memory is sent: shared storage on the source, files on the target."""
    guest = Guest(tmp_path, boot, devices=disk(tmp_path / "disk.img") if part == "disk" else "")
    nodes[0].run("mkdir", "-p", "/run/only-here")
    if part == "disk":
        nodes[0].run("cp", tmp_path / "disk.img", "/run/only-here/disk.img")
        guest.edit(str(tmp_path / "disk.img"), "/run/only-here/disk.img")
        words = "shared storage"
    else:
        guest.edit(str(guest.console), "/run/only-here/console")
        words = "/run/only-here/console"
    vm = agent(nodes[0], guest, migration_transport="tls")
    assert vm("start").rc == 0
    outcome = vm("migrate_to", meta=TO_2)
    assert outcome.rc == GENERIC and words in outcome.reason
    assert_stayed(nodes)


@pytest.mark.parametrize("params, uri", [
    ({}, "qemu://node3/system"),
    ({"migration_transport": "tls"}, "qemu+tls://node3/system"),
    ({"migration_transport": "tls", "migration_user": "some_user"}, "qemu+tls://some_user@node3/system"),
    ({"migration_transport": "tls", "migration_network_suffix": "-mig"}, "qemu+tls://node3-mig/system"),
    ({"remoteuri": "qemu+tls://%n.example.org/system", "migration_user": "some_user",
      "migration_network_suffix": "-mig", "migration_transport": "ssh"},
     "qemu+tls://node3.example.org/system"),
], ids=["default", "transport", "user", "suffix", "remoteuri"])
def test_fault_20_the_remote_uri(nodes, pair, params, uri):
    """There is no node3: the reason names the URI that was tried."""
    pair[0].params.pop("migration_transport")
    outcome = pair[0]("migrate_to", meta={"migrate_target": "node3"}, **params)
    assert outcome.rc == GENERIC and f"{uri}:" in outcome.reason, outcome.reason


def test_fault_21_the_name_in_migrateuri_is_the_nodes_alone(nodes, pair):
    outcome = pair[0]("migrate_to", meta=TO_2, migrateuri="tcp://%n.nowhere.invalid:49180",
                      migration_user="some_user", migration_network_suffix="-mig")
    assert outcome.rc == GENERIC and "node2.nowhere.invalid" in outcome.reason, outcome.reason
    assert "some_user@node2" not in outcome.reason.split("nowhere")[0].split("tcp")[-1]
    assert_stayed(nodes)


def test_migrate_to_of_a_guest_that_does_not_run_fails(nodes, guest):
    outcome = agent(nodes[0], guest)("migrate_to", meta=TO_2)
    assert outcome.rc == GENERIC and guest.name in outcome.reason
