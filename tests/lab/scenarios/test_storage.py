# SPDX-License-Identifier: GPL-3.0-or-later
"""The volumes: shared by all nodes, and there when one of them is lost."""

from nalab.api import wait_until

DIRECTORY = "/datos/xendata"
# A vanished brick is given up after network.ping-timeout (10 s); some seconds more for the write that waited.
LONGEST_STALL_S = 20


def put(lab, node, name, text):
    lab.sh(node, "dd", f"of={DIRECTORY}/{name}", "conv=fsync", "status=none", text=text)


def get(lab, node, name):
    return lab.sh(node, "cat", f"{DIRECTORY}/{name}").stdout


def test_t4_file_created_on_one_node_is_seen_on_every_other(experiment, lab):
    for writer in lab.nodes:
        put(lab, writer, "seen", f"written on {writer.name}\n")
        for reader in lab.nodes:
            assert get(lab, reader, "seen") == f"written on {writer.name}\n"
    lab.sh(lab.nodes[0], "rm", f"{DIRECTORY}/seen")
    for reader in lab.nodes:
        assert not lab.inside.node_succeeds(reader, "test", "-e", f"{DIRECTORY}/seen")
    experiment.sound()


def test_t5_volume_goes_on_when_a_node_is_lost(experiment, lab):
    home, boots = experiment.home(), experiment.boots()
    lost = experiment.other_node(home)
    witness = experiment.other_node(home, lost)
    put(lab, lost, "before", "before\n")
    before = experiment.guest.newest()
    crashed = lab.crash(lost)
    put(lab, witness, "during", "during\n")
    assert get(lab, home, "during") == "during\n" and get(lab, home, "before") == "before\n"
    experiment.guest.wait_for_write(LONGEST_STALL_S, before)
    wait_until(lambda: any(when > crashed and event == "power is off" for when, event in lab.bmc_events(lost)), 60,
               f"{lost} to be fenced")
    _, stalled = experiment.guest.wait_for_write(LONGEST_STALL_S)
    assert stalled < LONGEST_STALL_S
    assert experiment.home() == home and experiment.boots() == boots
    verdict = experiment.sound()
    assert not verdict.io_errors
    # The lost node's replica catches up with what it missed: its own brick holds the file.
    lab.wait_whole()
    assert lab.sh(lost, "cat", "/bricks/glxendata/during").stdout == "during\n"
    for name in ("before", "during"):
        lab.sh(home, "rm", f"{DIRECTORY}/{name}")
    experiment.sound()
