# SPDX-License-Identifier: GPL-3.0-or-later
"""The power-management test: it succeeds before fencing is needed, and tells what is wrong when it does not."""

import pytest

from nalab import plan

ON = 0
FENCE = {"native": ["fence_ipmi"], "stock": ["fence_ipmilan", "-P", "-C", "3"]}


def power_test(lab, agents, node, runner, password=plan.BMC_PASSWORD):
    return lab.sh(
        runner, *FENCE[agents], "-a", node.bmc_address, "-l", plan.BMC_USER, "-p", password, "-o", "status",
        check=False, timeout_s=60,
    )


def test_t8_power_status_of_every_node_from_every_other(experiment, lab, agents):
    for node in lab.nodes:
        assert lab.where(f"fence_xm{node.number:02}"), "Pacemaker monitors the device"
        for runner in lab.nodes:
            if runner != node:
                told = power_test(lab, agents, node, runner.name)
                assert told.returncode == ON, told.stdout + told.stderr
    assert all(lab.is_running(node) for node in lab.nodes), "asking for the status switches nothing"
    experiment.sound()


def test_t8_wrong_password_is_found_by_the_test(experiment, lab, agents):
    node, runner = lab.nodes[0], lab.nodes[1]
    told = power_test(lab, agents, node, runner.name, "wrong")
    assert told.returncode == 1
    if agents == "native":
        assert "password" in told.stderr.lower()
    experiment.sound()


@pytest.mark.parametrize("state", ["on", "off"])
def test_t8_fencer_reports_the_state_the_bmc_has(experiment, lab, agents, state):
    # The state file is the chassis's own; a node switched off for real would be fenced and started again.
    node, runner = lab.nodes[0], lab.nodes[1]
    power = lab.inside.path(node.directory / "power")
    power.write_text("1\n" if state == "on" else "0\n")
    try:
        told = power_test(lab, agents, node, runner.name)
    finally:
        power.write_text("1\n")
    assert told.returncode == (0 if state == "on" else 2), told.stdout + told.stderr
    experiment.sound()
