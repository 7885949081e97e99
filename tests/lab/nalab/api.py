# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab for programs: scenario tests and the demo drive it through the class Lab.

    lab = Lab.up(stage="/tmp/stage")
    platform = lab.create_platform("native", guests=[("www1", 100)])
    lab.crash("xmserver01")
    wait_until(lambda: lab.where("www1") == {"xmserver02"}, 60, "www1 elsewhere")
    lab.down()
"""

import os
import shutil
import signal
import time
from pathlib import Path

from . import bmc, cluster, pki, plan, supervisor
from .guests import Guest
from .inside import CommandFailed, Inside, NodeDown
from .pinger import Pinger
from .platform import add_guest, create_platform, delete_platform
from .waiting import Timeout, wait_until

__all__ = ["CommandFailed", "Guest", "Lab", "LabError", "NodeDown", "Pinger", "Timeout", "wait_until"]

LabError = supervisor.LabError
# Longer than a node's self test.
HEAL_S = 90


class Lab:
    """A running lab. Nodes are given by name or as plan.Node."""

    def __init__(self, record):
        self.settings = record
        self.inside = Inside(record["init"])
        self.nodes = plan.nodes(record["nodes"])

    # Life

    @classmethod
    def up(cls, nodes=plan.DEFAULT_NODES, stage=None, boot_delay_s=plan.DEFAULT_BOOT_DELAY_S, say=lambda text: None,
           tied=False):
        """Bring a lab up and return it; LabError with the cause if that fails or one is running already.

        A TIED lab ends with the calling process, however that ends.
        """
        settings = {"nodes": nodes, "stage": str(stage) if stage else None, "boot_delay_s": boot_delay_s,
                    "owner": os.getpid() if tied else None}
        supervisor.up(settings, say)
        return cls.attach()

    @classmethod
    def attach(cls):
        """The lab that runs now; LabError if none does."""
        record = supervisor.running()
        if record is None:
            raise LabError("no lab is running; start one with: tests/lab/lab up")
        return cls(record)

    def down(self):
        """End the lab; returns when nothing of it is left."""
        supervisor.down()

    # Commands

    def find(self, node):
        """The plan.Node of a name such as "xmserver01" (or of a Node)."""
        for known in self.nodes:
            if node in (known, known.name, known.fqdn):
                return known
        raise LabError(f"no node {node}; there are {', '.join(known.name for known in self.nodes)}")

    def sh(self, node, *command, **options):
        """Run COMMAND in NODE; options and result as inside.run()."""
        return self.inside.node(self.find(node), *command, **options)

    def outside(self, *command, **options):
        """Run COMMAND in the lab's outside network, from where guests and BMCs are reached."""
        return self.inside.lab(*command, **options)

    def pcs(self, *arguments, node=None, **options):
        """Run pcs on NODE (default: the first node that runs)."""
        return self.sh(node or self.any_node(), "pcs", *arguments, **options)

    def any_node(self):
        """The first node that is running."""
        for node in self.nodes:
            if self.is_running(node):
                return node
        raise LabError("no node is running")

    # Power and network

    def is_running(self, node):
        """Whether NODE's system runs (its daemons may still be starting)."""
        return self.inside.is_running(self.find(node))

    def crash(self, node):
        """Stop NODE dead, as a loss of its board's power would: silently, and its BMC has power all the same.

        Its port leaves the switch first. The kernel closes the sockets of the killed processes, and the peers must
        not hear of it: a node without power says goodbye to nobody. Returns the time (time.time()) of the crash.
        """
        node = self.find(node)
        pid = self.inside.node_init(node)
        if pid is None:
            raise LabError(f"{node.name} is not running")
        moment = time.time()
        self.inside.lab("ip", "link", "set", node.switch_port, "down")
        self.inside.lab("kill", f"-{int(signal.SIGKILL)}", pid)
        wait_until(lambda: self.inside.node_init(node) is None, 10, f"{node.name} to be gone", poll_s=0.02)
        return moment

    def power(self, node, action="status"):
        """Have NODE's BMC switch: on, off, status. Returns "on" or "off", the state afterwards."""
        node = self.find(node)
        if action != "status":
            self.inside.lab(*bmc.ipmitool(node, "chassis", "power", action), timeout_s=bmc.IPMITOOL_TIMEOUT_S)
        told = self.inside.lab(*bmc.ipmitool(node, "chassis", "power", "status"), timeout_s=bmc.IPMITOOL_TIMEOUT_S)
        return "on" if told.stdout.strip().endswith("is on") else "off"

    def hang_bmc(self, node):
        """Have NODE's BMC fall silent, as one whose firmware hangs: its address is there, nothing answers."""
        self.inside.lab("kill", "-STOP", self._bmc_pid(node))

    def revive_bmc(self, node):
        """Undo hang_bmc(); does no harm to a BMC that is well."""
        self.inside.lab("kill", "-CONT", self._bmc_pid(node))

    def _bmc_pid(self, node):
        node = self.find(node)
        return self.inside.lab("pgrep", "-o", "-f", f"^ipmi_sim -c {node.directory}/lan.conf ").stdout.strip()

    def partition(self, node):
        """Cut NODE's port on the switch: node and guests lose everyone, its BMC stays reachable."""
        node = self.find(node)
        self.inside.path(node.directory / "partitioned").touch()
        if self.inside.node_init(node):
            self.inside.lab("bridge", "link", "set", "dev", node.switch_port, "state", "0")

    def heal(self):
        """Undo every partition."""
        for node in self.nodes:
            flag = self.inside.path(node.directory / "partitioned")
            if flag.exists():
                flag.unlink()
                # The kernel opens no port without a link: a node in its self test has none yet.
                wait_until(lambda: not self.inside.node_init(node) or self._open_port(node), HEAL_S,
                           f"the port of {node.name} to be open")

    def _open_port(self, node):
        command = ("bridge", "link", "set", "dev", node.switch_port, "state", "3")
        return self.inside.lab(*command, check=False).returncode == 0

    # The cluster

    def view(self):
        """crm_mon's view as an XML element, from the first node that answers; None if none does."""
        for node in self.nodes:
            if self.is_running(node):
                view = cluster.monitor_xml(self.inside, node)
                if view is not None:
                    return view
        return None

    def online(self):
        """Names of the nodes that are members of a cluster with quorum, as the majority sees it."""
        best = set()
        for node in self.nodes:
            if self.is_running(node):
                best = max(best, cluster.online_nodes(cluster.monitor_xml(self.inside, node)), key=len)
        return best

    def where(self, resource):
        """Names of the nodes where Pacemaker has RESOURCE (or an instance of it) started and not failed."""
        view = self.view()
        if view is None:
            return set()
        return {
            node.get("name")
            for entry in view.iter("resource")
            if entry.get("id").partition(":")[0] == resource
            and entry.get("role") == "Started" and entry.get("failed") == "false" and entry.get("pending") is None
            for node in entry.findall("node")
        }

    def is_idle(self):
        """Whether Pacemaker has nothing left to do (no transition runs or is due)."""
        try:
            return self.sh(self.any_node(), "crm_resource", "--wait", "--timeout=2", check=False).returncode == 0
        except (CommandFailed, NodeDown):
            return False

    def wait_idle(self, seconds=60):
        """Wait until Pacemaker has nothing left to do."""
        return wait_until(self.is_idle, seconds, "Pacemaker to have nothing left to do")[1]

    def wait_healed(self, seconds=90):
        """Wait until all bricks are there and equal again: before that, a further fault may hit the only good copy."""
        return wait_until(
            lambda: cluster.is_healed(self.inside, self.any_node()), seconds, "the volumes to be healed", poll_s=0.5
        )[1]

    def wait_whole(self, seconds=150):
        """Wait until every node is back in the cluster with its volumes mounted, and everything is healed and idle."""
        names = {node.name for node in self.nodes}
        started = time.monotonic()
        wait_until(lambda: self.online() == names, seconds, "every node to be back in the cluster")
        wait_until(
            lambda: self.where("xencfg") == self.where("xendata") == names, seconds, "the volumes on every node"
        )
        self.wait_healed()
        self.wait_idle()
        return time.monotonic() - started

    # The platform

    def create_platform(self, agents="native", guests=(("www1", 100),), show=lambda words: None):
        """Create the platform's resources with AGENTS ("native" or "stock"); see platform.py."""
        return create_platform(self, agents, guests, show)

    def add_guest(self, agents, name, number, priority, utilization=()):
        """Create a further guest on the platform and wait until it runs; number picks its address."""
        return add_guest(self, agents, name, number, priority, utilization)

    def restart_volumes(self, options=cluster.POWER_LOSS_OPTIONS):
        """Start the volumes anew with OPTIONS in place of the advised timeouts; guests are stopped for it."""
        resources = ("xendata-clone", "xencfg-clone")
        for resource in resources:
            self.pcs("resource", "disable", resource)
        wait_until(lambda: not self.where("xendata") and not self.where("xencfg"), 120, "the volumes to be unmounted")
        cluster.restart_volumes(self.inside, self.any_node(), options)
        for resource in reversed(resources):
            self.pcs("resource", "enable", resource)
        self.wait_whole()

    def failures(self):
        """What Pacemaker has noted of failed actions: (node, operation, status, reason)."""
        return [(entry.get("node"), entry.get("op_key"), entry.get("exitstatus"), entry.get("exitreason"))
                for entry in self.view().findall("failures/failure")]

    def delete_platform(self):
        """Undo create_platform()."""
        delete_platform(self)

    def guest(self, name, number=0, options="", shareable=True):
        """A test guest of that name; number picks its address."""
        return Guest(self, name, number, options, shareable)

    def ping(self, address, interval_s=0.1):
        """An outside pinger of ADDRESS, already running; see pinger.py."""
        return Pinger(self.inside, address, interval_s)

    def client_certificate(self, name):
        """A certificate of the lab's authority for client NAME, on no list of allowed names.

        Returns a directory in the lab for libvirt's `?pkipath=`; it can be copied into a node.
        """
        directory = self.inside.path(plan.WORLD / "pki")
        if not (directory / f"{name}-cert.pem").exists():
            pki.issue(directory, name)
        pki.client_directory(directory, name, directory / f"{name}.d")
        return plan.WORLD / "pki" / f"{name}.d"

    # Evidence

    def read(self, node, path):
        """The text of a file on NODE's disk, also when NODE is down; "" if there is none."""
        try:
            return self.inside.path(self.disk_of(node) / str(path).lstrip("/")).read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def disk_of(self, node):
        """Where in the lab the files are that NODE wrote (the lab's logs are read there)."""
        return self.find(node).directory / "disk/upper"

    def bmc_events(self, node):
        """(time, event) pairs of NODE's BMC: "power off", "power is off", "power on"..."""
        try:
            lines = self.inside.path(self.find(node).directory / "bmc.log").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [(float(moment), event) for moment, _, event in (line.partition(" ") for line in lines)]

    def collect_logs(self, directory):
        """Copy every node's logs, the BMCs' and the guests' consoles below DIRECTORY on the host."""
        directory = Path(directory)
        for node in self.nodes:
            copies = [(self.disk_of(node) / "var/log", "log"), (node.witness_directory, "consoles")]
            copies += [(node.directory / name, name) for name in ("lab/boot.log", "bmc.log", "start.log")]
            for source, name in copies:
                source, target = self.inside.path(source), directory / node.name / name
                if source.is_dir():
                    shutil.copytree(source, target, dirs_exist_ok=True, ignore=not_plain)
                elif source.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source, target)


def not_plain(directory, names):
    """Of NAMES in DIRECTORY, those that cannot be copied as a file: sockets, an overlay's marks of deletion."""
    return [name for name in names if not (path := Path(directory, name)).is_dir() and not path.is_file()]
