# SPDX-License-Identifier: GPL-3.0-or-later
"""One simulated BMC per node: ipmi_sim on the BMC's address, switching the node through the chassis program."""

import os
import subprocess
from pathlib import Path

from . import plan

LAB = Path(__file__).resolve().parent.parent
IPMITOOL_TIMEOUT_S = 20

LAN_CONF = """name "{name}"
set_working_mc 0x20
  startlan 1
    addr {address} {port}
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcd{number:02x}
  endlan
  chassis_control "{chassis} {directory}"
  sol "tcp:127.0.0.1:{sol_port}" 115200
  user 1 true  "" "" user 10 none md2 md5 straight
  user 2 true  "{user}" "{password}" admin 10 none md2 md5 straight
  user 3 true  "{operator}" "{operator_password}" operator 10 none md2 md5 straight
"""

BMC_EMU = """mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
"""


def start(node):
    """Start NODE's BMC; the node has no power yet. Runs in the lab's namespaces, returns the process."""
    directory = node.directory
    state = directory / "ipmi"
    state.mkdir()
    (directory / "power").write_text("0\n")
    starter = directory / "start"
    starter.write_text(f"#!/bin/sh\ncd {LAB} && exec /usr/bin/python3 -B -m nalab.node {node.name}\n")
    starter.chmod(0o755)
    (directory / "lan.conf").write_text(LAN_CONF.format(
        name=f"bmc{node.number:02}", address=node.bmc_address, port=plan.BMC_PORT, number=node.number,
        chassis=LAB / "chassis", directory=directory, sol_port=plan.SOL_PORT + node.number,
        user=plan.BMC_USER, password=plan.BMC_PASSWORD,
        operator=plan.BMC_OPERATOR, operator_password=plan.BMC_OPERATOR_PASSWORD,
    ))
    (directory / "bmc.emu").write_text(BMC_EMU)
    command = ["ipmi_sim", "-c", directory / "lan.conf", "-f", directory / "bmc.emu", "-s", state, "-n"]
    with open(directory / "ipmi_sim.log", "ab") as log:
        # A session of its own: the simulator wants no terminal, and its children must not share ours.
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, "LC_ALL": "C"},
        )


def ipmitool(node, *arguments):
    """The command line of an ipmitool call to NODE's BMC, to be run in the lab's namespaces."""
    return [
        "ipmitool", "-I", "lanplus", "-C", "3", "-N", "1", "-R", "5", "-H", node.bmc_address,
        "-U", plan.BMC_USER, "-P", plan.BMC_PASSWORD, *arguments,
    ]
