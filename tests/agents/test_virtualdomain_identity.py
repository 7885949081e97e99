# SPDX-License-Identifier: GPL-3.0-or-later
"""ocf:native:VirtualDomain: which domain is the guest, and which is a stranger's.

A test named test_fault_... holds a fault of the stock agent that must not come back.
"""

import resource
import subprocess
import time
import uuid

import pytest
from virt_env import Guest, disk
from virt_nodes import (  # noqa: F401
    GENERIC, NOT_RUNNING, TO_1, TO_2, agent, boot, both, exclusive, forget, guest, hook,
    is_gone, node, nodes, pki
)


def stranger(node, directory, boot, name, **options):
    """A domain that no resource started."""
    directory.mkdir()
    domain = Guest(directory, boot, name=name, **options)
    node.virsh("create", domain.config)
    return domain


@pytest.mark.parametrize("name", ["db", "guest1"], ids=["like-the-resource", "like-the-file"])
def test_a_guessed_name_identifies_nobody(node, guest, tmp_path, boot, name):
    """The configuration is not there, and a domain is called like the resource or the file: it may be the guest of
    another agent, or a stranger's. Neither running nor stopped, and never destroyed."""
    other = stranger(node, tmp_path / "other", boot, name)
    guest.config.unlink()
    vm = agent(node, guest, instance="db")
    for outcome in (vm.probe(), vm("monitor"), vm("stop"), vm("migrate_from", meta=TO_1)):
        assert outcome.rc == GENERIC and "cannot be told" in outcome.reason
        assert f"called {name} " in outcome.reason and str(guest.config) in outcome.reason
    assert node.state(other.name) == "running"
    assert node.run("ls", "/run/native-agents", check=False).stdout == "", "nothing is remembered"


def test_a_guessed_name_identifies_nobody_without_libvirt_either(node, guest, tmp_path, boot):
    other = stranger(node, tmp_path / "other", boot, "db")
    guest.config.unlink()
    vm = agent(node, guest, instance="db")
    node.kill_daemon()
    for outcome in (vm.probe(), vm("stop", timeout_s=20)):
        assert outcome.rc == GENERIC and "cannot be told" in outcome.reason
    assert len(node.qemu_pids(other.name)) == 1
    node.start_daemon()


def test_the_guest_of_another_resource_is_nobodys_guess(node, guest, tmp_path, boot):
    """It bears that resource's mark, so the probe before the storage is mounted says what is true."""
    (tmp_path / "other").mkdir()
    other = Guest(tmp_path / "other", boot, name="db")
    assert agent(node, other, instance="web")("start").rc == 0
    guest.config.unlink()
    vm = agent(node, guest, instance="db")
    assert vm.probe().rc == NOT_RUNNING
    assert vm("stop").rc == 0
    assert node.state("db") == "running"
    assert agent(node, other, instance="web")("monitor").rc == 0


def test_without_libvirt_a_process_is_known_by_its_uuid_too(node, guest, tmp_path, boot):
    other = stranger(node, tmp_path / "other", boot, guest.name)
    vm = agent(node, guest)
    node.kill_daemon()
    for outcome in (vm.probe(), vm("stop", timeout_s=20)):
        assert outcome.rc == GENERIC and "cannot be told" in outcome.reason and other.uuid in outcome.reason
    assert len(node.qemu_pids(guest.name)) == 1
    node.start_daemon()


MARK_URI = "urn:native-agents:resource"


def mark(node, name):
    """The mark on the running domain, "" if it has none."""
    return node.run("virsh", "-c", "qemu:///system", "metadata", name, MARK_URI, check=False).stdout.strip()


def mark_of(guest, resource):
    return f'<resource id="{resource}" uuid="{guest.uuid}"/>'


def test_a_guest_bears_the_mark_of_its_resource(node, guest):
    guest.edit("<vcpu>", '<metadata><x:y xmlns:x="urn:x">kept</x:y></metadata><vcpu>')
    vm = agent(node, guest, instance="a<&\"b")
    assert vm("start").rc == 0
    assert mark(node, guest.name) == mark_of(guest, "a&lt;&amp;&quot;b")
    assert "kept" in node.virsh("metadata", guest.name, "urn:x")
    assert vm("stop").rc == 0


def test_a_guest_of_another_agent_gets_the_mark_once(node, guest):
    node.virsh("create", guest.config)
    assert mark(node, guest.name) == ""
    vm = agent(node, guest)
    assert vm("monitor").rc == 0 and mark(node, guest.name) == mark_of(guest, "vm")
    node.virsh("metadata", guest.name, MARK_URI, "--remove", "--live")
    assert vm("monitor").rc == 0 and mark(node, guest.name) == "", "not at every monitor"


def test_the_state_of_the_first_version_is_taken_over(node, guest):
    vm = agent(node, guest)
    assert vm("start").rc == 0
    node.run("sed", "-i", "/marked=/d", "/run/native-agents/VirtualDomain-vm")
    node.virsh("metadata", guest.name, MARK_URI, "--remove", "--live")
    guest.config.unlink()
    assert vm("monitor").rc == 0
    assert mark(node, guest.name) == mark_of(guest, "vm")
    assert vm("stop").rc == 0 and is_gone(node, guest.name)


def copy_of(node, guest, tmp_path, name):
    """The administrator makes another guest from the running one's XML."""
    text = node.virsh("dumpxml", guest.name).replace(f"<name>{guest.name}<", f"<name>{name}<")
    copy = tmp_path / f"{name}.xml"
    copy.write_text(text.replace(f"<uuid>{guest.uuid}<", f"<uuid>{uuid.uuid4()}<")
                    .replace(f"{guest.name}.console", f"{name}.console"))
    assert "<native:resource" in copy.read_text(), "the mark is copied, too"
    return copy


def test_a_copied_mark_makes_no_copy_the_guest(node, guest, tmp_path):
    vm = agent(node, guest, force_stop="1")
    assert vm("start").rc == 0
    copies = [copy_of(node, guest, tmp_path, name) for name in ("one", "two")]
    assert vm("stop").rc == 0
    for copy in copies:
        node.virsh("create", copy)
    assert vm.probe().rc == NOT_RUNNING
    assert vm("start").rc == 0 and node.state(guest.name) == "running"
    assert vm("stop").rc == 0 and is_gone(node, guest.name)
    guest.config.rename(tmp_path / "away")
    assert vm.probe().rc == NOT_RUNNING and vm("stop").rc == 0
    assert node.state("one") == node.state("two") == "running"


def test_a_definition_that_is_off_is_no_guest(node, guest):
    """Left by virt-install on each node; the storage with the configuration is mounted by the cluster, later."""
    node.virsh("define", guest.config)
    guest.config.unlink()
    vm = agent(node, guest, instance="db")
    assert vm.probe().rc == NOT_RUNNING and vm("stop").rc == 0
    assert node.state(guest.name) == "shut off"


def test_a_renamed_resource_takes_its_guest_along(nodes, guest):
    """The mark is the new resource's, so the target of a migration knows the guest without its configuration."""
    one, two = (agent(node, guest, instance="new", migration_transport="tls") for node in nodes)
    assert agent(nodes[0], guest, instance="old")("start").rc == 0
    monitor = one("monitor")
    assert monitor.rc == 0 and "resource old" in monitor.err
    assert mark(nodes[0], guest.name) == mark_of(guest, "new")
    assert "resource old" not in one("monitor").err, "said once"
    guest.wait_up()
    assert one("migrate_to", meta=TO_2).rc == 0
    away = {"config": "/nowhere/else.xml"}
    assert two("migrate_from", meta=TO_2, **away).rc == 0
    assert one("stop").rc == 0 and nodes[1].state(guest.name) == "running"
    forget(nodes[1])
    assert two.probe(**away).rc == 0
    assert two("stop", **away).rc == 0 and is_gone(nodes[1], guest.name)


def test_a_migration_marks_the_guest_first(nodes, guest):
    """A guest that the first version started, migrated before any monitor of this one."""
    one, two = (agent(node, guest, migration_transport="tls") for node in nodes)
    assert one("start").rc == 0
    guest.wait_up()
    nodes[0].run("sed", "-i", "/marked=/d", "/run/native-agents/VirtualDomain-vm")
    nodes[0].virsh("metadata", guest.name, MARK_URI, "--remove", "--live")
    assert one("migrate_to", meta=TO_2).rc == 0
    away = {"config": "/nowhere/else.xml"}
    assert two("migrate_from", meta=TO_2, **away).rc == 0
    assert two("stop", **away).rc == 0 and is_gone(nodes[1], guest.name)


def test_a_guest_that_arrived_is_known_without_libvirt_too(node, guest):
    """As after a migration whose migrate_from was killed: no state, no configuration here, and libvirtd is down."""
    assert agent(node, guest)("start").rc == 0
    forget(node)
    vm = agent(node, guest, config="/nowhere/else.xml")
    node.kill_daemon()
    probe = vm.probe()
    assert probe.rc == 0 and "WARNING" in probe.err
    assert vm("stop", timeout_s=20).rc == 0 and node.qemu_pids(guest.name) == []
    node.start_daemon()


def test_a_stranger_whose_start_hangs_holds_nobody_up(node, guest, tmp_path, boot):
    """libvirt's list of domains waits for each of them: only a guest without a configuration needs it."""
    hook(node, '[ "$1.$2" = stuck.prepare ] && sleep 15')
    (tmp_path / "other").mkdir()
    other = Guest(tmp_path / "other", boot, name="stuck")
    vm = agent(node, guest)
    away = agent(node, guest, instance="other", config="/nowhere/else.xml")
    process = subprocess.Popen(node.command("virsh", "-c", "qemu:///system", "create", other.config),
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        time.sleep(1)
        probe = vm.probe(timeout_s=20)
        assert probe.rc == NOT_RUNNING and probe.seconds < 2
        probe = away.probe(timeout_s=20)
        assert probe.rc == NOT_RUNNING and probe.seconds < 6, "it goes by the processes then"
        assert vm("start", timeout_s=20).rc == 0
    finally:
        process.wait()


def test_a_guest_that_was_replaced_by_a_stranger_of_its_name(node, guest, tmp_path, boot):
    """Remembered with another UUID, and the configuration cannot be read."""
    vm = agent(node, guest)
    assert vm("start").rc == 0
    node.virsh("destroy", guest.name)
    guest.config.unlink()
    stranger(node, tmp_path / "other", boot, guest.name)
    for outcome in (vm("monitor"), vm("stop", force_stop="1")):
        assert outcome.rc == GENERIC and "cannot be told" in outcome.reason
    assert node.state(guest.name) == "running"


def test_stop_of_a_second_resource_leaves_the_firsts_guest(node, guest):
    assert agent(node, guest, instance="one")("start").rc == 0
    stop = agent(node, guest, instance="two")("stop")
    assert stop.rc == GENERIC and "resource one" in stop.reason
    assert node.state(guest.name) == "running"


def test_stop_leaves_the_firsts_guest_though_a_guest_of_its_own_is_remembered(node, guest, tmp_path, boot):
    """The second resource's configuration became a copy of the first's, and its own guest has crashed since."""
    assert agent(node, guest, instance="one")("start").rc == 0
    (tmp_path / "two").mkdir()
    second = Guest(tmp_path / "two", boot, name="guest2")
    vm = agent(node, second, instance="two")
    assert vm("start").rc == 0
    second.config.write_text(guest.config.read_text())
    node.virsh("destroy", second.name)
    stop = vm("stop", force_stop="1")
    assert stop.rc == GENERIC and "resource one" in stop.reason
    assert node.state(guest.name) == "running"


def test_an_action_by_hand_is_not_the_resource_called_default(node, guest, tmp_path, boot):
    """Without OCF_RESOURCE_INSTANCE, as an administrator may call the agent."""
    assert agent(node, guest, instance="default")("start").rc == 0
    (tmp_path / "other").mkdir()
    other = Guest(tmp_path / "other", boot, name="other")
    by_hand = agent(node, other, instance="", force_stop="1")
    assert by_hand.probe().rc == NOT_RUNNING
    assert by_hand("stop").rc == 0
    assert node.state(guest.name) == "running"
    assert by_hand("start").rc == 0 and by_hand("stop").rc == 0
    assert node.state(guest.name) == "running"


def test_a_renamed_resource_without_a_uuid_goes_by_its_disk(node, tmp_path, boot):
    guest = Guest(tmp_path, boot, with_uuid=False, devices=disk(tmp_path / "disk.img"))
    assert agent(node, guest, instance="old")("start").rc == 0
    vm = agent(node, guest, instance="new")
    assert vm.probe().rc == 0
    assert vm("stop").rc == 0 and is_gone(node, guest.name)


def test_a_renamed_resource_without_uuid_and_disk_is_not_taken_for_absent(node, tmp_path, boot):
    guest = Guest(tmp_path, boot, with_uuid=False)
    assert agent(node, guest, instance="old")("start").rc == 0
    vm = agent(node, guest, instance="new")
    for outcome in (vm.probe(), vm("start"), vm("stop")):
        assert outcome.rc == GENERIC and "resource old" in outcome.reason
    assert node.state(guest.name) == "running"


def test_the_cache_of_the_first_version_is_no_damaged_state(node, guest):
    vm = agent(node, guest, instance="utilization-vm")
    node.run("bash", "-c", "mkdir -m 700 -p /run/native-agents; cd /run/native-agents; "
             "printf '%s\\ncpu=1 host_memory=96 ' 1234567 >VirtualDomain-utilization-vm")
    assert vm.probe().rc == NOT_RUNNING
    assert vm("start").rc == 0 and vm("monitor").rc == 0
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
