# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox: what happens in it stays in it, and ends with it."""

import os
import signal
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SANDBOX = HERE / "sandbox"


def sandbox(*arguments, **options):
    return subprocess.run([SANDBOX, *arguments], capture_output=True, text=True, check=False, **options)


def marked_processes(mark):
    """The pids of all processes on this machine whose command line ends with MARK."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if entry.read_bytes().rstrip(b"\0").endswith(mark.encode()):
                found.append(int(entry.parent.name))
        except OSError:
            pass
    return found


def test_exit_status_is_the_commands():
    assert sandbox("true").returncode == 0
    assert sandbox("--", "sh", "-c", "exit 7").returncode == 7
    assert sandbox("sh", "-c", "kill -TERM $$").returncode == 128 + signal.SIGTERM
    assert sandbox("no-such-command").returncode == 127


def test_files_processes_and_network_are_its_own():
    mark = f"/etc/sandbox-test-{os.getpid()}"
    script = f"echo private >{mark}; cat {mark}; hostname; ls /sys/class/net; cat /proc/1/comm; ls /tmp"
    done = sandbox("--hostname", "alone", "sh", "-c", script, cwd="/")
    assert done.stdout.split()[:3] == ["private", "alone", "lo"], done.stdout + done.stderr
    assert not Path(mark).exists()
    assert os.uname().nodename != "alone"


def test_source_tree_and_shared_directories_are_shown(tmp_path):
    build, shared = tmp_path / "build", tmp_path / "shared"
    build.mkdir()
    shared.mkdir()
    script = f"test -x {SANDBOX} && echo built >{build}/log && echo shared >{shared}/file && ls -A {tmp_path}"
    done = sandbox("--bind", shared, "sh", "-c", script, env={**os.environ, "NA_BUILD": str(build)})
    assert done.returncode == 0, done.stderr
    assert (build / "log").read_text() == "built\n" and (shared / "file").read_text() == "shared\n"


def test_stage_is_laid_over_without_touching_directories(tmp_path):
    program = tmp_path / "stage/usr/sbin/staged-program"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho staged\n")
    program.chmod(0o755)
    (tmp_path / "stage/usr").chmod(0o700)
    done = sandbox("--stage", tmp_path / "stage", "sh", "-c", "staged-program; stat -c %a /usr")
    assert done.stdout.split() == ["staged", "755"], done.stderr


def test_wrong_stage_is_refused_with_advice(tmp_path):
    done = sandbox("--stage", tmp_path / "absent", "true")
    assert done.returncode == 125 and "make install DESTDIR=" in done.stderr
    done = sandbox("--stage", tmp_path, "true")
    assert done.returncode == 125 and "has no usr/" in done.stderr


def test_everything_ends_with_the_command():
    mark = f"sandbox-test-{os.getpid()}-left"
    assert sandbox("sh", "-c", f"setsid sh -c 'sleep 300 # {mark}' & sleep 0.2").returncode == 0
    assert marked_processes(mark) == []


def test_everything_ends_when_the_sandbox_is_killed():
    for number in (signal.SIGTERM, signal.SIGKILL):
        mark = f"sandbox-test-{os.getpid()}-{number}"
        script = f"setsid sh -c 'sleep 300; : {mark}' & sleep 300; : {mark}"
        with subprocess.Popen([SANDBOX, "sh", "-c", script]) as outer:
            deadline = time.monotonic() + 10
            while len(marked_processes(mark)) < 3:
                assert time.monotonic() < deadline, "the command did not start"
                time.sleep(0.05)
            outer.send_signal(number)
            outer.wait(timeout=10)
        deadline = time.monotonic() + 5
        while marked_processes(mark):
            assert time.monotonic() < deadline, "processes were left behind"
            time.sleep(0.05)


def test_two_at_once_do_not_meet():
    listen = "import socket; s = socket.socket(); s.bind(('127.0.0.1', 16514)); s.listen(); import time; time.sleep(1)"
    both = [subprocess.Popen([SANDBOX, "/usr/bin/python3", "-c", listen]) for _ in range(2)]
    assert [one.wait(timeout=20) for one in both] == [0, 0]


def test_sysrq_cannot_reach_the_host():
    script = "for f in /proc/sysrq-trigger /proc/sys/kernel/sysrq; do [ ! -e $f ] || stat -c %t:%T $f; done"
    seen = sandbox("sh", "-c", script).stdout.split()
    # Some kernels have neither file; one that is there must be /dev/null in truth.
    assert all(device == "1:3" for device in seen)
