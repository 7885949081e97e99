# SPDX-License-Identifier: GPL-3.0-or-later
"""The one process on the host that holds the lab: when it ends, however it ends, the lab is gone.

The lab is a pid namespace (with mount, network, ipc and host name of its own) whose PID 1 dies with this
process by the kernel's doing. The host sees the state directory, and nothing else of it.
"""

import fcntl
import json
import os
import select
import shutil
import signal
import sys
import time

from . import machine, namespaces as ns, plan, world

LOCK, RECORD = plan.STATE / "lock", plan.STATE / "lab.json"
DOWN_S = 30


class LabError(Exception):
    """The lab cannot do that now; the text is for the user."""


def take_lock():
    """The descriptor of the lock that a running lab holds; LabError if one runs. Clears what a crash left."""
    machine.check_root()
    plan.STATE.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        record = read_record()
        pid = f" (supervisor pid {record['supervisor']})" if record else ""
        raise LabError(
            f"a lab is running already{pid}; there can be one per machine. End it with: tests/lab/lab down"
        ) from None
    RECORD.unlink(missing_ok=True)
    return lock


def read_record():
    """What the running lab says about itself: supervisor, init, nodes; None if it says nothing (yet)."""
    try:
        return json.loads(RECORD.read_text())
    except (FileNotFoundError, ValueError):
        return None


def running():
    """The record of the running lab, None if none runs."""
    if not LOCK.exists():
        return None
    lock = os.open(LOCK, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return read_record()
    finally:
        os.close(lock)
    return None


def clear_stale():
    """Remove the state directory if no lab runs; True if there was one."""
    if not plan.STATE.exists() or running():
        return False
    shutil.rmtree(plan.STATE)
    return True


def up(settings, say):
    """Start a lab and return when it is ready; SAY gets progress lines. LabError with the cause if it fails.

    Should the caller die in between (or be interrupted), the unfinished lab is taken down.
    """
    if settings["stage"]:
        settings["stage"] = str(machine.check_stage(settings["stage"]))
    lock = take_lock()
    reader, writer = os.pipe()
    supervisor = os.fork()
    if supervisor == 0:
        os.close(reader)
        os._exit(supervise(settings, lock, writer))
    os.close(writer)
    os.close(lock)
    try:
        for line in os.fdopen(reader, encoding="utf-8", errors="replace"):
            line = line.rstrip("\n")
            if line == world.READY:
                return
            if line.startswith(world.FAILED):
                os.waitpid(supervisor, 0)
                raise LabError(line.removeprefix(world.FAILED).replace("\\n", "\n"))
            say(line)
        os.waitpid(supervisor, 0)
        raise LabError("the lab ended while it was coming up")
    except KeyboardInterrupt:
        os.kill(supervisor, signal.SIGTERM)
        os.waitpid(supervisor, 0)
        raise


def supervise(settings, lock, writer):
    """The supervisor's life: make the lab's PID 1, relay its report until it is ready, outlive it, clean up."""
    os.setsid()
    detach(plan.STATE / "lab.log")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    from_init, to_supervisor = os.pipe()
    try:
        plan.WORLD.mkdir(mode=0o700, exist_ok=True)
        # Only the pid namespace here: this process must go on seeing the host's files, to clean up.
        ns.unshare(ns.NEWPID)
        child = os.fork()
        if child == 0:
            ns.die_with_parent()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            os.close(lock)
            os.close(writer)
            os.close(from_init)
            os._exit(run_init(settings, to_supervisor))
        os.close(to_supervisor)
        RECORD.write_text(json.dumps({"supervisor": os.getpid(), "init": child, "started": time.time(), **settings}))
        try:
            relay(from_init, writer)
            outlive(child, settings["owner"])
        except Stopped:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    finally:
        shutil.rmtree(plan.STATE, ignore_errors=True)
    return 0


def outlive(child, owner):
    """Wait for the end of the lab's PID 1; the end of the process OWNER (None: of nobody) is a reason to stop it."""
    poll = select.poll()
    poll.register(os.pidfd_open(child), select.POLLIN)
    if owner is not None:
        try:
            owner = os.pidfd_open(owner)
        except ProcessLookupError:
            raise Stopped from None
        poll.register(owner, select.POLLIN)
    if any(descriptor == owner for descriptor, _ in poll.poll()):
        raise Stopped
    os.waitpid(child, 0)


class Stopped(Exception):
    """The supervisor was told to end."""


def stop(*_):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise Stopped


def detach(log):
    """No terminal, no caller's descriptors as stdin, stdout and stderr."""
    nothing = os.open("/dev/null", os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)


def run_init(settings, to_supervisor):
    def report(line):
        os.write(to_supervisor, line.replace("\n", "\\n").encode() + b"\n")
        print(line, file=sys.stderr, flush=True)

    try:
        return world.init(settings, report)
    except OSError as error:
        report(f"{world.FAILED}{error}")
        return 1


def relay(from_init, writer):
    """Pass the report on until the lab is ready or has failed. A caller that has gone ends the lab."""
    poll = select.poll()
    poll.register(from_init, select.POLLIN)
    poll.register(writer, 0)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == writer:
                raise Stopped
            data = os.read(from_init, 65536)
            if not data:
                os.close(writer)
                return
            try:
                os.write(writer, data)
            except BrokenPipeError:
                raise Stopped from None
            lines = data.decode(errors="replace").splitlines()
            if world.READY in lines:
                os.close(writer)
                return


def down():
    """End the running lab and wait until nothing of it is left; False if none runs."""
    record = running()
    if record is None:
        return False
    os.kill(record["supervisor"], signal.SIGTERM)
    deadline = time.monotonic() + DOWN_S
    while os.path.exists(f"/proc/{record['init']}") or plan.STATE.exists():
        if time.monotonic() > deadline:
            raise LabError(f"the lab's processes did not end within {DOWN_S} s; see /proc/{record['init']}")
        time.sleep(0.05)
    return True
