# SPDX-License-Identifier: GPL-3.0-or-later
"""A node under power: `python3 -m nalab.node NAME` runs one until its init is gone.

Started by the chassis program when the BMC switches the power on. The node is a process tree in namespaces
of its own; its init (node-init) is its life, killing that is pulling the plug.
"""

import json
import os
import subprocess
import sys
import time

from . import machine, namespaces as ns, plan, provision


def read_settings():
    """What `lab up` was told: nodes, stage, boot delay, see world.py."""
    return json.loads((plan.WORLD / "settings.json").read_text())


def run(node):
    """Give NODE power: wire it to the switch, boot it, wait for its end. Runs in the lab's namespaces."""
    settings = read_settings()
    uplink = f"up{node.number}"
    (node.directory / "entered").unlink(missing_ok=True)
    # The port of an earlier life may not have been collected yet.
    subprocess.run(["ip", "link", "delete", node.switch_port], stderr=subprocess.DEVNULL, check=False)
    ip("link", "add", node.switch_port, "type", "veth", "peer", "name", uplink)
    ip("link", "set", node.switch_port, "master", "switch", "up")
    flood_for_guests(node.switch_port, [node.mac])
    # For the chassis: what loses its power falls silent at once.
    (node.directory / "port").write_text(f"{node.switch_port}\n")
    if (node.directory / "partitioned").exists():
        subprocess.run(["bridge", "link", "set", "dev", node.switch_port, "state", "0"], check=True)
    ns.unshare(ns.NEWPID)
    child = os.fork()
    if child == 0:
        ns.die_with_parent()
        ns.unshare(ns.MACHINE & ~ns.NEWPID)
        # /proc is still the lab's: its 1 is the lab's init. The other 1 is this process, in its own pid namespace.
        ip("link", "set", uplink, "name", "eth0", "netns", "1", enter=["nsenter", "--net=/proc/1/ns/net"])
        boot(node, settings)
    (node.directory / "init.pid").write_text(f"{child}\n")
    os.waitpid(child, 0)
    for trace in ("entered", "init.pid", "runner.pid"):
        (node.directory / trace).unlink(missing_ok=True)


def boot(node, settings):
    """PID 1 of the node, until node-init takes its place."""
    boot_log = node.directory / "lab/boot.log"
    first_boot = not boot_log.exists()
    if not first_boot:
        with open(boot_log, "a", encoding="utf-8") as log:
            log.write(f"{time.time():.3f} power on, self test\n")
        time.sleep(settings["boot_delay_s"])
    ns.make_mounts_private()
    ns.set_hostname(node.name)
    machine.loopback_up()
    network(node)
    binds = [
        (node.directory / "bricks", plan.BRICKS),
        (node.directory / "lab", "/run/lab"),
        (node.witness_directory, plan.WITNESS),
        (plan.WORLD / "guest", plan.GUEST_BOOT),
    ]
    # Only the first time: later on, stage and configuration are on the node's disk.
    root = machine.build_root(node.directory / "disk", settings["stage"] if first_boot else None, binds)
    if first_boot:
        provision.install(root, node, settings["nodes"], plan.WORLD / "pki")
    directory = os.open(node.directory, os.O_DIRECTORY)
    os.chroot(root)
    os.chdir("/")
    # Only from here on may anything be run "in the node": before, its root was still the host's.
    os.close(os.open("entered", os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=directory))
    os.close(directory)
    os.execv("/bin/bash", ["lab-init", "/sbin/lab-init"])


def network(node):
    """The node's card goes into a bridge that its guests share; the bridge has the node's address."""
    ip("link", "add", "br0", "address", node.mac, "type", "bridge", "forward_delay", "0")
    ip("link", "set", "eth0", "master", "br0", "up")
    others = [other.mac for other in plan.nodes(plan.MAX_NODES) if other != node]
    flood_for_guests("eth0", [plan.SWITCH_MAC, *others])
    ip("link", "set", "br0", "up")
    ip("address", "add", f"{node.address}/{plan.PREFIX}", "dev", "br0")


def flood_for_guests(port, known):
    """Have bridge PORT lead to the KNOWN hardware addresses and learn no others: frames for guests go everywhere.

    So a frame sent in the short pause at the end of a live migration waits in the target's tap device and is
    answered when the guest goes on there. With learning, it would be dropped if it came in that pause, and
    whether a ping once a second is lost would be a matter of luck.
    """
    subprocess.run(["bridge", "link", "set", "dev", port, "learning", "off"], check=True)
    for address in known:
        subprocess.run(["bridge", "fdb", "replace", address, "dev", port, "master", "static"], check=True)


def ip(*arguments, enter=()):
    subprocess.run([*enter, "ip", *arguments], check=True)


def main():
    names = {node.name: node for node in plan.nodes(plan.MAX_NODES)}
    if len(sys.argv) != 2 or sys.argv[1] not in names:
        sys.exit("usage: python3 -m nalab.node NODE (started by the lab's chassis program)")
    # The BMC's sockets are not the node's.
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    run(names[sys.argv[1]])


if __name__ == "__main__":
    main()
