# SPDX-License-Identifier: GPL-3.0-or-later
"""ocf:native:VirtualDomain: what a start clears away, waits for, and says of a guest that dies.

A test named test_fault_... holds a fault of the stock agent that must not come back.
"""

import contextlib
import re
import subprocess
import time

from conftest import wait_until
from virt_nodes import (  # noqa: F401
    GENERIC, NOT_RUNNING, agent, boot, both, exclusive, forget, guest, hook, is_gone, node,
    nodes, pki
)


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


@contextlib.contextmanager
def lock(node, image, seconds):
    """Another program has the image open, as the QEMU of a second copy would, for so long."""
    holder = subprocess.Popen(
        node.command("qemu-io", "-f", "raw", "-c", f"sleep {seconds * 1000}", image),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    inode = image.stat().st_ino
    wait_until(lambda: re.search(rf" OFDLCK .*:{inode} ", node.run("cat", "/proc/locks").stdout), 10, "it is locked")
    try:
        yield
    finally:
        node.run("pkill", "-x", "qemu-io", check=False)
        holder.wait()


def test_a_locked_image_is_waited_for(node, exclusive):
    """A dead node's lock goes away by itself: the start must not be over by then."""
    guest, image = exclusive
    vm = agent(node, guest)
    with lock(node, image, 6):
        start = vm("start", timeout_s=60)
    assert start.rc == 0 and node.state(guest.name) == "running"
    assert len(node.qemu_pids(guest.name)) == 1
    assert "waiting for the lock" in start.err and str(image) in start.err and "has the lock after" in start.err
    assert vm("monitor").rc == 0
    assert vm("stop", force_stop="1").rc == 0 and is_gone(node, guest.name)


def test_a_lock_of_a_living_holder_is_the_reason_in_the_end(node, exclusive):
    guest, image = exclusive
    vm = agent(node, guest)
    with lock(node, image, 120):
        start = vm("start", timeout_s=20)
    assert start.rc == GENERIC and 8 < start.seconds < 16, "its own deadline is 16 s"
    assert '"write" lock' in start.reason and str(image) in start.reason and "still so after" in start.reason
    assert "a program on this node" in start.reason
    assert vm("stop", force_stop="1").rc == 0 and is_gone(node, guest.name)


def test_a_locked_image_is_waited_for_beside_its_definition(node, exclusive):
    """The configuration is libvirt's own definition, which stays and is off."""
    guest, image = exclusive
    node.virsh("define", guest.config)
    vm = agent(node, guest, config="/etc/libvirt/qemu/guest1.xml")
    with lock(node, image, 3):
        assert vm("start", timeout_s=60).rc == 0
    assert vm("stop", force_stop="1").rc == 0


def test_last_words_of_an_earlier_start_are_no_reason(node, exclusive):
    guest, image = exclusive
    vm = agent(node, guest)
    with lock(node, image, 60):
        assert "lock" in vm("start", timeout_s=8).reason
    guest.edit("</devices>", '<interface type="network"><source network="absent"/></interface></devices>')
    start = vm("start", timeout_s=20)
    assert start.rc == GENERIC and "absent" in start.reason and "lock" not in start.reason
    assert start.seconds < 5, "there is nothing to wait for"


def test_a_daemon_that_is_restarted_while_a_lock_is_waited_for(node, exclusive):
    guest, image = exclusive
    vm = agent(node, guest)
    with lock(node, image, 9):
        process = vm.start_process("start", timeout_s=60)
        time.sleep(3)
        node.kill_daemon()
        node.start_daemon()
        process.communicate()
    assert process.returncode == 0 and len(node.qemu_pids(guest.name)) == 1
    assert vm("stop", force_stop="1").rc == 0


def test_the_lock_stays_the_reason_when_the_last_attempt_hangs(node, exclusive):
    """Storage that gets stuck while its lock is waited for: both are said."""
    guest, image = exclusive
    hook(node, 'if [ "$2" = prepare ]; then [ -e /run/tried ] && sleep 20; touch /run/tried; fi')
    vm = agent(node, guest)
    with lock(node, image, 120):
        start = vm("start", timeout_s=20)
        assert start.rc == GENERIC and start.seconds < 18
        assert "timed out while starting the domain" in start.reason
        assert '"write" lock' in start.reason and str(image) in start.reason and "a program on this node" in start.reason
        wait_until(lambda: is_gone(node, guest.name), 30, "libvirt has given it up")
    assert vm("stop", force_stop="1").rc == 0


def test_a_daemon_that_is_restarted_while_the_guest_is_looked_up(node, guest):
    """The guest's own name is being started by somebody, which holds the look-up up until the daemon dies."""
    hook(node, 'if [ "$2" = prepare ]; then [ -e /run/tried ] || { touch /run/tried; sleep 20; }; fi')
    vm = agent(node, guest)
    stuck = subprocess.Popen(node.command("virsh", "-c", "qemu:///system", "create", guest.config),
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: node.run("ls", "/run/tried", check=False).returncode == 0, 10, "the hook is asked")
    process = vm.start_process("start", timeout_s=60)
    time.sleep(2)
    assert process.poll() is None, "it waits for the look-up"
    node.kill_daemon()
    node.start_daemon()
    _, err = process.communicate()
    stuck.wait()
    assert process.returncode == 0, err
    assert len(node.qemu_pids(guest.name)) == 1
    assert vm("stop", force_stop="1").rc == 0


DEAD_MOUNT = """
import ctypes, os, sys
fd = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={fd},rootmode=40000,user_id=0,group_id=0".encode()
libc = ctypes.CDLL(None, use_errno=True)
assert libc.mount(b"dead", sys.argv[1].encode(), b"fuse", 0, options) == 0, os.strerror(ctypes.get_errno())
"""


@contextlib.contextmanager
def dead_mount(node, directory, seconds):
    """What a volume's mount is once its client has died: a FUSE mount that nobody serves. After so long it goes."""
    node.run("python3", "-c", DEAD_MOUNT, directory)
    assert "not connected" in node.run("ls", directory, check=False).stderr
    end = subprocess.Popen(node.command("bash", "-c", f"sleep {seconds}; umount -l {directory}"),
                           stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        end.wait()


def test_a_configuration_whose_mount_is_dead_for_a_moment_is_waited_for(node, guest):
    vm = agent(node, guest)
    with dead_mount(node, guest.directory, 4):
        assert vm("start", timeout_s=60).rc == 0
    assert vm("stop", force_stop="1").rc == 0


def test_a_configuration_whose_mount_is_dead_is_not_called_not_installed(node, guest):
    with dead_mount(node, guest.directory, 20):
        start = agent(node, guest)("start", timeout_s=60)
    assert start.rc == GENERIC and start.seconds < 18
    assert "not connected" in start.reason and str(guest.config) in start.reason


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
