# SPDX-License-Identifier: GPL-3.0-or-later
"""The inside of the lab: its PID 1, and the process that builds the world there."""

import json
import os
import subprocess
import sys
import time
import traceback

from . import bmc, cluster, machine, namespaces as ns, pki, plan, provision
from .inside import CommandFailed, Inside
from .waiting import Timeout, wait_until

BUILD_GUEST = machine.SOURCE_TREE / "tests/guest/build-guest"
READY, FAILED = "READY", "FAILED "


def init(settings, report):
    """PID 1 of the lab: build the world in a child, reap for ever. REPORT(line) reaches the user.

    Everything of the lab is a descendant of this process or lives in its namespaces.
    """
    ns.unshare(ns.MACHINE & ~ns.NEWPID)
    ns.make_mounts_private()
    ns.mount("proc", "/proc", "proc", ns.MS_NOSUID | ns.MS_NODEV | ns.MS_NOEXEC)
    ns.mount("tmpfs", plan.WORLD, "tmpfs", 0, "mode=700")
    ns.set_hostname("lab")
    machine.loopback_up()
    builder = os.fork()
    if builder == 0:
        os._exit(build_reporting(settings, report))
    while True:
        pid, status = os.wait()
        if pid == builder and status != 0:
            return 1


def build_reporting(settings, report):
    """build(), with its end told through REPORT."""
    started = time.monotonic()
    try:
        build(settings, lambda text: report(f"{time.monotonic() - started:5.1f} s  {text}"))
        report(READY)
        return 0
    except (CommandFailed, Timeout, machine.MachineError, OSError, subprocess.CalledProcessError) as error:
        detail = f": {error.stderr.strip()}" if getattr(error, "stderr", None) else ""
        report(f"{FAILED}{error}{detail}{last_words(settings)}")
    except Exception:  # the user sees that it is a fault of the lab, not only a vanished process
        report(f"{FAILED}internal error: {traceback.format_exc()}")
    return 1


def last_words(settings):
    """What the nodes' starters complained about, for the message of a failure."""
    words = ""
    for node in plan.nodes(settings["nodes"]):
        log = node.directory / "start.log"
        if log.exists() and (text := log.read_text(errors="replace").strip()):
            words += f"\n{node.name}: {text[-1000:]}"
    return words


def build(settings, say):
    """From an empty tmpfs to a cluster with volumes."""
    members = plan.nodes(settings["nodes"])
    inside = Inside()
    make_directories(members, settings)
    guest = subprocess.Popen([sys.executable, "-B", BUILD_GUEST, plan.WORLD / "guest"], stdout=subprocess.DEVNULL)
    make_switch(members)
    say(f"switch: {plan.NETWORK}.0/{plan.PREFIX}, outside is {plan.OUTSIDE}")
    make_secrets(members)
    say("certificates and corosync key made")
    start_bmcs(inside, members)
    say(f"BMCs answer: {', '.join(node.bmc_address for node in members)}")
    for node in members:
        inside.lab(*bmc.ipmitool(node, "chassis", "power", "on"))
    cluster.wait_for_boot(inside, members, "glusterd is up")
    say(f"powered on through their BMCs: {', '.join(node.name for node in members)}")
    cluster.join_storage(inside, members)
    cluster.create_volumes(inside, members)
    say(f"gluster volumes, {plan.REPLICAS} replicas: {', '.join(plan.VOLUMES)}")
    cluster.wait_for_boot(inside, members)
    cluster.wait_for_cluster(inside, members)
    inside.node(members[0], "pcs", "property", "set", "stonith-enabled=true")
    say(f"corosync (knet, aes256/sha256) and pacemaker: {len(members)} nodes online with quorum")
    if guest.wait(timeout=60) != 0:
        raise machine.MachineError("the test guest could not be built; try tests/guest/build-guest by hand")
    say("test guest built")


def make_directories(members, settings):
    (plan.WORLD / "settings.json").write_text(json.dumps(settings))
    (plan.WORLD / "guest").mkdir()
    for node in members:
        for directory in (node.directory / "bricks", node.directory / "lab", node.witness_directory):
            directory.mkdir(parents=True)


def make_switch(members):
    """The bridge is the switch; the addresses on it are the BMCs' and the outside world's."""
    # An address of its own: a bridge without one takes a port's, changing as nodes come and go, and whoever
    # has the old one in his ARP table would miss the BMCs for half a minute.
    subprocess.run(
        ["ip", "link", "add", "switch", "address", plan.SWITCH_MAC, "type", "bridge", "forward_delay", "0"], check=True
    )
    subprocess.run(["ip", "link", "set", "switch", "up"], check=True)
    for address in [plan.OUTSIDE, *(node.bmc_address for node in members)]:
        subprocess.run(["ip", "address", "add", f"{address}/{plan.PREFIX}", "dev", "switch"], check=True)


def make_secrets(members):
    provision.make_authkey()
    directory = plan.WORLD / "pki"
    pki.create_authority(directory)
    for node in members:
        pki.issue_for_node(directory, node)


def start_bmcs(inside, members):
    for node in members:
        bmc.start(node)
    for node in members:
        status = bmc.ipmitool(node, "chassis", "power", "status")
        wait_until(
            lambda: inside.lab(*status, check=False, timeout_s=bmc.IPMITOOL_TIMEOUT_S).returncode == 0, 10,
            f"the BMC of {node.name}",
        )
