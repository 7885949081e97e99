# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests and nodes that fail: restart in place, fencing before recovery, priorities, the way back."""

import pytest

from nalab import evidence
from nalab.api import wait_until
from nalab.experiment import Experiment

LOW_PRIORITY_GUEST, LOW_PRIORITY = "www2", 10


def test_t7_failed_node_is_fenced_first_then_the_guest_starts_elsewhere(experiment, lab):
    node = experiment.home()
    recovery, failure = experiment.crash_home()
    assert failure.crashed < failure.detected <= failure.fencing_requested
    assert failure.fencing_requested <= failure.power_off < recovery.start_began
    assert failure.fenced <= recovery.start_began
    assert list(experiment.guest.processes()) == [recovery.home] and recovery.home != node
    experiment.sound()


def test_cut_off_node_is_fenced_before_its_guest_starts_elsewhere(experiment, lab):
    """The node lives on, alone with its guest: nothing but its power-off makes the recovery safe."""
    node = experiment.home()
    recovery = experiment.lose(lambda: lab.partition(node))
    power_off = [when for when, event in lab.bmc_events(node) if event == "power is off" and when >= recovery.lost]
    assert power_off and power_off[0] < recovery.start_began
    assert list(experiment.guest.processes()) == [recovery.home] and recovery.home != node
    experiment.sound()


@pytest.mark.parametrize("cause", ["killed", "kernel panic"])
def test_t11_crashed_guest_is_restarted_in_place(experiment, lab, cause):
    node = experiment.home()
    if cause == "killed":
        recovery = experiment.kill()
    else:
        command = f"echo panic >/dev/udp/{experiment.guest.address}/7"
        recovery = experiment.lose(lambda: lab.outside("bash", "-c", command) and None)
        assert "Kernel panic" in "".join(path.read_text(errors="replace") for path in experiment.guest.consoles())
    assert recovery.home == node
    assert not [event for when, event in lab.bmc_events(node) if when > recovery.lost], "no node was fenced for it"
    experiment.sound()


def test_t12_repaired_node_gets_its_guest_back_without_interruption(experiment):
    node = experiment.home()
    experiment.crash_home()
    # Checks that the node's return neither moves nor restarts the guest.
    experiment.wait_repaired()
    done = experiment.move(node)
    assert done.target == node and done.slow.lost == 0
    experiment.sound()


@pytest.fixture
def two_guests(experiment, lab, agents):
    """A second guest of lower priority beside the first, on a platform that counts processors."""
    home = experiment.home()
    survivor = experiment.other_node(home)
    spare = experiment.other_node(home, survivor)
    memory = ("hv_memory=4096", "host_memory=4096")
    # After the loss of HOME there is room for one guest: on SURVIVOR.
    for node, processors in ((home, 2), (survivor, 1), (spare, 0)):
        lab.pcs("node", "utilization", node, f"cpu={processors}", *memory)
    lab.pcs("resource", "utilization", experiment.guest.name, "cpu=1")
    second = lab.add_guest(agents, LOW_PRIORITY_GUEST, 1, LOW_PRIORITY, ["cpu=1"])
    if lab.where(second.name) != {home}:
        lab.pcs("resource", "move", second.name, home)
    lab.pcs("property", "set", "placement-strategy=utilization")
    both = (second.name, experiment.guest.name)
    wait_until(lambda: all(lab.where(name) == {home} for name in both), 60, f"both guests on {home}")
    lab.wait_idle()
    yield Experiment(lab, second), home, survivor
    lab.pcs("property", "set", "placement-strategy=default")
    lab.pcs("resource", "delete", second.name, timeout_s=180)
    lab.pcs("resource", "utilization", experiment.guest.name, "cpu=")
    for node in lab.nodes:
        lab.pcs("node", "utilization", node.name, "cpu=", "hv_memory=", "host_memory=")


def test_t10_guests_restart_in_order_of_priority(experiment, lab, two_guests):
    second, home, survivor = two_guests
    boots = second.boots()
    recovery, failure = experiment.crash_home()
    assert recovery.home == survivor
    lab.wait_idle()
    # Room for one: it is the one of higher priority, the other waits ...
    assert second.boots() == boots and not second.guest.processes() and not lab.where(second.guest.name)
    # ... until the repaired node has brought the room back.
    lab.wait_whole()
    wait_until(lambda: len(lab.where(second.guest.name)) == 1, 60, f"{second.guest.name} to be started")
    second.guest.wait_for_write(60)
    starts = {guest: [run.started for run in evidence.operations(lab, guest, failure.crashed) if run.action == "start"]
              for guest in (experiment.guest.name, second.guest.name)}
    assert starts[experiment.guest.name][0] < starts[second.guest.name][0]
    assert experiment.home() == survivor and second.home() == home
    experiment.sound()
    second.sound()
