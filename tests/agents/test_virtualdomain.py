# SPDX-License-Identifier: GPL-3.0-or-later
"""ocf:native:VirtualDomain with real libvirtd and QEMU.

A test named test_fault_... holds a fault of the stock agent that must not come back.
"""

import signal
import time

import pytest
from conftest import wait_until
from virt_env import Guest, disk, sanitizer_environment
from virt_nodes import (  # noqa: F401
    ARGS, CONFIGURED, GENERIC, INSTALLED, NOT_RUNNING, agent, boot, both, exclusive, forget,
    guest, hook, is_gone, kill_agent, node, nodes, pki
)


# --- start, monitor, stop ------------------------------------------------------------------------


def test_life_of_a_guest(node, guest):
    vm = agent(node, guest)
    assert vm.probe().rc == NOT_RUNNING
    assert vm("start").rc == 0
    assert node.state(guest.name) == "running"
    assert guest.uuid in node.virsh("domuuid", guest.name)
    assert node.virsh("list", "--name", "--persistent", "--all") == ""
    assert vm("monitor").rc == 0 and vm.probe().rc == 0 and vm("status").rc == 0
    assert vm("start").rc == 0
    guest.wait_up()
    stop = vm("stop")
    assert stop.rc == 0 and is_gone(node, guest.name)
    assert "Power down" in guest.console.read_text(errors="replace"), "it was asked to shut down"
    assert vm("stop").rc == 0
    assert vm("monitor").rc == NOT_RUNNING


def test_success_prints_nothing(node, guest):
    vm = agent(node, guest)
    for action in ("validate-all", "start", "monitor"):
        outcome = vm(action)
        assert (outcome.rc, outcome.out, outcome.err) == (0, "", "")


def test_force_stop_cuts_the_power(node, guest):
    vm = agent(node, guest, force_stop="1")
    assert vm("start").rc == 0
    guest.wait_up()
    assert vm("stop").rc == 0 and is_gone(node, guest.name)
    assert "Power down" not in guest.console.read_text(errors="replace")


def test_a_configuration_without_uuid_is_remembered_by_the_one_it_got(node, tmp_path, boot):
    guest = Guest(tmp_path, boot, with_uuid=False)
    vm = agent(node, guest)
    assert vm("start").rc == 0
    state = node.run("cat", "/run/native-agents/VirtualDomain-vm").stdout
    assert f"uuid={node.virsh('domuuid', guest.name)}\n" in state
    assert f"name={guest.name}\n" in state and "uri=qemu:///system\n" in state
    assert vm("stop").rc == 0
    assert node.run("ls", "/run/native-agents").stdout == ""


def test_a_guest_of_another_agent_is_adopted(node, guest):
    node.virsh("create", guest.config)
    vm = agent(node, guest)
    assert vm("monitor").rc == 0
    guest.config.unlink()
    assert vm("monitor").rc == 0
    assert vm("stop").rc == 0 and is_gone(node, guest.name)


def test_a_foreign_domain_of_the_same_name_is_left_alone(node, guest, tmp_path, boot):
    (tmp_path / "foreign").mkdir()
    foreign = Guest(tmp_path / "foreign", boot, name=guest.name)
    node.virsh("create", foreign.config)
    vm = agent(node, guest)
    assert vm.probe().rc == NOT_RUNNING
    start = vm("start")
    assert start.rc == GENERIC and guest.name in start.reason
    assert vm("stop").rc == 0
    assert node.state(foreign.name) == "running"


def test_a_domain_of_the_same_name_with_our_disk_is_ours(node, tmp_path, boot):
    devices = disk(tmp_path / "disk.img")
    guest = Guest(tmp_path, boot, devices=devices)
    node.virsh("create", guest.config)
    guest.edit(guest.uuid, "11111111-2222-4333-8444-555555555555")
    vm = agent(node, guest)
    assert vm.probe().rc == 0
    assert vm("stop").rc == 0 and is_gone(node, guest.name)


def test_a_start_that_was_killed_leaves_a_guest_that_stop_finds(node, guest):
    """The hook makes libvirt slow, as slow storage does, while it prepares the guest."""
    hook(node, 'case "$2" in prepare) sleep 3;; esac')
    vm = agent(node, guest)
    process = vm.start_process("start")
    wait_until(lambda: "phase=starting" in node.run(
        "cat", "/run/native-agents/VirtualDomain-vm", check=False).stdout, 10, "the state file")
    time.sleep(0.5)
    kill_agent(node, "start")
    process.communicate()
    guest.config.unlink()
    stop = vm("stop")
    assert stop.rc == 0
    time.sleep(4)
    assert is_gone(node, guest.name), "nothing came up after the stop had said that it is stopped"


# --- stop proves ---------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", [
    {"config": "/nowhere/guest1.xml"}, {"config": None}, {"config": "/proc/self/mem"},
    {"config": "/etc/passwd"}, {"migration_speed": "0x10"}, {"force_stop": "maybe"},
    {"migration_transport": "pigeon"}, {"shutdown_mode": "loudly"}, {"hypervisor": "nosuch:///x"}],
    ids=str)
def test_fault_01_stop_with_invalid_parameters_stops_the_guest(node, guest, broken):
    vm = agent(node, guest)
    assert vm("start").rc == 0
    guest.wait_up()
    assert vm("monitor", **broken).rc == 0
    assert vm("stop", **broken).rc == 0
    assert is_gone(node, guest.name)


def test_fault_01_stop_finds_a_guest_named_like_the_missing_file(node, guest):
    """No state file, no configuration: by the name of the file, never a blind success."""
    vm = agent(node, guest)
    assert vm("start").rc == 0
    forget(node)
    guest.config.unlink()
    assert vm.probe().rc == 0
    forget(node)
    assert vm("stop").rc == 0 and is_gone(node, guest.name)


# --- shutdown modes ------------------------------------------------------------------------------


def test_fault_03_shutdown_modes_are_used_in_turn(node, guest):
    """This guest has no agent: libvirt refuses the first mode, the second one works."""
    vm = agent(node, guest, shutdown_mode="agent,acpi")
    assert vm("start").rc == 0
    guest.wait_up()
    assert vm("stop").rc == 0 and is_gone(node, guest.name)
    assert "Power down" in guest.console.read_text(errors="replace")


def test_fault_03_a_shutdown_mode_that_cannot_work_is_not_waited_for(node, guest):
    vm = agent(node, guest, shutdown_mode="agent")
    assert vm("start").rc == 0
    guest.wait_up()
    stop = vm("stop")
    assert stop.rc == 0 and stop.seconds < 10 and is_gone(node, guest.name)
    assert "Power down" not in guest.console.read_text(errors="replace")
    assert "agent" in stop.err


# --- monitor -------------------------------------------------------------------------------------


def test_fault_12_paused_on_an_io_error_is_a_failure(node, tmp_path, boot):
    """The image's file system is full: QEMU pauses the guest on ENOSPC."""
    node.run("mkdir", "-p", "/mnt/small")
    node.run("mount", "-t", "tmpfs", "-o", "size=16k", "small", "/mnt/small")
    node.run("truncate", "-s", "4M", "/mnt/small/disk.img")
    devices = ('<disk type="file" device="disk"><driver name="qemu" type="raw" cache="writethrough"/>'
               '<source file="/mnt/small/disk.img"/><target dev="vda" bus="virtio"/></disk>')
    guest = Guest(tmp_path, boot, devices=devices, options="guest.interval_ms=20")
    vm = agent(node, guest)
    try:
        assert vm("start").rc == 0
        wait_until(lambda: node.state(guest.name) == "paused", 60, "it is paused")
        monitor = vm("monitor")
        assert monitor.rc == GENERIC and "paused on an I/O error" in monitor.reason
        assert vm("stop").rc == 0 and is_gone(node, guest.name)
    finally:
        node.run("virsh", "-c", "qemu:///system", "destroy", guest.name, check=False)
        node.run("umount", "/mnt/small")


def test_a_panicked_guest_is_a_failure(node, tmp_path, boot):
    guest = Guest(tmp_path, boot, options="unknown_nmi_panic", on_crash="preserve")
    vm = agent(node, guest)
    assert vm("start").rc == 0
    guest.wait_up()
    node.virsh("inject-nmi", guest.name)
    wait_until(lambda: node.state(guest.name) == "crashed", 60, "its kernel panicked")
    monitor = vm("monitor")
    assert monitor.rc == GENERIC and "panicked" in monitor.reason
    assert vm("stop").rc == 0 and is_gone(node, guest.name)


def test_a_guest_that_ended_by_itself_is_not_running(node, guest):
    vm = agent(node, guest)
    assert vm("start").rc == 0
    node.run("kill", "-KILL", *node.qemu_pids(guest.name))
    wait_until(lambda: node.state(guest.name) == "absent", 10, "libvirt noticed")
    assert vm("monitor").rc == NOT_RUNNING


def test_the_monitor_does_not_read_the_configuration(node, guest):
    vm = agent(node, guest)
    assert vm("start").rc == 0
    # LeakSanitizer cannot work beside strace; it looks at every other call.
    process = vm.start_process("monitor", env={"ASAN_OPTIONS": "detect_leaks=0"},
                               prefix=("strace", "-f", "-e", "trace=file", "-o", "/tmp/calls"))
    process.communicate()
    assert process.returncode == 0
    calls = node.run("cat", "/tmp/calls").stdout
    assert "libvirt.so" in calls and str(guest.config) not in calls


def test_fault_19_meta_data_loads_nothing(node, guest):
    process = agent(node, guest).start_process(
        "meta-data", prefix=("strace", "-f", "-e", "trace=file,network", "-o", "/tmp/calls"))
    assert 'name="VirtualDomain"' in process.communicate()[0]
    calls = node.run("cat", "/tmp/calls").stdout
    assert "libra.so" in calls and "libvirt" not in calls and "libxml" not in calls


# --- a daemon that is dead or hangs --------------------------------------------------------------


def test_fault_08_daemon_down(node, guest):
    vm = agent(node, guest)
    assert vm("start").rc == 0
    node.kill_daemon()
    monitor = vm("monitor")
    assert monitor.rc == 0 and "WARNING" in monitor.err, "its QEMU process runs"
    stop = vm("stop")
    assert stop.rc == 0 and stop.seconds < 25 and node.qemu_pids(guest.name) == []
    probe = vm.probe()
    assert probe.rc == NOT_RUNNING and "no QEMU process" in probe.reason
    start = vm("start")
    assert start.rc == GENERIC and start.seconds < 20 and "connect" in start.reason
    node.start_daemon()
    assert is_gone(node, guest.name)


def test_fault_08_daemon_hangs(node, guest):
    vm = agent(node, guest)
    assert vm("start").rc == 0
    node.signal_daemon(signal.SIGSTOP)
    monitor = vm("monitor", timeout_s=6)
    assert monitor.rc == 0 and "timed out while connecting to qemu:///system" in monitor.err
    stop = vm("stop", timeout_s=20)
    assert stop.rc == 0 and node.qemu_pids(guest.name) == []
    start = vm("start", timeout_s=6)
    assert start.rc == GENERIC and start.seconds < 6
    assert "timed out while connecting to libvirt" in start.reason
    assert vm("validate-all", timeout_s=5).rc == GENERIC
    node.signal_daemon(signal.SIGCONT)
    wait_until(lambda: is_gone(node, guest.name), 20, "the daemon saw it end, and started nothing")


def test_fault_08_daemon_hangs_while_it_starts_the_guest(node, guest):
    """Nobody knows whether the daemon will go on with the start: no proof, no success."""
    hook(node, 'case "$2" in prepare) sleep 2;; esac')
    vm = agent(node, guest)
    process = vm.start_process("start", timeout_s=10)
    wait_until(lambda: "phase=starting" in node.run(
        "cat", "/run/native-agents/VirtualDomain-vm", check=False).stdout, 10, "the state file")
    time.sleep(0.5)
    node.signal_daemon(signal.SIGSTOP)
    out, err = process.communicate()
    assert process.returncode == GENERIC and "timed out" in err
    stop = vm("stop", timeout_s=10)
    assert stop.rc == GENERIC and "may be about to start" in stop.reason
    node.signal_daemon(signal.SIGCONT)
    assert vm("stop").rc == 0
    time.sleep(3)
    assert is_gone(node, guest.name)


def test_fault_09_processes_are_told_apart_by_their_whole_name(node, tmp_path, boot):
    names = ("web.1", "web11", "web.1x", "xweb.1")
    guests = {name: Guest(tmp_path, boot, name=name) for name in names}
    for name, guest in guests.items():
        assert agent(node, guest, instance=name)("start").rc == 0
    node.kill_daemon()
    assert agent(node, guests["web.1"], instance="web.1")("stop", timeout_s=20).rc == 0
    assert node.qemu_pids("web.1") == []
    assert all(len(node.qemu_pids(name)) == 1 for name in names[1:])
    assert agent(node, guests["web.1"], instance="web.1").probe().rc == NOT_RUNNING
    node.start_daemon()


def test_a_stopped_process_is_not_a_healthy_guest(node, guest):
    vm = agent(node, guest)
    assert vm("start").rc == 0
    node.kill_daemon()
    node.run("kill", "-STOP", *node.qemu_pids(guest.name))
    monitor = vm("monitor")
    assert monitor.rc == GENERIC and "is stopped" in monitor.reason
    assert vm("stop", timeout_s=30).rc == 0 and node.qemu_pids(guest.name) == []
    node.start_daemon()


# --- validation ----------------------------------------------------------------------------------


@pytest.mark.parametrize("content, rc, words", [
    (None, INSTALLED, "config"),
    ("<domain><name>x</domain>", ARGS, "not well-formed"),
    ("<network><name>x</name></network>", ARGS, "<domain>"),
    ("<domain><memory>1</memory></domain>", ARGS, "<name>"),
    ("<domain><name></name></domain>", ARGS, "<name>"),
    ("<domain><name>a</name><name>b</name></domain>", ARGS, "more than one <name>"),
    ("<domain><name>a</name><uuid>17</uuid></domain>", ARGS, "<uuid>"),
    ('<!DOCTYPE domain [<!ENTITY n SYSTEM "file:///etc/hostname">]><domain><name>&n;</name></domain>',
     ARGS, "document type"),
], ids=["missing", "broken", "network", "nameless", "empty", "twice", "uuid", "entity"])
def test_validate_says_what_is_wrong_with_the_file(node, guest, content, rc, words):
    if content is None:
        guest.config.unlink()
    else:
        guest.config.write_text(content)
    for action in ("validate-all", "start"):
        outcome = agent(node, guest)(action)
        assert outcome.rc == rc and words in outcome.reason and str(guest.config) in outcome.reason


@pytest.mark.parametrize("params, words", [
    ({"config": None}, ["config"]), ({"shutdown_mode": "acpi,loud"}, ["shutdown_mode", "loud", "acpi"]),
    ({"migration_transport": "pigeon"}, ["migration_transport", "pigeon", "tls"]),
    ({"migration_speed": "fast"}, ["migration_speed", "fast"]),
    ({"migration_user": "a b"}, ["migration_user", "a b"]),
    ({"migrateport": "70000"}, ["migrateport", "70000", "65535"]),
], ids=lambda value: next(iter(value)) if isinstance(value, dict) else "")
def test_validate_names_parameter_value_and_what_is_allowed(node, guest, params, words):
    outcome = agent(node, guest)("validate-all", **params)
    assert outcome.rc == CONFIGURED
    assert all(word in outcome.reason for word in words), outcome.reason


def test_crm_resource_validates(node, guest):
    command = [*sanitizer_environment(agent(node, guest).path), "crm_resource", "--validate",
               "--class", "ocf", "--provider", "native", "--agent", "VirtualDomain", "--option"]
    assert node.run(*command, f"config={guest.config}", check=False).returncode == 0
    wrong = node.run(*command, "config=/nowhere.xml", check=False)
    assert wrong.returncode != 0 and "/nowhere.xml" in wrong.stdout + wrong.stderr


def test_ocf_tester(node, guest):
    preload = sanitizer_environment(agent(node, guest).path)
    done = node.run(*preload, "ocf-tester", "-n", "vm", "-o", f"config={guest.config}",
                    "-o", "hypervisor=qemu:///system", "-o", "force_stop=true",
                    agent(node, guest).path, check=False)
    assert "passed all tests" in done.stdout, done.stdout + done.stderr


def test_crm_resource_forces_each_action(node, guest):
    """As README.md has an administrator debug, on a configuration that pcs made."""
    tool = [*sanitizer_environment(agent(node, guest).path), "env", "CIB_file=/tmp/cib.xml"]

    def force(action):
        return node.run(*tool, "crm_resource", "--resource", "vm", f"--force-{action}",
                        check=False).returncode

    node.run("bash", "-c", "cibadmin --empty >/tmp/cib.xml")
    node.run(*tool, "pcs", "-f", "/tmp/cib.xml", "resource", "create", "vm",
             "ocf:native:VirtualDomain", f"config={guest.config}", "hypervisor=qemu:///system",
             "force_stop=true")
    assert force("check") == NOT_RUNNING
    assert force("start") == 0 and node.state("guest1") == "running"
    assert force("check") == 0
    assert force("stop") == 0 and is_gone(node, "guest1")
