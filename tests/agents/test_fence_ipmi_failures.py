# SPDX-License-Identifier: GPL-3.0-or-later
"""fence_ipmi when something is wrong: every cause has its sentence, and no secret gets out."""

import os
import subprocess
import threading
from pathlib import Path

from conftest import wait_until
from ipmi_env import (AGENT, PASSWORD, SUCCESS, USER, Bmc, Faults, Relay, assert_failure,
                      assert_success, bmc, fence, free_port)  # noqa: F401


class TestFailures:
    """Each has its own sentence, with an advice."""

    def test_unknown_host(self, bmc):
        assert_failure(fence(bmc.login(ipaddr="no-such-bmc.invalid"), "status"),
                       "'no-such-bmc.invalid' cannot be resolved", "/etc/hosts")

    def test_closed_port(self, bmc):
        outcome = fence(bmc.login(ipport=free_port()), "status")
        assert_failure(outcome, "refused the connection", "ipport")
        assert outcome.seconds < 2

    def test_no_route(self, bmc):
        # The sandbox has nothing but a loopback interface.
        outcome = fence(bmc.login(ipaddr="192.0.2.1"), "status")
        assert_failure(outcome, "there is no way to 192.0.2.1", "routes")
        assert outcome.seconds < 2

    def test_silence(self, bmc):
        with Relay((bmc.address, bmc.port), Faults(silent=True)) as relay:
            outcome = fence(bmc.login(ipport=relay.port), "status", login_timeout=2)
            assert_failure(outcome, "no answer from", "timed out", "power")
            assert 2.0 <= outcome.seconds < 3.0
            assert relay.requests

    def test_silence_never_lets_off_succeed(self, bmc):
        with Relay((bmc.address, bmc.port), Faults(silent=True)) as relay:
            assert_failure(fence(bmc.login(ipport=relay.port), "off", login_timeout=1), "timed out")
        assert bmc.changes() == []

    def test_a_frozen_bmc(self, bmc):
        bmc.process.send_signal(19)  # SIGSTOP
        outcome = fence(bmc.login(), "off", login_timeout=2)
        assert_failure(outcome, "no answer from", "timed out")
        assert outcome.seconds < 3

    def test_a_bmc_that_falls_silent_in_the_middle(self, bmc):
        with Relay((bmc.address, bmc.port), Faults(silent_after=9)) as relay:
            outcome = fence(bmc.login(ipport=relay.port), "status", login_timeout=1, shell_timeout=1)
            assert_failure(outcome, "timed out")
            assert outcome.seconds < 5

    def test_user(self, bmc):
        assert_failure(fence(bmc.login(login="nobody"), "status"), "refused the user name 'nobody'",
                       "check username")

    def test_disabled_user(self, bmc):
        assert_failure(fence(bmc.login(login="disabled"), "status"),
                       "refused the user name 'disabled'", "enabled")

    def test_password(self, bmc):
        assert_failure(fence(bmc.login(passwd="wrong"), "status"), "refused the password",
                       "check password")

    def test_password_1_5(self, bmc):
        outcome = fence(bmc.login(passwd="wrong"), "status", lanplus=0, login_timeout=1)
        assert_failure(outcome, "password")

    def test_user_1_5(self, bmc):
        assert_failure(fence(bmc.login(login="nobody"), "status", lanplus=0),
                       "refused the user name 'nobody'")

    def test_privilege_that_the_user_does_not_have(self, bmc):
        # In IPMI 2.0 sessions the simulator grants what is asked for; in 1.5 it looks.
        assert_failure(fence(bmc.login(login="viewer"), "status", lanplus=0),
                       "does not give user 'viewer' the privilege level administrator", "privlvl")

    def test_privilege_too_low_for_power(self, bmc):
        request = bmc.login(login="viewer", privlvl="user")
        assert_success(fence(request, "status"), "Status: ON")
        assert_failure(fence(request, "off"), "privilege is not enough", "operator", "privlvl")
        assert bmc.power == "1"

    def test_cipher_suite(self, bmc):
        assert_failure(fence(bmc.login(), "status", cipher=17), "does not take cipher suite 17",
                       "it offers", "3")

    def test_cipher_suite_that_the_bmc_lists_but_cannot_do(self, bmc):
        outcome = fence(bmc.login(), "status", cipher=8, login_timeout=1)
        assert_failure(outcome, "cipher suite 8", "timed out")
        assert outcome.seconds < 6

    def test_k_g_missing(self, tmp_path):
        with Bmc(tmp_path / "bmc", k_g="0123456789") as bmc:
            assert_failure(fence(bmc.login(), "status"), "K_g", "hexadecimal_kg")

    def test_k_g_wrong(self, tmp_path):
        with Bmc(tmp_path / "bmc", k_g="0123456789") as bmc:
            assert_failure(fence(bmc.login(), "status", hexadecimal_kg="abcd"), "another K_g")

    def test_k_g_not_wanted(self, bmc):
        assert_failure(fence(bmc.login(), "status", hexadecimal_kg="abcd"), "has no K_g",
                       "remove hexadecimal_kg")


class TestSecrets:
    """The password is nowhere but in the request and in the answer to the BMC's challenge."""

    def test_not_in_any_command_line_or_environment(self, bmc, tmp_path):
        bmc.write("down_s", 1)
        script = tmp_path / "password"
        script.write_text(f"#!/bin/sh\nsleep 0.3\necho {PASSWORD}\n")
        script.chmod(0o700)
        seen, looks, done = [], [], threading.Event()

        def watch():
            while not done.is_set():
                looks.append(1)
                for pid in filter(str.isdigit, os.listdir("/proc")):
                    for name in ("cmdline", "environ"):
                        try:
                            text = Path(f"/proc/{pid}/{name}").read_bytes()
                        except OSError:
                            continue  # it has ended
                        if PASSWORD.encode() in text:
                            seen.append((pid, name, text))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            assert_success(fence(bmc.login(), "reboot"))
            assert_success(fence(bmc.login(passwd=None, passwd_script=script), "off"))
        finally:
            done.set()
            watcher.join()
        assert len(looks) > 3
        assert seen == []

    def test_not_in_the_command_line_for_long_when_given_as_an_option(self, bmc):
        bmc.write("down_s", 1)
        process = subprocess.Popen([AGENT, "-a", bmc.address, "-u", str(bmc.port), "-l", USER,
                                    f"--password={PASSWORD}", "-o", "off"])
        wait_until(lambda: bmc.changes(), 5, "the power-down")
        line = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert process.wait() == 0
        assert b"--password" in line
        assert PASSWORD.encode() not in line

    def test_not_in_the_trace(self, bmc, tmp_path):
        trace = tmp_path / "trace"
        outcome = fence(bmc.login(), "reboot", debug_file=trace, verbose=1)
        assert outcome.rc == SUCCESS
        text = trace.read_text() + outcome.err
        assert "opening an IPMI 2.0 session" in text
        assert PASSWORD not in text
        assert trace.stat().st_mode & 0o077 == 0

    def test_not_in_a_core_dump(self, bmc, tmp_path):
        """No process of an action may dump core; /proc shows that by giving its files to root."""
        bmc.write("down_s", 3)
        process = subprocess.Popen(
            ["setpriv", "--reuid=65534", "--clear-groups", "/bin/sh", "-c",
             f"ulimit -c unlimited; cd {tmp_path}; exec {AGENT}"], stdin=subprocess.PIPE)
        for name, value in bmc.login(action="off").items():
            process.stdin.write(f"{name}={value}\n".encode())
        process.stdin.close()
        wait_until(lambda: bmc.changes(), 5, "the power-down")
        worker = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        pids = [str(process.pid), *worker]
        assert len(pids) == 2
        for pid in pids:
            assert Path(f"/proc/{pid}/status").read_text().split("Uid:")[1].split()[0] == "65534"
            assert os.stat(f"/proc/{pid}/environ").st_uid == 0
        for pid in reversed(pids):
            os.kill(int(pid), 11)
        process.wait()
        for core in tmp_path.rglob("core*"):
            assert PASSWORD.encode() not in core.read_bytes()
