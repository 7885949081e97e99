# SPDX-License-Identifier: GPL-3.0-or-later
"""The platform: the resources that an administrator creates with pcs, with our agents or with the stock ones."""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

from . import plan
from .waiting import wait_until

START_S, GUEST_START_S = 60, 60


@dataclass(frozen=True)
class Agents:
    """What the agents are called, and how a fence agent is told about its BMC."""

    filesystem: str
    virtual_domain: str
    fence: str
    fence_options: str


AGENTS = {
    "native": Agents(
        "ocf:native:Filesystem", "ocf:native:VirtualDomain", "fence_ipmi",
        "ipaddr={bmc} login={user} passwd={password}",
    ),
    # Cipher suite 3 named: ipmitool would first spend 10 s asking the simulator which ones it has.
    "stock": Agents(
        "ocf:heartbeat:Filesystem", "ocf:heartbeat:VirtualDomain", "fence_ipmilan",
        "ip={bmc} username={user} password={password} lanplus=1 cipher=3",
    ),
}


def fence_commands(agents, members):
    """One fence device per node, never run by the node it fences."""
    for node in members:
        device = f"fence_xm{node.number:02}"
        options = agents.fence_options.format(bmc=node.bmc_address, user=plan.BMC_USER, password=plan.BMC_PASSWORD)
        yield f"stonith create {device} {agents.fence} {options} pcmk_host_list={node.name}".split()
        yield f"constraint location {device} avoids {node.name}".split()


def storage_commands(agents):
    """The volumes, mounted on every node. Interleaved: a node's return must not restart the others' guests.

    With auto-invalidation asked for: by default, gluster 10 lets the kernel keep a file's pages after another node
    has changed the file without changing its size, and a guest would be started by a configuration edited away.
    """
    for resource, volume in (("xencfg", "glxenconf"), ("xendata", "glxendata")):
        yield [
            *f"resource create {resource} {agents.filesystem}".split(), f"device=localhost:/{volume}",
            f"directory={plan.VOLUMES[volume]}", "fstype=glusterfs", "options=auto-invalidation=on",
        ]
        yield f"resource clone {resource} interleave=true".split()


def guest_commands(agents, guest, priority):
    """A guest that migrates over TLS, after both volumes are mounted."""
    yield [
        *f"resource create {guest.name} {agents.virtual_domain} hypervisor=qemu:///system".split(),
        f"config={guest.config}", "migration_transport=tls", f"remoteuri=qemu+tls://%n.{plan.DOMAIN}/system",
        *"op start timeout=300s op stop timeout=300s op monitor timeout=30s interval=10".split(),
        *f"meta allow-migrate=true priority={priority}".split(),
        *"op migrate_from interval=0 timeout=300s op migrate_to interval=0 timeout=300s".split(),
    ]
    yield f"constraint order set xencfg-clone xendata-clone require-all=true set {guest.name}".split()


def create_platform(lab, agents, guests, show):
    """Create fencing, volumes and GUESTS ((name, priority) pairs) in LAB and wait until all of it runs.

    SHOW(words) is called with each pcs command before it runs. Returns the Guests by name.
    """
    chosen = AGENTS[agents]

    def pcs(commands):
        for words in commands:
            show(["pcs", *words])
            lab.pcs(*words)

    pcs([["resource", "defaults", "update", "resource-stickiness=100"]])
    pcs(fence_commands(chosen, lab.nodes))
    pcs(storage_commands(chosen))
    names = {node.name for node in lab.nodes}
    wait_until(lambda: lab.where("xencfg") == lab.where("xendata") == names, START_S, "the volumes on every node")
    created = {name: lab.guest(name, number) for number, (name, _) in enumerate(guests)}
    for name, priority in guests:
        created[name].install(lab.nodes[0])
        pcs(guest_commands(chosen, created[name], priority))
    devices = [f"fence_xm{node.number:02}" for node in lab.nodes]
    wait_until(lambda: all(lab.where(device) for device in devices), START_S, "every fence device started")
    for guest in created.values():
        wait_for_guest(lab, guest)
    return created


def wait_for_guest(lab, guest):
    wait_until(lambda: len(lab.where(guest.name)) == 1, GUEST_START_S, f"{guest.name} started")
    guest.wait_for_write(GUEST_START_S)


def add_guest(lab, agents, name, number, priority, utilization):
    """A further guest on the platform, started; UTILIZATION as in `pcs resource utilization`."""
    guest = lab.guest(name, number)
    guest.install(lab.any_node())
    for words in guest_commands(AGENTS[agents], guest, priority):
        lab.pcs(*words)
    lab.pcs("resource", "utilization", name, *utilization)
    wait_for_guest(lab, guest)
    return guest


def delete_platform(lab):
    """Remove every resource with its constraints, and the guests' files and records; nothing of it runs afterwards."""
    guests = [entry.get("id") for entry in lab.view().findall("resources/resource")
              if entry.get("resource_agent").endswith(":VirtualDomain")]
    for name in guests:
        lab.pcs("resource", "delete", name)
    lab.sh(lab.any_node(), "rm", "-rf", *(f"{path}/guests" for path in plan.VOLUMES.values()))
    constraints = ElementTree.fromstring(lab.sh(lab.any_node(), "cibadmin", "--query", "--scope=constraints").stdout)
    for order in constraints.findall("rsc_order"):
        lab.pcs("constraint", "delete", order.get("id"))
    for name in ("xendata", "xencfg", *(f"fence_xm{node.number:02}" for node in lab.nodes)):
        lab.pcs("resource", "delete", name)
    lab.wait_idle()
    for node in lab.nodes:
        for record in lab.inside.path(node.witness_directory).iterdir():
            record.unlink()
