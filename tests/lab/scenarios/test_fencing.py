# SPDX-License-Identifier: GPL-3.0-or-later
"""Fencing when it is not that simple: a dead BMC, a second way to fence, two nodes that shoot each other.

Why a device failed is looked for in Pacemaker's log: Pacemaker 2.1.5 takes an exit reason from resource
agents only, so `pcs stonith history` says that fencing failed and never why.
"""

import re
import threading
import time
import xml.etree.ElementTree as ElementTree

import pytest

from nalab import evidence, plan
from nalab.api import wait_until
from nalab.platform import AGENTS

# Nobody has this address on the lab's switch: a BMC without power, or whose network port is dead.
DEAD_BMC = f"{plan.NETWORK}.39"
START_S, FENCING_S, FAILURE_S = 30, 120, 60
HEAD_START_S, SHOT_S = 5, 10


def said(lab, since, *words):
    """The lines of every node's Pacemaker log since then that have all the WORDS."""
    return [line for _, _, line in evidence.lines(lab, evidence.PACEMAKER_LOG, since)
            if all(word in line for word in words)]


def powered_off(lab, node, since):
    """When NODE's BMC cut its power since then."""
    return [when for when, event in lab.bmc_events(node) if event == "power is off" and when >= since]


@pytest.fixture
def topology(experiment, lab, agents):
    """A node without the guest, fenced by a device whose BMC is dead, and if that fails by its own one.

    The BMC has died since the last monitor: what Pacemaker calls for that does not ask it, so the device counts
    as well until it is needed.
    """
    victim = lab.find(experiment.other_node(experiment.home()))
    agent = AGENTS[agents]
    options = agent.fence_options.format(bmc=DEAD_BMC, user=plan.BMC_USER, password=plan.BMC_PASSWORD)
    lab.pcs("stonith", "create", "fence_dead", agent.fence, *options.split(), f"pcmk_host_list={victim.name}",
            "pcmk_monitor_action=metadata")
    lab.pcs("constraint", "location", "fence_dead", "avoids", victim.name)
    lab.pcs("stonith", "level", "add", "1", victim.name, "fence_dead")
    lab.pcs("stonith", "level", "add", "2", victim.name, f"fence_xm{victim.number:02}")
    wait_until(lambda: lab.where("fence_dead"), START_S, "the device with the dead BMC to be started")
    yield victim
    lab.pcs("stonith", "level", "clear", victim.name)
    lab.pcs("stonith", "delete", "fence_dead")


def test_second_level_fences_when_the_bmc_of_the_first_is_dead(experiment, lab, agents, topology):
    victim, boots = topology, experiment.boots()
    began = time.time()
    lab.pcs("stonith", "fence", victim.name, node=experiment.home(), timeout_s=FENCING_S)
    seconds = time.time() - began
    off = powered_off(lab, victim, began)
    assert len(off) == 1, "switched off once, by the second level"
    runs = said(lab, began, "Operation 'reboot' [", f"targeting {victim.name} using ", "returned")
    assert [re.search(r"using (\S+) returned (\d+)", line).groups() for line in runs] == \
        [("fence_dead", "1"), (f"fence_xm{victim.number:02}", "0")]
    if agents == "native":
        assert said(lab, began, "warning", "fence_ipmi: ", DEAD_BMC, "timed out"), "the log must say why"
    history = ElementTree.fromstring(
        lab.sh(experiment.home(), "stonith_admin", "--history", victim.name, "--output-as=xml").stdout)
    last = max(history.iter("fence_event"), key=lambda event: event.get("completed", ""))
    assert (last.get("target"), last.get("action"), last.get("status")) == (victim.name, "reboot", "success")
    print(f"the first level given up and the second one done in {seconds:.1f} s")
    assert experiment.boots() == boots, "the guest on another node has nothing to do with it"
    experiment.sound()


@pytest.fixture
def duel(experiment, lab):
    """Two nodes of which only the one can fence the other, as in a cluster of two; the guest's has the head start."""
    winner = lab.find(experiment.home())
    loser = lab.find(experiment.other_node(winner.name))
    third = lab.find(experiment.other_node(winner.name, loser.name))
    for node in (winner, loser):
        lab.pcs("constraint", "location", f"fence_xm{node.number:02}", "avoids", third.name)
    lab.pcs("stonith", "update", f"fence_xm{winner.number:02}", f"pcmk_delay_base={HEAD_START_S}s")
    lab.wait_idle()
    yield winner, loser, third
    lab.pcs("stonith", "update", f"fence_xm{winner.number:02}", "pcmk_delay_base=")
    for node in (winner, loser):
        lab.pcs("constraint", "remove", f"location-fence_xm{node.number:02}-{third.name}--INFINITY")


def test_of_two_nodes_that_shoot_each_other_one_survives(experiment, lab, duel):
    winner, loser, third = duel
    boots = experiment.boots()
    life = lab.inside.node_init(winner)

    def shoot(shooter, target):
        lab.sh(shooter, "stonith_admin", "--reboot", target.name, "--timeout", "30", check=False, timeout_s=60)

    def has_shot(shooter, target):
        return any(name == shooter.name and f"wants to fence (reboot) {target.name} " in line
                   for name, _, line in evidence.lines(lab, evidence.PACEMAKER_LOG, began))

    # The loser even fires first, so that nothing but the delay decides.
    began = time.time()
    shots = []
    for pair in ((loser, winner), (winner, loser)):
        shots.append(threading.Thread(target=shoot, args=pair))
        shots[-1].start()
        wait_until(lambda: has_shot(*pair), SHOT_S, f"{pair[0].name} to shoot at {pair[1].name}", poll_s=0.02)
    for shot in shots:
        shot.join()
    time.sleep(max(0, began + HEAD_START_S + 2 - time.time()))
    assert len(powered_off(lab, loser, began)) == 1
    assert not powered_off(lab, winner, began) and not powered_off(lab, third, began)
    assert lab.inside.node_init(winner) == life, "the survivor goes on"
    assert experiment.home() == winner.name and experiment.boots() == boots
    experiment.sound()


def test_nothing_is_recovered_while_the_bmc_is_silent(experiment, lab, agents):
    node, boots = lab.find(experiment.home()), experiment.boots()
    lab.hang_bmc(node)
    try:
        def outlast_a_failure():
            crashed = lab.crash(node)
            wait_until(lambda: said(lab, crashed, f"Operation 'reboot' targeting {node.name}", "error"), FAILURE_S,
                       f"the fencing of {node.name} to fail", poll_s=0.5)
            if agents == "native":
                reasons = said(lab, crashed, "warning", "fence_ipmi: ", node.bmc_address)
                assert reasons, "the log must say why"
                print(reasons[0])
            print(f"fencing failed after {time.time() - crashed:.1f} s")
            assert not powered_off(lab, node, crashed)
            assert experiment.boots() == boots and not experiment.guest.processes(), "nothing without fencing"
            started = [run for run in evidence.operations(lab, experiment.guest.name, crashed) if run.action == "start"]
            assert not started, started
            revived = time.time()
            lab.revive_bmc(node)
            return revived

        recovery = experiment.lose(outlast_a_failure)
    finally:
        lab.revive_bmc(node)
    off = powered_off(lab, node, recovery.lost)
    assert off and off[0] < recovery.start_began
    assert recovery.home != node.name and experiment.boots() == boots + 1
    print(f"switched off {off[0] - recovery.lost:.1f} s after the BMC was back, guest wrote after "
          f"{recovery.writes - recovery.lost:.1f} s")
    experiment.sound()
