# SPDX-License-Identifier: GPL-3.0-or-later
"""The volumes: shared by all nodes, and there when one of them is lost."""

from nalab.api import wait_until

DIRECTORY = "/datos/xendata"
# For so long a gluster mount trusts what it knows of a file (mount.glusterfs, attribute-timeout).
ATTRIBUTE_TIMEOUT_S = 1
# A vanished brick is given up after network.ping-timeout (10 s); some seconds more for the write that waited.
LONGEST_STALL_S = 20


def put(lab, node, name, text):
    lab.sh(node, "dd", f"of={DIRECTORY}/{name}", "conv=fsync", "status=none", text=text)


def get(lab, node, name):
    return lab.sh(node, "cat", f"{DIRECTORY}/{name}").stdout


def test_t4_file_created_on_one_node_is_seen_on_every_other(experiment, lab):
    for writer in lab.nodes:
        name = f"from-{writer.name}"
        put(lab, writer, name, f"written on {writer.name}\n")
        for reader in lab.nodes:
            assert get(lab, reader, name) == f"written on {writer.name}\n"
        lab.sh(writer, "rm", f"{DIRECTORY}/{name}")
    for reader in lab.nodes:
        wait_until(lambda: "from-" not in lab.sh(reader, "ls", DIRECTORY).stdout, ATTRIBUTE_TIMEOUT_S + 1,
                   f"{reader.name} to see the files gone")
    experiment.sound()


def test_t4_change_is_seen_after_the_attribute_timeout(experiment, lab):
    writer, reader = lab.nodes[0], lab.nodes[1]
    put(lab, writer, "changed", "old\n")
    assert get(lab, reader, "changed") == "old\n"
    put(lab, writer, "changed", "new\n")
    wait_until(lambda: get(lab, reader, "changed") == "new\n", ATTRIBUTE_TIMEOUT_S + 1, "the change to be seen")
    lab.sh(writer, "rm", f"{DIRECTORY}/changed")
    experiment.sound()


def test_t5_volume_goes_on_when_a_node_is_lost(experiment, lab):
    home, boots = experiment.home(), experiment.boots()
    # A guest that was cut off the network with its node, in an earlier scenario, has met errors before it was fenced.
    errors = experiment.sound().io_errors
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
    assert verdict.io_errors == errors
    # The lost node's replica catches up with what it missed: its own brick holds the file.
    lab.wait_whole()
    assert lab.sh(lost, "cat", "/bricks/glxendata/during").stdout == "during\n"
    for name in ("before", "during"):
        lab.sh(home, "rm", f"{DIRECTORY}/{name}")
    experiment.sound()
