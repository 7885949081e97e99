# SPDX-License-Identifier: GPL-3.0-or-later
"""fence_ipmi's record of the node's last words, through ipmi_sim's serial console over TCP."""

import os
import re
import socket
import statistics
import subprocess
import threading
import time

import pytest
from conftest import wait_until
from ipmi_env import (AGENT, PASSWORD, SUCCESS, USER, Bmc, assert_success, fence)

PANIC = "Kernel panic - not syncing: the last words of node-1"


class Serial:
    """The node's serial port: ipmi_sim connects to it, the test speaks."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.peer = None
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        peer = self.listener.accept()[0]
        peer.settimeout(0.5)
        self.peer = peer

    def say(self, text):
        self.peer.sendall(f"{text}\r\n".encode())

    def close(self):
        self.listener.close()
        if self.peer:
            self.peer.close()


@pytest.fixture
def serial():
    port = Serial()
    yield port
    port.close()


@pytest.fixture
def bmc(tmp_path, serial):
    # libipmiconsole 1.6.10 keeps the port in 16 bits with a sign.
    with Bmc(tmp_path / "bmc", port=9623, sol=f'sol "tcp:127.0.0.1:{serial.port}" 115200') as running:
        wait_until(lambda: serial.peer, 10, "ipmi_sim at the serial port")
        yield running


def files_of(directory):
    return sorted(directory.iterdir()) if directory.exists() else []


def no_recorder_is_left():
    """Recorders outlive the action by the time that a polite goodbye takes, no longer."""
    def running():
        return [pid for pid in filter(str.isdigit, os.listdir("/proc"))
                if _executable(pid) == str(AGENT)]
    wait_until(lambda: not running(), 6, "the recorder's end")


def _executable(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


class Speaker:
    """Says the same again and again, as long as the scope lasts."""

    def __init__(self, serial, text, period_s=0.05):
        self.serial, self.text, self.period_s = serial, text, period_s
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.speak)

    def speak(self):
        while not self.end.wait(self.period_s):
            try:
                self.serial.say(self.text)
            except OSError:
                return

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.end.set()
        self.serial.close()
        self.thread.join()


def test_the_panic_line_is_in_the_file(bmc, serial, tmp_path):
    bmc.write("down_s", 2)
    logs = tmp_path / "logs"
    with Speaker(serial, PANIC):
        outcome = fence(bmc.login(), "off", nodename="node-1", console_log=logs)
    assert_success(outcome, "Success: Powered OFF")
    no_recorder_is_left()
    (log,) = files_of(logs)
    assert re.fullmatch(r"node-1-\d{8}T\d{6}\.\d{6}Z\.log", log.name)
    assert PANIC in log.read_text(errors="replace")
    assert log.stat().st_mode & 0o777 == 0o600
    assert logs.stat().st_mode & 0o777 == 0o700


def test_an_interrupt_before_off_gives_the_node_time_to_speak(bmc, serial, tmp_path):
    """ipmi_sim refuses the interrupt; the recording goes on as long as the power-down takes."""
    bmc.write("down_s", 1)
    logs = tmp_path / "logs"
    with Speaker(serial, PANIC):
        outcome = fence(bmc.login(), "reboot", nodename="node-1", console_log=logs,
                        diag_before_off="nmi")
    assert outcome.rc == SUCCESS
    no_recorder_is_left()
    (log,) = files_of(logs)
    assert PANIC in log.read_text(errors="replace")


def test_only_fencing_is_recorded(bmc, tmp_path):
    logs = tmp_path / "logs"
    for action in ("status", "monitor", "on", "list", "list-status", "validate-all"):
        fence(bmc.login(), action, console_log=logs)
    bmc.write("power", 0)
    assert_success(fence(bmc.login(), "off", console_log=logs), "Success: Already OFF")
    assert files_of(logs) == []


def test_it_does_not_delay_the_power_down(bmc, tmp_path):
    def median(**params):
        times = []
        for _ in range(15):
            bmc.write("power", 1)
            outcome = fence(bmc.login(), "off", **params)
            assert_success(outcome, "Success: Powered OFF")
            times.append(outcome.seconds)
        return statistics.median(times)

    without = median()
    with_console = median(console_log=tmp_path / "logs")
    no_recorder_is_left()
    # Opening and closing a console takes half a second; a process takes a few milliseconds.
    assert with_console < without + 0.03


def test_a_power_down_that_is_quicker_than_the_console_says_so(bmc, tmp_path):
    assert_success(fence(bmc.login(), "off", console_log=tmp_path / "logs"))
    no_recorder_is_left()
    (log,) = files_of(tmp_path / "logs")
    assert "[the power was off before the console was there]" in log.read_text()


def test_a_console_in_use_is_left_alone(bmc, serial, tmp_path):
    other = subprocess.Popen(
        ["ipmitool", "-I", "lanplus", "-C", "3", "-H", bmc.address, "-p", str(bmc.port), "-U", USER,
         "-P", PASSWORD, "sol", "activate"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        heard = b""
        os.set_blocking(other.stdout.fileno(), False)

        def hears(what):
            nonlocal heard
            serial.say(what)
            heard += other.stdout.read() or b""
            return what.encode() in heard

        wait_until(lambda: hears("before"), 10, "the other console")
        bmc.write("down_s", 2)
        logs = tmp_path / "logs"
        assert_success(fence(bmc.login(), "off", console_log=logs))
        wait_until(lambda: hears("after"), 10, "the other console, still there")
        no_recorder_is_left()
        (log,) = files_of(logs)
        assert "[no console:" in log.read_text()
        assert "use" in log.read_text()
    finally:
        other.kill()
        other.wait()


def test_files_are_bounded_in_number(bmc, tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir(mode=0o700)
    for i in range(25):
        (logs / f"node-1-20200101T0000{i:02}.000000Z.log").touch()
    (logs / "node-10-20200101T000000.000000Z.log").touch()
    (logs / "node-1-notes.log").touch()
    assert_success(fence(bmc.login(), "off", nodename="node-1", console_log=logs))
    names = [path.name for path in files_of(logs)]
    ours = [name for name in names if name.startswith("node-1-2")]
    assert len(ours) == 20
    assert "node-1-20200101T000024.000000Z.log" in ours
    assert "node-1-20200101T000000.000000Z.log" not in ours
    assert "node-10-20200101T000000.000000Z.log" in names
    assert "node-1-notes.log" in names


@pytest.mark.parametrize("name, expected", [("../../etc/passwd", "_._.._etc_passwd"),
                                            ("a b;c", "a_b_c"), (".hidden", "_hidden")])
def test_a_strange_node_name_stays_a_name(bmc, tmp_path, name, expected):
    logs = tmp_path / "logs"
    assert_success(fence(bmc.login(), "off", nodename=name, console_log=logs))
    (log,) = files_of(logs)
    assert log.name.startswith(f"{expected}-2")


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_directory_that_others_may_write_to_is_not_used(bmc, tmp_path, mode):
    logs = tmp_path / "logs"
    logs.mkdir()
    logs.chmod(mode)
    outcome = fence(bmc.login(), "off", console_log=logs)
    assert (outcome.rc, outcome.out) == (SUCCESS, "Success: Powered OFF\n")
    assert "the console is not recorded" in outcome.err
    assert files_of(logs) == []


def test_a_port_that_the_console_cannot_use_is_named(tmp_path):
    with Bmc(tmp_path / "high", port=40623) as bmc:
        assert_success(fence(bmc.login(), "off", console_log=tmp_path / "logs"))
        no_recorder_is_left()
        (log,) = files_of(tmp_path / "logs")
        assert "[no console:" in log.read_text()
        assert "32767" in log.read_text()
