# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's table: who has which name, address and place. Everything else asks here."""

from dataclasses import dataclass
from pathlib import Path

DOMAIN = "example.org"
CLUSTER = "native-agents"
NETWORK = "10.172.21"
PREFIX = 24
SWITCH_MAC = "52:54:00:a2:15:ff"
OUTSIDE = f"{NETWORK}.1"
FIRST_GUEST = 101

# The state directory: lock, supervisor's pid and log on the host; WORLD is a tmpfs only the lab sees.
STATE = Path("/run/native-agents-lab")
WORLD = STATE / "world"

BMC_USER, BMC_PASSWORD = "admin", "secret"
BMC_OPERATOR, BMC_OPERATOR_PASSWORD = "operator", "secret2"
BMC_PORT = 623
# Serial over LAN: ipmi_sim connects to the node's console here, one port per node.
SOL_PORT = 9700

MIN_NODES, MAX_NODES, DEFAULT_NODES = 3, 9, 3
DEFAULT_BOOT_DELAY_S = 45
REPLICAS = 3
# Volume names and where the platform mounts them.
VOLUMES = {"glxenconf": "/datos/xenconf", "glxendata": "/datos/xendata"}
# Places inside a node that are not on its disk.
BRICKS, WITNESS, GUEST_BOOT = "/bricks", "/srv/witness", "/srv/guest"


@dataclass(frozen=True)
class Node:
    """One node: its number (from 1), its addresses and its directory in WORLD."""

    number: int

    @property
    def name(self):
        return f"xmserver{self.number:02}"

    @property
    def fqdn(self):
        return f"{self.name}.{DOMAIN}"

    @property
    def address(self):
        # The platform's three nodes have .43-.45 and their BMCs .40-.42; further ones live apart.
        return f"{NETWORK}.{42 + self.number if self.number <= 3 else 80 + self.number}"

    @property
    def bmc_address(self):
        return f"{NETWORK}.{39 + self.number if self.number <= 3 else 60 + self.number}"

    @property
    def mac(self):
        return f"52:54:00:a2:15:{self.number:02x}"

    @property
    def switch_port(self):
        return f"port{self.number}"

    @property
    def directory(self):
        return WORLD / "nodes" / self.name

    @property
    def witness_directory(self):
        return WORLD / "witness" / self.name


def nodes(count):
    """The first COUNT nodes."""
    return [Node(number) for number in range(1, count + 1)]


def guest_address(number):
    """The address of guest NUMBER (from 0)."""
    return f"{NETWORK}.{FIRST_GUEST + number}"
