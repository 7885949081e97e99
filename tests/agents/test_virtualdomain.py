# SPDX-License-Identifier: GPL-3.0-or-later
"""ocf:native:VirtualDomain with real libvirtd and QEMU on two nodes.

A test named test_fault_... holds a fault of the stock agent that must not come back.
"""

import re
import resource
import signal
import subprocess
import time

import pytest
from conftest import wait_until
from virt_env import (
    Guest, Node, NodeAgent, Pki, build_guest, disk, join, run, sanitizer_environment
)

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
        node.run("rm", "-rf", "/etc/libvirt/hooks/qemu")


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


def test_probe_and_stop_before_the_configuration_is_mounted(node, guest, tmp_path, boot):
    other = Guest(tmp_path, boot, name="other")
    node.virsh("create", other.config)
    guest.config.unlink()
    vm = agent(node, guest)
    assert vm.probe().rc == NOT_RUNNING
    assert vm("stop").rc == 0
    assert node.state("other") == "running"


def test_fault_05_and_06_a_guest_that_ignores_requests_is_ended_in_time(node, tmp_path, boot):
    guest = Guest(tmp_path, boot, options="guest.shutdown=ignore")
    vm = agent(node, guest)
    assert vm("start").rc == 0
    guest.wait_up()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    stop = vm("stop", timeout_s=20)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert stop.rc == 0 and is_gone(node, guest.name)
    assert 7 < stop.seconds < 16, "half of the time for asking, then the end"
    assert "did not shut down when asked" in stop.err
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent < 2, f"{spent} s of processor time for waiting"


def test_fault_06_a_qemu_that_ignores_sigterm_is_killed(node, guest):
    """A stopped process takes no SIGTERM, like one that waits for a dead disk."""
    vm = agent(node, guest, force_stop="1")
    assert vm("start").rc == 0
    node.run("kill", "-STOP", *node.qemu_pids(guest.name))
    stop = vm("stop", timeout_s=60)
    assert stop.rc == 0 and is_gone(node, guest.name)


def test_a_paused_guest_is_not_waited_for(node, guest):
    vm = agent(node, guest)
    assert vm("start").rc == 0
    node.virsh("suspend", guest.name)
    assert vm("monitor").rc == 0, "somebody paused it: that is no failure"
    stop = vm("stop")
    assert stop.rc == 0 and stop.seconds < 15 and is_gone(node, guest.name)


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


# --- start ---------------------------------------------------------------------------------------


def test_fault_02_names_are_read_as_xml(node, guest):
    text = guest.config.read_text()
    text = text.replace("<memory", "<metadata><app xmlns='urn:x'><name>wrong</name></app></metadata>"
                        "<memory").replace("\n", " ")
    guest.config.write_text("<!-- <name>commented</name> -->" + text)
    vm = agent(node, guest)
    assert vm("start").rc == 0
    assert node.virsh("list", "--name") == guest.name
    assert vm("monitor").rc == 0
    assert vm("stop").rc == 0 and is_gone(node, guest.name)


def test_fault_07_a_guest_that_qemu_refuses_fails_at_once(node, guest, tmp_path):
    (tmp_path / "vmlinuz").write_bytes(b"not a kernel" * 100)
    guest.config.write_text(re.sub(r"<kernel>.*</kernel>", f"<kernel>{tmp_path}/vmlinuz</kernel>",
                                   guest.config.read_text()))
    start = agent(node, guest)("start")
    assert start.rc == GENERIC and start.seconds < 20
    assert "kernel" in start.reason, start.reason


def test_fault_07_a_guest_that_dies_right_after_its_start_fails_at_once(node, guest):
    """The hook kills QEMU as soon as libvirt calls the guest started, as a crash of QEMU would."""
    hook(node, 'case "$2" in started) (kill -KILL $(cat /run/libvirt/qemu/$1.pid)) '
               '</dev/null >/dev/null 2>&1 & ;; esac')
    start = agent(node, guest)("start")
    assert start.rc == GENERIC and start.seconds < 20, start
    assert guest.name in start.reason


def test_fault_13_a_stale_definition_is_removed(node, guest):
    node.virsh("define", guest.config)
    vm = agent(node, guest)
    assert vm.probe().rc == NOT_RUNNING
    assert vm("start").rc == 0
    assert node.virsh("list", "--all", "--persistent", "--name") == ""
    assert vm("stop").rc == 0 and is_gone(node, guest.name)


def test_fault_13_a_configuration_in_libvirts_own_directory_stays(node, guest):
    own = f"/etc/libvirt/qemu/{guest.name}.xml"
    node.virsh("define", guest.config)
    vm = agent(node, guest, config=own)
    for _ in range(2):
        assert vm("start").rc == 0
        assert node.state(guest.name) == "running"
        assert vm("stop").rc == 0 and is_gone(node, guest.name)
        assert node.run("grep", "-c", guest.uuid, own).stdout.strip() == "1"


def test_fault_13_a_managed_save_is_never_dropped(node, guest):
    node.virsh("define", guest.config)
    node.virsh("start", guest.name)
    guest.wait_up()
    node.virsh("managedsave", guest.name)
    start = agent(node, guest)("start")
    assert start.rc == GENERIC and "managed save" in start.reason
    assert "yes" in node.virsh("dominfo", guest.name).split("Managed save:")[1]


def test_fault_14_the_hypervisor_is_the_one_that_is_named(node, guest):
    """libvirt's test driver has one domain, named test, running in every new connection."""
    guest.config.write_text("<domain type='test'><name>test</name></domain>")
    assert agent(node, guest, hypervisor="test:///default").probe().rc == 0
    forget(node)
    assert agent(node, guest, hypervisor="qemu:///system").probe().rc == NOT_RUNNING


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
