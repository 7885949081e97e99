# SPDX-License-Identifier: GPL-3.0-or-later
"""Live migration under an outside ping. Experiment.migrate() itself checks: running on the target, absent on the
source, no boot, no ping lost."""


def test_t3_administrator_moves_a_guest_live(experiment):
    source = experiment.home()
    target = experiment.other_node(source)
    done = experiment.move(target)
    assert (done.source, done.target) == (source, target)
    assert list(experiment.guest.processes()) == [target]
    assert done.slow.sent >= 5 and done.slow.lost == 0
    assert done.fast.longest_gap_s < 3
    experiment.sound()


def test_t6_cluster_evacuates_a_node_live(experiment, lab):
    source = experiment.home()
    try:
        done = experiment.migrate(lambda: lab.pcs("node", "standby", source))
        assert done.source == source and done.target != source
        assert list(experiment.guest.processes()) == [done.target]
        assert done.slow.lost == 0
        # The volumes stay with the guest: nothing is left mounted on the node that may now be serviced.
        assert source not in lab.where("xendata") and source in lab.online()
    finally:
        lab.pcs("node", "unstandby", source)
    lab.wait_whole()
    assert experiment.home() == done.target, "stickiness must keep the guest where it is"
    experiment.sound()
