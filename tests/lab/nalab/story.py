# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's steps: each does one experiment, and tells what it saw and how long it took."""

import time
from dataclasses import dataclass

from .experiment import Experiment

GUEST = "www1"


@dataclass(frozen=True)
class Span:
    """A stretch of time for the table and the timeline; GROUP is the step it is part of."""

    group: str
    name: str
    started: float
    ended: float

    @property
    def seconds(self):
        return self.ended - self.started


class Story:
    """Tells the demo: one line per event, with the time since the beginning."""

    def __init__(self, say, began=None, lab=None):
        self.say_line = say
        self.began = began or time.time()
        self.lab = lab
        self.spans, self.facts = [], []

    def say(self, text):
        self.say_line(f"{time.time() - self.began:6.1f} s  {text}")

    def span(self, group, name, started, ended):
        """Remember a measured stretch; returns its seconds."""
        self.spans.append(Span(group, name, started, ended))
        return ended - started

    def fact(self, name, value):
        """Remember a figure that is not a stretch of time."""
        self.facts.append((name, value))

    @property
    def experiment(self):
        return Experiment(self.lab, self.lab.guest(GUEST))

    # Steps

    def create_platform(self, agents):
        self.say(f"the platform's resources, with the {agents} agents:")
        started = time.time()
        self.lab.create_platform(agents, show=lambda words: self.say("  " + " ".join(words)))
        seconds = self.span("platform", "created by pcs, guest up", started, time.time())
        self.say(f"volumes mounted on every node, {GUEST} runs on {self.experiment.home()} ({seconds:.1f} s)")

    def show_status(self):
        self.say("pcs status")
        for line in self.lab.pcs("status").stdout.splitlines():
            self.say_line(f"          {line}")

    def migrate(self, group, target=None):
        experiment = self.experiment
        source = experiment.home()
        target = target or experiment.other_node(source)
        self.say(f"pcs resource move {GUEST} {target}, pinged from outside meanwhile")
        done = experiment.move(target)
        seconds = self.span(group, f"{source} to {target}", done.started, done.ended)
        for run in done.runs:
            self.span(group, f"{run.action} on {run.node}", run.started, run.ended)
        self.fact(f"{group}: pings lost, one a second", f"{done.slow.lost} of {done.slow.sent}")
        self.fact(f"{group}: longest silence, ten pings a second", f"{done.fast.longest_gap_s:.2f} s")
        self.say(f"{GUEST} runs on {target} and no longer on {source}: {seconds:.2f} s; pings lost: "
                 f"{done.slow.lost} of {done.slow.sent}, longest silence {done.fast.longest_gap_s:.2f} s")

    def kill_guest(self):
        group = "guest killed"
        self.say(f"kill -KILL to {GUEST}'s QEMU")
        recovery = self.experiment.kill()
        noticed = self.span(group, "until a monitor noticed", recovery.lost, recovery.start_began)
        restart = self.span(group, "restart, first write", recovery.start_began, recovery.writes)
        self.say(f"noticed by the monitor after {noticed:.1f} s (its interval is 10 s), {GUEST} writes again on "
                 f"{recovery.home} {restart:.1f} s later")
        self.lab.pcs("resource", "cleanup", GUEST)
        self.lab.wait_idle()

    def crash_node(self):
        """Take the power of the guest's node away, silently; returns the node's name."""
        group, experiment = "power lost", self.experiment
        node = experiment.home()
        self.say(f"{node} loses its power and {GUEST} with it; nobody is told")
        recovery, failure = experiment.crash_home()
        detection = self.span(group, "detection (corosync)", failure.crashed, failure.detected)
        self.span(group, "decision (pacemaker)", failure.detected, failure.fencing_requested)
        fencing = self.span(group, "fencing", failure.fencing_requested, failure.fenced)
        restart = self.span(group, "recovery: start, first write", failure.fenced, recovery.writes)
        self.span(group, "from fencing's start to the guest up", failure.fencing_requested, recovery.writes)
        whole = self.span(group, "whole interruption", failure.crashed, recovery.writes)
        self.say(f"detected after {detection:.1f} s, fenced through its BMC in {fencing:.2f} s, {GUEST} writes "
                 f"again on {recovery.home} {restart:.1f} s later: {whole:.1f} s in all")
        return node

    def repair(self, node):
        """The fenced node, which its BMC switched on again, comes back."""
        started = time.time()
        self.say(f"{node} boots, joins the cluster, its bricks are healed")
        self.experiment.wait_repaired()
        seconds = self.span("node repaired", "boot, join, heal", started, time.time())
        self.say(f"{node} is back and whole ({seconds:.1f} s), {GUEST} went on undisturbed")

    def judge(self):
        """What the guest's own records say about it all."""
        verdict = self.experiment.sound()
        self.fact("acknowledged writes lost", f"0 of {verdict.acknowledged}")
        self.fact("second copies of the guest", "none")
        self.say(f"the guest's disk and console: {verdict}")

    def table(self):
        """The measured times and facts, as lines."""
        group_width = max(len(span.group) for span in self.spans)
        name_width = max(len(span.name) for span in self.spans)
        text, last = [], None
        for span in self.spans:
            group = span.group if span.group != last else ""
            text.append(f"  {group:{group_width}}  {span.name:{name_width}}  {span.seconds:8.2f} s")
            last = span.group
        width = max(len(name) for name, _ in self.facts)
        return [*text, "", *(f"  {name:{width}}  {value}" for name, value in self.facts)]
