# SPDX-License-Identifier: GPL-3.0-or-later
"""Many nodes fenced at the same moment by one host: the real fencer, one BMC for each node."""

import os
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from conftest import wait_until
from ipmi_env import PASSWORD, USER, Bmc

NODES = 10
# How long each power supply takes to go down. Fenced one after the other, the nodes would need NODES times that.
DOWN_S = 1


def admin(*arguments):
    return ["stonith_admin", *map(str, arguments)]


@pytest.fixture
def fencer():
    """pacemaker-fenced without a cluster; its log file."""
    Path("/run/crm").mkdir(parents=True, exist_ok=True)
    log = Path("/tmp/fencer-many.log")
    log.touch()
    process = subprocess.Popen(["/usr/lib/pacemaker/pacemaker-fenced", "--stand-alone"],
                               env={**os.environ, "PCMK_logfile": str(log)}, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: subprocess.run(admin("-L"), capture_output=True).returncode == 0, 10, "the fencer")
    yield log
    process.kill()
    process.wait()


def test_ten_nodes_at_once(fencer, tmp_path):
    with ExitStack() as running:
        bmcs = {}
        port = None
        for number in range(1, NODES + 1):
            bmc = Bmc(tmp_path / f"bmc{number}", address=f"127.0.1.{number}", port=port)
            port = bmc.port
            bmc.write("down_s", DOWN_S)
            bmcs[f"node{number}"] = running.enter_context(bmc)
        for node, bmc in bmcs.items():
            options = {"ip": bmc.address, "ipport": bmc.port, "username": USER, "password": PASSWORD,
                       "pcmk_host_list": node}
            words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
            subprocess.run(admin("-R", f"fence_{node}", "-a", "fence_ipmi", *words), check=True, timeout=30)

        began = time.monotonic()
        requests = [subprocess.Popen(admin("-F", node, "-t", 20), stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                    for node in bmcs]
        answers = [(request.communicate(timeout=60)[0], request.returncode) for request in requests]
        seconds = time.monotonic() - began

        assert [code for _, code in answers] == [0] * NODES, (answers, fencer.read_text()[-4000:])
        assert [bmc.power for bmc in bmcs.values()] == ["0"] * NODES
        assert [bmc.changes() for bmc in bmcs.values()] == [["set power 0"]] * NODES, "each switched once"
        print(f"{NODES} nodes whose power takes {DOWN_S} s to go down were fenced in {seconds:.2f} s")
        assert DOWN_S <= seconds < NODES * DOWN_S / 2, "they must not wait for each other"
