# SPDX-License-Identifier: GPL-3.0-or-later
"""A node loses its power for good: silently, and it does not come back. The guest must.

Its image's lock, and the lock that replication holds for a write, are the dead node's until the bricks have given
its connection up. The start waits for the one, the restarted guest's writes for the other.
"""

import pytest

from nalab.api import wait_until

# With GlusterFS's defaults a brick notices a silent client after 42 to 62 s. A machine on which an undisturbed start,
# from the agent's beginning to the guest's first write, takes longer than BOOT_S gets the difference on top.
ADVISED_S, DEFAULT_S = 16, 75
BOOT_S = 3.6


@pytest.fixture
def no_return(lab):
    """Fenced nodes stay off."""
    lab.pcs("property", "set", "stonith-action=off")
    yield
    lab.pcs("property", "set", "stonith-action=reboot")
    for node in lab.nodes:
        if lab.power(node) == "off":
            lab.power(node, "on")


@pytest.fixture
def ordinary(experiment, lab):
    """The guest's disk is not shareable any more, so QEMU locks its image."""
    set_sharing(experiment, lab, False)
    yield
    lab.wait_whole()
    set_sharing(experiment, lab, True)


def set_sharing(experiment, lab, shareable):
    guest = experiment.guest
    lab.pcs("resource", "disable", guest.name)
    wait_until(lambda: not lab.where(guest.name) and not guest.processes(), 60, f"{guest.name} to be stopped")
    changed = lab.guest(guest.name, shareable=shareable)
    lab.sh(lab.any_node(), "dd", f"of={guest.config}", "status=none", text=changed.xml())
    lab.pcs("resource", "enable", guest.name)
    guest.wait_for_write(60, guest.newest())
    lab.wait_idle()


@pytest.fixture
def volume_options(lab, request):
    """The volumes with the parameter's timeouts instead of the advised ones."""
    lab.restart_volumes(request.param)
    yield
    lab.wait_whole()
    lab.restart_volumes()


def boot_seconds(experiment, lab):
    """How long an undisturbed start takes here until the guest writes."""
    name = experiment.guest.name

    def restart():
        lab.pcs("resource", "disable", name)
        wait_until(lambda: not lab.where(name) and not experiment.guest.processes(), 60, f"{name} to be stopped")
        lab.pcs("resource", "enable", name)

    recovery = experiment.lose(restart)
    lab.wait_idle()
    return recovery.writes - recovery.start_began


def lose_power(experiment, lab, most_s):
    boot_s = boot_seconds(experiment, lab)
    node = experiment.home()
    recovery, failure = experiment.crash_home()
    seconds = recovery.writes - recovery.lost
    print(f"detected after {failure.detected - failure.crashed:.1f} s, fenced after "
          f"{failure.fenced - failure.crashed:.1f} s, start began after {recovery.start_began - failure.crashed:.1f} s, "
          f"the guest writes after {seconds:.1f} s (an undisturbed start takes {boot_s:.1f} s)")
    assert lab.power(node) == "off", "this is about a node that does not come back"
    assert seconds <= most_s + max(0, boot_s - BOOT_S)
    lab.wait_idle()
    assert not lab.failures()
    experiment.sound()


def test_shareable_disk(experiment, lab, no_return):
    lose_power(experiment, lab, ADVISED_S)


def test_ordinary_disk(experiment, lab, ordinary, no_return):
    lose_power(experiment, lab, ADVISED_S)


# With a short ping-timeout the start is at the image while its lock is held; without, at a silent volume first.
@pytest.mark.parametrize("volume_options", [{}, {"network.ping-timeout": "10"}], ids=["all", "but-ping"], indirect=True)
def test_ordinary_disk_on_a_volume_with_default_timeouts(experiment, lab, volume_options, ordinary, no_return):
    lose_power(experiment, lab, DEFAULT_S)
