# SPDX-License-Identifier: GPL-3.0-or-later
"""What the administrator does once on new nodes: wait for the cluster, set it up, create the volumes."""

import xml.etree.ElementTree as ElementTree

from . import plan
from .inside import CommandFailed, NodeDown
from .waiting import wait_until

BOOT_S, CLUSTER_S, PEERS_S = 60, 60, 30
VOLUME_OPTIONS = {
    # Guest images are opened with O_DIRECT; bricks on a file system without it must not refuse them.
    "network.remote-dio": "enable",
    "performance.quick-read": "off",
    "performance.read-ahead": "off",
    "performance.io-cache": "off",
    "performance.stat-prefetch": "off",
}
# What README.md advises, so that a node without power is forgotten as fast as it is fenced: a brick gives a client's
# locks up when its connection ends, and with nobody to say goodbye that takes 42 s and more by default. Options of a
# connection count from its beginning, so they are set before the volume is started.
POWER_LOSS_OPTIONS = {
    "network.ping-timeout": "10",
    **{f"{side}.{option}": value
       for side in ("server", "client")
       for option, value in (("tcp-user-timeout", "4"), ("keepalive-time", "2"), ("keepalive-interval", "1"),
                             ("keepalive-count", "2"))},
}


def boot_messages(inside, node):
    """(time, message) pairs that NODE wrote while booting, of its latest boot."""
    try:
        lines = inside.path(node.directory / "lab/boot.log").read_text().splitlines()
    except FileNotFoundError:
        return []
    messages = [(float(time), message) for time, _, message in (line.partition(" ") for line in lines)]
    starts = [i for i, (_, message) in enumerate(messages) if message == "booting"]
    return messages[starts[-1]:] if starts else []


def wait_for_boot(inside, members, message="booted", seconds=BOOT_S):
    """Until every node's init has said MESSAGE."""

    def reached():
        for node in members:
            said = [text for _, text in boot_messages(inside, node)]
            failed = [text for text in said if text.startswith("failed:")]
            if failed:
                raise CommandFailed(f"{node.name}: {failed[0]}")
            if message not in said:
                return False
        return True

    return wait_until(reached, seconds, f"every node to say '{message}'")


def monitor_xml(inside, node, seconds=10):
    """NODE's view of the cluster (crm_mon) as an XML element, None if it has none."""
    try:
        done = inside.node(node, "crm_mon", "--output-as=xml", check=False, timeout_s=seconds)
    except (NodeDown, CommandFailed):
        return None
    if done.returncode != 0:
        return None
    return ElementTree.fromstring(done.stdout)


def online_nodes(view):
    """Names of the nodes that are members in a crm_mon VIEW with a DC and quorum."""
    if view is None:
        return set()
    dc = view.find("summary/current_dc")
    if dc is None or dc.get("present") != "true" or dc.get("with_quorum") != "true":
        return set()
    return {
        node.get("name") for node in view.findall("nodes/node")
        if node.get("online") == "true" and node.get("pending") == "false" and node.get("unclean") == "false"
    }


def wait_for_cluster(inside, members, seconds=CLUSTER_S):
    """Until all MEMBERS are online in a cluster with quorum and a DC, as the first of them sees it."""
    names = {node.name for node in members}
    return wait_until(
        lambda: online_nodes(monitor_xml(inside, members[0])) >= names, seconds, f"{', '.join(sorted(names))} online",
        poll_s=0.3,
    )


def connected_peers(inside, node):
    """How many gluster peers NODE is connected to, 0 when it cannot tell."""
    try:
        listing = inside.node(node, "gluster", "--mode=script", "peer", "status", check=False, timeout_s=15).stdout
    except (NodeDown, CommandFailed):
        return 0
    return listing.count("State: Peer in Cluster (Connected)")


def join_storage(inside, members):
    """Make one gluster pool of MEMBERS; a volume create before all know all would fail."""
    first = members[0]
    for node in members[1:]:
        inside.node(first, "gluster", "--mode=script", "peer", "probe", node.name)
    wait_until(
        lambda: all(connected_peers(inside, node) == len(members) - 1 for node in members), PEERS_S,
        "every gluster server to know every other", poll_s=0.2,
    )


def create_volumes(inside, members):
    """The platform's two volumes, replicated on the first nodes."""
    first = members[0]
    for volume in plan.VOLUMES:
        for node in members[: plan.REPLICAS]:
            inside.path(node.directory / "bricks" / volume).mkdir(exist_ok=True)
        bricks = [f"{node.name}:{plan.BRICKS}/{volume}" for node in members[: plan.REPLICAS]]
        gluster = ("gluster", "--mode=script", "volume")
        inside.node(first, *gluster, "create", volume, "replica", str(plan.REPLICAS), *bricks, "force")
        set_options(inside, first, volume, {**VOLUME_OPTIONS, **POWER_LOSS_OPTIONS})
        inside.node(first, *gluster, "start", volume)


def set_options(inside, node, volume, options):
    words = [word for option in options.items() for word in option]
    inside.node(node, "gluster", "--mode=script", "volume", "set", volume, *words)


def restart_volumes(inside, node, options):
    """Stop the volumes, which nobody has mounted, and start them with OPTIONS in place of POWER_LOSS_OPTIONS."""
    gluster = ("gluster", "--mode=script", "volume")
    for volume in plan.VOLUMES:
        inside.node(node, *gluster, "stop", volume)
        for option in POWER_LOSS_OPTIONS:
            inside.node(node, *gluster, "reset", volume, option)
        if options:
            set_options(inside, node, volume, options)
        inside.node(node, *gluster, "start", volume)


def is_healed(inside, node):
    """Whether, as NODE sees it, every brick of every volume is there and has nothing left to heal."""
    for volume in plan.VOLUMES:
        try:
            told = inside.node(node, "gluster", "volume", "heal", volume, "info", check=False, timeout_s=30).stdout
        except (NodeDown, CommandFailed):
            return False
        if told.count("Number of entries: 0") != plan.REPLICAS or told.count("Status: Connected") != plan.REPLICAS:
            return False
    return True
