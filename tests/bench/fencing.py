# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures fence_ipmi and fence_ipmilan on simulated BMCs; run by tests/bench/run in a sandbox.

usage: fencing.py SPAWN ROUNDS. Prints lines as SPAWN does, "NAME WALL_US CPU_US KIB EXIT":
    status-*, reboot-*  what SPAWN measured; its KiB are those of the largest process alone
    memory-*            one status; the KiB of all the agent's processes together, see memory()
    fifty-*             all of them switched off at once; EXIT is how many were not proven off
"""

import ctypes
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "agents"))
from ipmi_env import PASSWORD, USER, Bmc, Faults, Relay  # noqa: E402

AGENTS = {"ours": "/usr/sbin/fence_ipmi", "stock": "/usr/sbin/fence_ipmilan"}
NODES = 50
# Added to each reply while memory is measured: the agents are then there to be looked at.
REPLY_S, SAMPLE_S = 0.2, 0.01
PR_SET_CHILD_SUBREAPER = 36


def request(action, address, port):
    """The same key=value lines for both; cipher suite 3 named, or ipmitool asks for 10 s."""
    return (f"action={action}\nip={address}\nipport={port}\nusername={USER}\npassword={PASSWORD}\n"
            "lanplus=1\ncipher=3\n")


def measure(spawn, rounds, bmc, directory, action):
    file = directory / action
    file.write_text(request(action, bmc.address, bmc.port))
    words = []
    for name, agent in AGENTS.items():
        words += [*(["--"] if words else []), f"{action}-{name}", f"@{file}", agent]
    done = subprocess.run([spawn, rounds, *words], check=True, capture_output=True, text=True)
    return done.stdout


def begin(agent, text):
    """The agent, running, with TEXT as its input."""
    process = subprocess.Popen([agent], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, text=True)
    process.stdin.write(text)
    process.stdin.close()
    return process


def children(pid):
    """The process's children, as far as it is still there to have any."""
    try:
        return [int(child) for thread in Path(f"/proc/{pid}/task").iterdir()
                for child in (thread / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def family(pid):
    """The process and all its descendants."""
    found = [pid]
    for each in found:
        found += children(each)
    return found


def pss_kib(pid):
    """The process's proportional set: its own pages and its share of those that it shares."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def cpu_s():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def collect_orphans(known):
    """Wait for what ended agents left, all but the KNOWN: its CPU time counts too."""
    while set(children(os.getpid())) - known:
        os.waitpid(-1, 0)


def memory(agent, bmc):
    """(seconds, most KiB, exit status) of a status from a slow BMC.

    The largest sum of the proportional sets of the agent's processes at any one moment: supervisor
    and worker of ours, Python and ipmitool of the other. Pages shared among them count once. This
    program is Python too and shares pages with the other's: that is to the other's advantage.
    """
    simulators = set(children(os.getpid()))
    with Relay((bmc.address, bmc.port), Faults(delay_s=REPLY_S)) as relay:
        began = time.monotonic()
        process = begin(agent, request("status", "127.0.0.1", relay.port))
        most = 0
        while process.poll() is None:
            most = max(most, sum(map(pss_kib, family(process.pid))))
            time.sleep(SAMPLE_S)
        seconds = time.monotonic() - began
        collect_orphans(simulators)
        return seconds, most, process.returncode


def switch_off(agent, bmcs):
    """(seconds, CPU seconds, nodes not proven off) for all BMCS at the same moment."""
    for bmc in bmcs:
        bmc.write("power", 1)
    simulators = set(children(os.getpid()))
    before_s = cpu_s()
    began = time.monotonic()
    running = [begin(agent, request("off", bmc.address, bmc.port)) for bmc in bmcs]
    codes = [process.wait() for process in running]
    seconds = time.monotonic() - began
    collect_orphans(simulators)
    missing = sum(code != 0 or bmc.power != "0" for code, bmc in zip(codes, bmcs))
    return seconds, cpu_s() - before_s, missing


def line(name, wall_s, busy_s, kib, status):
    print(name, round(wall_s * 1e6), round(busy_s * 1e6), kib, status, flush=True)


def main():
    spawn, rounds = sys.argv[1:3]
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        sys.exit("fencing.py: cannot become the subreaper of the agents")
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as running:
        scratch = Path(scratch)
        bmc = running.enter_context(Bmc(scratch / "bmc"))
        print(measure(spawn, rounds, bmc, scratch, "status"), end="")
        print(measure(spawn, str(max(3, int(rounds) // 3)), bmc, scratch, "reboot"), end="")
        for name, agent in AGENTS.items():
            wall_s, kib, status = memory(agent, bmc)
            line(f"memory-{name}", wall_s, 0, kib, status)
        many = [running.enter_context(Bmc(scratch / f"bmc{number}", address=f"127.0.1.{number}",
                                          port=bmc.port)) for number in range(1, NODES + 1)]
        for name, agent in AGENTS.items():
            wall_s, busy_s, missing = switch_off(agent, many)
            line(f"fifty-{name}", wall_s, busy_s, 0, missing)


if __name__ == "__main__":
    main()
