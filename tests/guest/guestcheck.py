# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what the test guests left behind and says whether a disk was ever abused.

Evidence: the guest's disk (a ring of records, see witness.c) and the files of its serial console, one per
node it ran on, in which it printed each write after the disk had acknowledged it.
"""

import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

SECTOR_BYTES = 512
RING_SLOTS = 128
MAGIC = b"NAWITN01"
_RECORD = struct.Struct("<8sQQ36sI")
_LINE = re.compile(
    r"WITNESS (BOOT|ACK|SECOND WRITER) generation=(\d+) counter=(\d+) boot=([0-9a-f-]{36}) time=(\d+\.\d+) \."
)
_IO_ERROR = re.compile(r"WITNESS IO ERROR (.*) time=\S+ \.")


@dataclass(frozen=True, order=True)
class Record:
    """One counted write."""

    counter: int
    generation: int
    boot: str


@dataclass(frozen=True)
class Event:
    """A line of a guest's console: kind is BOOT, ACK or SECOND WRITER; time is the guest's own clock."""

    kind: str
    record: Record
    time: float
    where: str


@dataclass
class Verdict:
    """What the evidence says; no problem means: one copy at a time, nothing acknowledged was lost."""

    second_writers: list = field(default_factory=list)
    lost_writes: list = field(default_factory=list)
    io_errors: list = field(default_factory=list)
    generations: int = 0
    acknowledged: int = 0

    @property
    def problems(self):
        return self.second_writers + self.lost_writes

    def __str__(self):
        summary = f"{self.acknowledged} acknowledged writes in {self.generations} boots"
        if not self.problems:
            return f"{summary}, one writer at a time, none lost"
        return "\n".join([f"{summary}:", *self.problems])


def read_ring(image):
    """The valid records on a disk image, as a mapping from slot to Record."""
    records = {}
    with open(image, "rb") as disk:
        for slot in range(RING_SLOTS):
            sector = disk.read(SECTOR_BYTES)
            if len(sector) < _RECORD.size:
                break
            magic, generation, counter, boot, checksum = _RECORD.unpack_from(sector)
            if magic == MAGIC and checksum == fnv1a(sector[: _RECORD.size - 4]):
                records[slot] = Record(counter, generation, boot.decode("ascii", "replace"))
    return records


def fnv1a(data):
    value = 2166136261
    for byte in data:
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return value


def read_console(path):
    """The events of one console file, in its order. Lines cut short by a crash or a migration are skipped."""
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    return [
        Event(kind, Record(int(counter), int(generation), boot), float(time), str(path))
        for kind, generation, counter, boot, time in _LINE.findall(text)
    ]


def io_errors(path):
    """The I/O errors that the guest reported on one console file."""
    return _IO_ERROR.findall(Path(path).read_text(encoding="utf-8", errors="replace"))


def check(image, consoles):
    """Judge a guest's disk IMAGE by its console files; return a Verdict."""
    events = [event for path in consoles for event in read_console(path)]
    verdict = judge(events, read_ring(image))
    for path in consoles:
        verdict.io_errors += io_errors(path)
    return verdict


def judge(events, ring):
    """Judge the RING of a disk (None: unknown) by console EVENTS; return a Verdict.

    The guest may be running if the events were read before the ring.
    """
    verdict = Verdict()
    boots = sorted((e for e in events if e.kind == "BOOT"), key=lambda e: e.record.generation)
    acks = sorted({e.record: e for e in events if e.kind == "ACK"}.values(), key=lambda e: e.record)
    verdict.generations, verdict.acknowledged = len(boots), len(acks)
    for event in events:
        if event.kind == "SECOND WRITER":
            verdict.second_writers.append(
                f"{event.where}: a running copy saw another one write (generation {event.record.generation}, "
                f"counter {event.record.counter})"
            )
    _check_generations(verdict, boots)
    _check_order(verdict, boots, acks)
    if ring is not None:
        _check_disk(verdict, ring, acks)
    return verdict


def _check_generations(verdict, boots):
    """Every boot takes a generation of its own, one above all that the disk held."""
    for earlier, later in zip(boots, boots[1:]):
        if earlier.record.generation == later.record.generation and earlier.record.boot != later.record.boot:
            verdict.second_writers.append(
                f"two boots ({earlier.where}, {later.where}) took the same generation {later.record.generation}: "
                "the second did not see what the first had written"
            )


def _check_order(verdict, boots, acks):
    """No write of an earlier generation was acknowledged beyond the counter at which a later one began."""
    for boot in boots:
        beyond = [
            ack for ack in acks
            if ack.record.generation < boot.record.generation and ack.record.counter > boot.record.counter
        ]
        if not beyond:
            continue
        # The clocks of the two copies were set from the same one, to the second.
        after = [ack for ack in beyond if ack.time > boot.time + 2]
        text = (
            f"generation {boot.record.generation} began at counter {boot.record.counter}, but generation "
            f"{beyond[-1].record.generation} had writes up to {beyond[-1].record.counter} acknowledged"
        )
        if after:
            verdict.second_writers.append(f"{text}, {len(after)} of them after that: two copies ran at once")
        else:
            verdict.lost_writes.append(f"{text}: {len(beyond)} acknowledged writes were lost")


def _check_disk(verdict, ring, acks):
    """Whatever was acknowledged and not yet overwritten in turn is on the disk."""
    newest = max((record.counter for record in ring.values()), default=0)
    missing = {}
    for ack in acks:
        record = ack.record
        if record.counter > newest - RING_SLOTS and ring.get(record.counter % RING_SLOTS) != record:
            missing.setdefault(record.generation, []).append(record.counter)
    for generation, counters in missing.items():
        verdict.lost_writes.append(
            f"{len(counters)} acknowledged writes of generation {generation} (between {min(counters)} and "
            f"{max(counters)}) are not on the disk, whose newest is {newest}"
        )
