# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures fence_ipmi and fence_ipmilan on one simulated BMC; run by tests/bench/run in a sandbox.

usage: fencing.py SPAWN ROUNDS. Prints what SPAWN prints, names prefixed by the action.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "agents"))
from ipmi_env import PASSWORD, USER, Bmc  # noqa: E402


def measure(spawn, rounds, bmc, directory, action):
    """The same key=value lines for both; cipher suite 3 named, or ipmitool asks for 10 s."""
    request = directory / action
    request.write_text(f"action={action}\nip={bmc.address}\nipport={bmc.port}\nusername={USER}\n"
                       f"password={PASSWORD}\nlanplus=1\ncipher=3\n")
    done = subprocess.run([spawn, rounds, f"{action}-ours", f"@{request}", "/usr/sbin/fence_ipmi",
                           "--", f"{action}-stock", f"@{request}", "/usr/sbin/fence_ipmilan"],
                          check=True, capture_output=True, text=True)
    return done.stdout


def main():
    spawn, rounds = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as scratch, Bmc(Path(scratch) / "bmc") as bmc:
        print(measure(spawn, rounds, bmc, Path(scratch), "status"), end="")
        print(measure(spawn, str(max(3, int(rounds) // 3)), bmc, Path(scratch), "reboot"), end="")


if __name__ == "__main__":
    main()
