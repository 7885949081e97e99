# SPDX-License-Identifier: GPL-3.0-or-later
"""One guest on the platform and what can be done to it: each experiment checks what it promises.

The demo narrates these, the scenario tests assert on what they return.
"""

import time
from dataclasses import dataclass

from . import evidence
from .waiting import wait_until

RESTART_S, RECOVERY_S, MIGRATION_S = 60, 120, 60
# The agent's runs that make up a live migration.
MIGRATION_ACTIONS = ("migrate_to", "migrate_from", "stop")


class Broken(Exception):
    """Something did not go as the platform promises."""


def expect(condition, text):
    if not condition:
        raise Broken(text)


@dataclass(frozen=True)
class Migration:
    """A live migration: its agent's runs, and what pings from outside noticed (one and ten a second)."""

    source: str
    target: str
    runs: list
    slow: object
    fast: object

    @property
    def started(self):
        return self.runs[0].started

    @property
    def ended(self):
        return max(run.ended for run in self.runs)


@dataclass(frozen=True)
class Recovery:
    """A guest that came up again: when it was lost, when its start began, when it wrote again, where."""

    lost: float
    start_began: float
    writes: float
    home: str


class Experiment:
    """GUEST on LAB's platform."""

    def __init__(self, lab, guest):
        self.lab, self.guest = lab, guest

    def home(self):
        """The one node where the guest runs, by Pacemaker's word and by its processes alike."""
        name = self.guest.name
        where, processes = self.lab.where(name), self.guest.processes()
        expect(len(where) == 1, f"{name} should run on one node, Pacemaker says: {sorted(where) or 'none'}")
        expect(set(processes) == where, f"{name} should be a process on {sorted(where)} alone, it is on "
               f"{sorted(processes) or 'none'}")
        return next(iter(where))

    def boots(self):
        """How often the guest has booted."""
        return len([event for event in self.guest.events() if event.kind == "BOOT"])

    def other_node(self, *names):
        """A node that is none of NAMES."""
        return next(node.name for node in self.lab.nodes if node.name not in names)

    def sound(self):
        """What disk and consoles prove about the guest's whole life; Broken if it ran twice or lost a write."""
        verdict = self.guest.verdict()
        expect(not verdict.problems, f"{self.guest.name}: {verdict}")
        return verdict

    def migrate(self, change, target=None):
        """Have CHANGE() make the cluster move the guest (to TARGET); returns the Migration.

        It ran on without a boot, no ping was lost, it is on the target and absent on the source.
        """
        name, source, boots = self.guest.name, self.home(), self.boots()
        slow, fast = self.lab.ping(self.guest.address, 1.0), self.lab.ping(self.guest.address, 0.1)
        time.sleep(2)
        began = time.time()
        change()
        wait_until(
            lambda: (where := self.lab.where(name)) and where != {source} and target in (None, *where), MIGRATION_S,
            f"{name} to run on {target or 'another node'}",
        )
        self.guest.wait_for_write(RESTART_S)
        time.sleep(2)
        slow, fast = slow.stop(), fast.stop()
        self.lab.wait_idle()
        home = self.home()
        expect(home != source and target in (None, home), f"{name} is on {home}")
        expect(self.boots() == boots, f"{name} was booted anew instead of migrated")
        expect(slow.lost == 0, f"{slow.lost} of {slow.sent} pings were lost")
        runs = [run for run in evidence.operations(self.lab, name, began) if run.action in MIGRATION_ACTIONS]
        expect([run.action for run in runs][:2] == ["migrate_to", "migrate_from"] and not any(r.status for r in runs),
               f"{name} was not migrated as it should be: {runs}")
        return Migration(source, home, runs, slow, fast)

    def move(self, target):
        """migrate() by the administrator's command."""
        return self.migrate(
            lambda: self.lab.pcs("resource", "move", self.guest.name, target, timeout_s=MIGRATION_S), target
        )

    def lose(self, harm, seconds=RECOVERY_S):
        """HARM() ends the guest; wait until it has booted again and writes. Returns the Recovery.

        HARM may return the exact time of the loss.
        """
        before = self.guest.newest()
        lost = time.time()
        lost = harm() or lost

        def booted():
            return any(e.kind == "BOOT" and e.record.generation > before.generation for e in self.guest.events())

        wait_until(booted, seconds, f"{self.guest.name} to boot again")
        self.guest.wait_for_write(seconds, before)
        writes = time.time()
        name = self.guest.name
        wait_until(lambda: len(self.lab.where(name)) == 1, RESTART_S, f"{name} to count as started")
        starts = [run for run in evidence.operations(self.lab, name, lost) if run.action == "start"]
        expect(len(starts) == 1 and starts[0].status == 0, f"{name} should have been started once: {starts}")
        return Recovery(lost, starts[0].started, writes, self.home())

    def kill(self):
        """lose() by SIGKILL to its QEMU; returns also the pid that was killed."""
        node = self.home()
        pid = self.guest.processes()[node][0]

        def harm():
            self.lab.sh(node, "kill", "-KILL", str(pid))

        recovery = self.lose(harm)
        expect(recovery.home == node, f"{self.guest.name} was restarted on {recovery.home} instead of {node}")
        return recovery

    def crash_home(self):
        """lose() by a crash of its node; returns (Recovery, Failure): power was cut before the guest started."""
        node = self.home()
        recovery = self.lose(lambda: self.lab.crash(node))
        wait_until(
            lambda: evidence.failure(self.lab, node, recovery.lost).fenced, RECOVERY_S, f"{node} to count as fenced"
        )
        failure = evidence.failure(self.lab, node, recovery.lost)
        expect(None not in vars(failure).values(), f"the logs do not tell how {node} was fenced: {failure}")
        expect(recovery.home != node, f"{self.guest.name} came up on the crashed node")
        expect(failure.power_off < recovery.start_began, f"{self.guest.name} was started before {node} had no power")
        return recovery, failure

    def wait_repaired(self):
        """Wait until the cluster is whole again after a crash; the guest noticed nothing. Returns the seconds."""
        home, boots = self.home(), self.boots()
        seconds = self.lab.wait_whole()
        expect(self.home() == home and self.boots() == boots, f"the return of a node disturbed {self.guest.name}")
        return seconds
