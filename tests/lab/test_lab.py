# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as a tool: what its commands do, and that nothing of it survives its end, however it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from nalab import plan  # noqa: E402
from nalab.api import Lab, wait_until  # noqa: E402

LAB = HERE / "lab"
NAMESPACES = ("pid", "net", "mnt", "uts", "ipc")


def lab_tool(*arguments, **options):
    return subprocess.run([LAB, *arguments], capture_output=True, text=True, check=False, **options)


def namespace(process, kind):
    try:
        return os.readlink(f"/proc/{process}/ns/{kind}")
    except OSError:
        return None


def processes():
    return [entry.name for entry in Path("/proc").glob("[0-9]*")]


def belongings(init):
    """The namespaces of the lab whose PID 1 is INIT, nested ones included."""
    own = {namespace("self", kind) for kind in NAMESPACES}
    mine, frontier = set(), [str(init)]
    while frontier:
        process = frontier.pop()
        mine |= {namespace(process, kind) for kind in NAMESPACES} - own - {None}
        try:
            frontier += Path(f"/proc/{process}/task/{process}/children").read_text().split()
        except OSError:
            pass
    return mine


def assert_gone(namespaces):
    """No process is in NAMESPACES any more, no mount holds one, and the host shows nothing of a lab."""

    def left():
        return [(p, kind) for p in processes() for kind in NAMESPACES if namespace(p, kind) in namespaces]

    wait_until(lambda: not left(), 10, "the lab's processes to end")
    mounts = Path("/proc/self/mountinfo").read_text()
    assert not any(name in mounts for name in namespaces) and str(plan.STATE) not in mounts
    links = subprocess.run(["ip", "-o", "address"], capture_output=True, text=True, check=True).stdout
    assert plan.NETWORK not in links


@pytest.fixture(autouse=True)
def no_lab():
    assert "no lab is running" in lab_tool("status").stderr, "another lab is running: end it first (lab down)"
    yield
    lab_tool("down")


def take_interrupts():
    """As at a terminal: a shell that starts this suite in the background has told it to ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_interrupt_while_coming_up_leaves_nothing():
    with subprocess.Popen([LAB, "up"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          preexec_fn=take_interrupts) as up:
        for line in up.stdout:
            if "powered on" in line:
                break
        mine = belongings(json.loads((plan.STATE / "lab.json").read_text())["init"])
        up.send_signal(signal.SIGINT)
        assert up.wait(timeout=20) == 1
        assert "interrupted; the lab has been taken down again" in up.stderr.read()
    assert len(mine) > 5
    assert_gone(mine)
    assert not plan.STATE.exists()


def test_up_that_loses_its_terminal_leaves_nothing():
    with subprocess.Popen([LAB, "up"], stdout=subprocess.PIPE, text=True) as up:
        for line in up.stdout:
            if "BMCs answer" in line:
                break
        mine = belongings(json.loads((plan.STATE / "lab.json").read_text())["init"])
        up.kill()
        up.wait(timeout=10)
    assert_gone(mine)
    wait_until(lambda: not plan.STATE.exists(), 10, "the state directory to be removed")


def test_wrong_stage_is_refused_before_anything_starts(tmp_path):
    done = lab_tool("up", "--stage", tmp_path / "absent")
    assert done.returncode == 1 and "make install DESTDIR=" in done.stderr
    assert not plan.STATE.exists()


def test_commands_and_a_crash_of_the_supervisor():
    up = lab_tool("up", "--boot-delay", "1")
    assert up.returncode == 0, up.stderr
    lab = Lab.attach()
    first, second, third = lab.nodes
    supervisor = lab.settings["supervisor"]

    again = lab_tool("up")
    assert again.returncode == 1 and f"supervisor pid {supervisor}" in again.stderr and "lab down" in again.stderr
    status = lab_tool("status").stdout
    assert status.count("power on   running  online") == len(lab.nodes)
    assert lab_tool("sh", first.name, "hostname").stdout == f"{first.name}\n"
    assert lab_tool("sh", first.name, "sh", "-c", "exit 5").returncode == 5
    assert "no node xmserver09" in lab_tool("sh", "xmserver09", "true").stderr
    assert "transport knet" in lab.sh(first, "corosync-cfgtool", "-s").stdout

    # Control connections are for the nodes' own certificates alone.
    uri = f"qemu+tls://{second.fqdn}/system"
    assert lab.sh(first, "virsh", "--connect", uri, "version").returncode == 0
    for name, allowed in ((first.fqdn, True), ("stranger.example.org", False)):
        pkipath = lab.client_certificate(name)
        asked = ("virsh", "--connect", f"qemu+tls://{second.address}/system?pkipath={pkipath}", "version")
        assert (lab.outside(*asked, check=False).returncode == 0) == allowed

    # A cut network: the node cannot be reached, its BMC can.
    ping = ("ping", "-c", "1", "-W", "1")
    assert lab_tool("partition", third.name).returncode == 0
    assert lab.outside(*ping, third.address, check=False).returncode != 0
    assert lab.sh(first, *ping, third.bmc_address).returncode == 0
    assert lab_tool("heal").returncode == 0
    wait_until(lambda: lab.outside(*ping, third.address, check=False).returncode == 0, 10, "the network to be back")

    # Crashed is not switched off; switching off and on brings the node back.
    assert lab_tool("crash", third.name).returncode == 0
    assert "power is on, but it has crashed" in lab_tool("power", third.name).stdout
    assert "power is off" in lab_tool("power", third.name, "off").stdout
    assert "power is on" in lab_tool("power", third.name, "on").stdout
    wait_until(lambda: lab.online() == {node.name for node in lab.nodes}, 60, f"{third.name} to rejoin")

    mine = belongings(lab.settings["init"])
    os.kill(supervisor, signal.SIGKILL)
    assert_gone(mine)
    assert "no lab is running" in lab_tool("status").stderr
    assert "cleared what a crashed one had left" in lab_tool("down").stdout
    assert not plan.STATE.exists()


def test_nothing_can_be_run_in_a_node_before_its_system_is_there():
    lab = Lab.up(boot_delay_s=60, tied=True)
    node = lab.nodes[0]
    lab.power(node, "off")
    lab.power(node, "on")
    done = lab_tool("sh", node.name, "touch", "/tmp/in-the-node")
    assert done.returncode == 1 and "still in its self test" in done.stderr
    # Power is cut in the middle of the self test: nothing of it goes on.
    assert lab.power(node, "off") == "off"
    assert "not running" in lab_tool("sh", node.name, "true").stderr


def test_more_nodes_and_down():
    started = time.monotonic()
    up = lab_tool("up", "--nodes", "4")
    assert up.returncode == 0, up.stderr
    assert time.monotonic() - started < 60
    lab = Lab.attach()
    assert len(lab.online()) == 4
    mine = belongings(lab.settings["init"])
    assert lab_tool("down").stdout == "the lab is down\n"
    assert_gone(mine)
    assert not plan.STATE.exists()
