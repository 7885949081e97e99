# SPDX-License-Identifier: GPL-3.0-or-later
"""When things happened, read from the nodes' own logs (corosync's, Pacemaker's) and the BMCs'."""

import re
import time
from dataclasses import dataclass

PACEMAKER_LOG, COROSYNC_LOG = "/var/log/pacemaker/pacemaker.log", "/var/log/corosync/corosync.log"
_STAMP = re.compile(r"^(\w{3} \d{2} \d{2}:\d{2}:\d{2})\.(\d{3}) ")
_EXECUTING = re.compile(r"executing - rsc:(\S+) action:(\S+) call_id:(\d+)")
_FINISHED = re.compile(r"info: (\S+) (\S+) \(call (\d+)[^)]*\) exited with status (\d+)")


@dataclass(frozen=True)
class Operation:
    """One run of a resource agent; times as of time.time()."""

    node: str
    resource: str
    action: str
    started: float
    ended: float
    status: int


@dataclass(frozen=True)
class Failure:
    """The stations of a node's failure, as of time.time(): what is not (yet) in the logs is None."""

    crashed: float
    detected: float = None
    fencing_requested: float = None
    power_off: float = None
    fenced: float = None


def stamp(line):
    """The time of a log line that begins like `Nov 20 16:55:53.123 `, None for another line."""
    match = _STAMP.match(line)
    if match is None:
        return None
    # Logs carry no year; they are of today.
    moment = time.strptime(f"{time.localtime().tm_year} {match[1]}", "%Y %b %d %H:%M:%S")
    return time.mktime(moment) + int(match[2]) / 1000


def lines(lab, path, since):
    """(node name, time, line) of every node's log PATH, from time SINCE on, oldest first."""
    found = []
    for node in lab.nodes:
        for line in lab.read(node, path).splitlines():
            moment = stamp(line)
            if moment is not None and moment >= since:
                found.append((node.name, moment, line))
    return sorted(found, key=lambda entry: entry[1])


def operations(lab, resource, since):
    """The finished Operations of RESOURCE's agent since time SINCE, by their start."""
    pending, done = {}, []
    for node, moment, line in lines(lab, PACEMAKER_LOG, since):
        if (match := _EXECUTING.search(line)) and match[1] == resource:
            pending[node, match[3]] = moment
        elif (match := _FINISHED.search(line)) and match[1] == resource and (node, match[3]) in pending:
            started = pending.pop((node, match[3]))
            done.append(Operation(node, resource, match[2], started, moment, int(match[4])))
    return sorted(done, key=lambda operation: operation.started)


def failure(lab, node, crashed):
    """The Failure of NODE that began with its crash at time CRASHED."""
    node = lab.find(node)

    def first(path, pattern):
        return next((when for name, when, line in lines(lab, path, crashed)
                     if name != node.name and re.search(pattern, line)), None)

    off = [when for when, event in lab.bmc_events(node) if event == "power is off" and when >= crashed]
    return Failure(
        crashed,
        first(COROSYNC_LOG, r"\[QUORUM\] Sync left"),
        first(PACEMAKER_LOG, rf"Requesting fencing \((reboot|off)\) of node {node.name}"),
        min(off, default=None),
        next((when for name, when, line in lines(lab, PACEMAKER_LOG, crashed)
              if name != node.name and re.search(rf"Operation '(reboot|off)' targeting {node.name}.* OK", line)), None),
    )
