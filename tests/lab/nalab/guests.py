# SPDX-License-Identifier: GPL-3.0-or-later
"""Test guests: their disk and configuration on the platform's volumes, their witnesses, where they run."""

import re
import sys
import uuid
from string import Template

from . import machine, plan
from .inside import CommandFailed, NodeDown
from .waiting import wait_until

GUEST_SOURCE = machine.SOURCE_TREE / "tests/guest"
sys.path.insert(0, str(GUEST_SOURCE))
import guestcheck  # noqa: E402

DISK_MIB = 16
CONFIG_DIRECTORY = f"{plan.VOLUMES['glxenconf']}/guests"
DISK_DIRECTORY = f"{plan.VOLUMES['glxendata']}/guests"


class Guest:
    """One test guest; its files need not exist yet."""

    def __init__(self, lab, name, number=0, options="", shareable=True):
        self.lab, self.name, self.options, self.shareable = lab, name, options, shareable
        self.address = plan.guest_address(number)
        self.mac = f"52:54:00:a2:16:{number:02x}"
        self.uuid = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.{plan.DOMAIN}"))
        self.config = f"{CONFIG_DIRECTORY}/{name}.xml"
        self.disk = f"{DISK_DIRECTORY}/{name}.img"

    def xml(self):
        """The domain's libvirt description."""
        template = Template((GUEST_SOURCE / "domain.xml").read_text())
        return template.substitute(
            name=self.name, uuid=self.uuid, mac=self.mac, disk=self.disk, options=self.options,
            address=f"{self.address}/{plan.PREFIX}", boot_directory=plan.GUEST_BOOT,
            console=f"{plan.WITNESS}/{self.name}.log", sharing="<shareable/>" if self.shareable else "",
        )

    def install(self, node):
        """Put configuration and an empty disk on the volumes, through NODE, which has them mounted."""
        self.lab.sh(node, "mkdir", "-p", CONFIG_DIRECTORY, DISK_DIRECTORY)
        self.lab.sh(node, "dd", f"of={self.config}", "status=none", text=self.xml())
        self.lab.sh(node, "truncate", "-s", f"{DISK_MIB}M", self.disk)

    def consoles(self):
        """The console files there are, one per node it ran on, as paths on the host."""
        paths = [self.lab.inside.path(node.witness_directory / f"{self.name}.log") for node in self.lab.nodes]
        return [path for path in paths if path.exists()]

    def events(self):
        """What its consoles say, see guestcheck.read_console()."""
        return [event for path in self.consoles() for event in guestcheck.read_console(path)]

    def newest(self):
        """The newest acknowledged record, None before the first."""
        acknowledged = [event.record for event in self.events() if event.kind == "ACK"]
        return max(acknowledged, default=None)

    def wait_for_write(self, seconds, after=None):
        """Wait until a write newer than the record AFTER (default: than any) is acknowledged; return (it, seconds)."""
        floor = after or self.newest()

        def newer():
            newest = self.newest()
            return newest if newest is not None and (floor is None or newest > floor) else None

        return wait_until(newer, seconds, f"{self.name} to write")

    def processes(self):
        """{node name: [pid in the node, ...]} of every QEMU that runs this guest anywhere, Pacemaker's and libvirt's
        opinion not asked."""
        found = {}
        for node in self.lab.nodes:
            try:
                listing = self.lab.sh(node, "ps", "-eo", "pid=,stat=,args=", check=False).stdout
            except (NodeDown, CommandFailed):
                continue
            pids = [
                int(line.split()[0]) for line in listing.splitlines()
                if re.search(rf"qemu-system\S* .*guest={re.escape(self.name)},", line) and line.split()[1][0] != "Z"
            ]
            if pids:
                found[node.name] = pids
        return found

    def verdict(self):
        """What consoles and disk prove, see guestcheck.Verdict; the guest may be running."""
        events = self.events()
        verdict = guestcheck.judge(events, self.ring())
        for path in self.consoles():
            verdict.io_errors += guestcheck.io_errors(path)
        return verdict

    def ring(self):
        """The records on its disk, read through the first node that can; None if none can."""
        copy = f"{self.name}.evidence"
        for node in self.lab.nodes:
            read = ("dd", f"if={self.disk}", f"of={plan.WITNESS}/{copy}", "bs=64k", "count=1", "iflag=direct")
            if self.lab.inside.node_succeeds(node, *read):
                return guestcheck.read_ring(self.lab.inside.path(node.witness_directory / copy))
        return None
