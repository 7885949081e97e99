# SPDX-License-Identifier: GPL-3.0-or-later
"""fence_ipmi finding out what a BMC needs, remembering it, and where the password comes from."""

import stat
import subprocess
from pathlib import Path

import pytest
from conftest import run_fence
from ipmi_env import (FAILURE, PASSWORD, RAKP_2, SUCCESS, USER, Relay, assert_failure,
                      assert_success, bmc, fence, payload_type)  # noqa: F401

STATES = Path("/run/native-agents")
SUPERMICRO = (10876).to_bytes(3, "little")


@pytest.fixture(autouse=True)
def nothing_remembered():
    yield
    for path in states():
        path.unlink()


def states():
    return [path for path in STATES.glob("*") if path.name.startswith("ipmi")]


def sessions_tried(outcome):
    return sum("> opening an IPMI" in line for line in outcome.err.splitlines())


class TestMemory:
    """What one action found out saves the next one time, and nothing more."""

    def test_the_second_login_is_straight(self, bmc):
        first = fence(bmc.login(), "status", verbose=1)
        second = fence(bmc.login(), "status", verbose=1)
        assert (first.rc, second.rc) == (SUCCESS, SUCCESS)
        assert "asking" in first.err and "for its cipher suites" in first.err
        assert "for its cipher suites" not in second.err
        assert (sessions_tried(first), sessions_tried(second)) == (2, 1)

    def test_the_file_is_for_root_and_has_no_secret(self, bmc):
        assert_success(fence(bmc.login(), "status"))
        (state,) = states()
        assert stat.S_IMODE(state.stat().st_mode) == 0o600
        assert stat.S_IMODE(STATES.stat().st_mode) == 0o700
        assert PASSWORD not in state.read_text() + state.name
        assert state.read_text() == "3 32\n"

    @pytest.mark.parametrize("text", ["17 0\n", "3 0\n", "12 32\n", "0 0\n", "99 1\n",
                                      "-1 -1\n", "3 99999999\n", "", "x", "3", "\n\n\n",
                                      "3 32 and more\n"])
    def test_a_wrong_memory_costs_time_alone(self, bmc, text):
        assert_success(fence(bmc.login(), "status"))
        (state,) = states()
        state.write_text(text)
        assert_success(fence(bmc.login(), "status", login_timeout=1), "Status: ON")
        assert state.read_text().startswith("3 32")

    def test_a_wrong_password_is_tried_once(self, bmc):
        assert_success(fence(bmc.login(), "status"))
        outcome = fence(bmc.login(passwd="wrong"), "status", verbose=1)
        assert outcome.rc == FAILURE
        assert sessions_tried(outcome) == 1

    def test_users_and_levels_have_memories_of_their_own(self, bmc):
        assert_success(fence(bmc.login(), "status"))
        assert_success(fence(bmc.login(login="viewer", privlvl="user"), "status"))
        assert len(states()) == 2

    def test_a_given_suite_is_not_remembered(self, bmc):
        assert_success(fence(bmc.login(), "status", cipher=2))
        assert states() == []

    def test_a_file_system_that_cannot_be_written_hinders_nothing(self, bmc):
        STATES.mkdir(mode=0o700, exist_ok=True)
        STATES.chmod(0o777)
        try:
            assert_success(fence(bmc.login(), "status"), "Status: ON")
            assert states() == []
        finally:
            STATES.chmod(0o700)


class TestManufacturers:
    """A workaround is tried by itself where the manufacturer is known for the fault."""

    @staticmethod
    def quirk(manufacturer):
        """Supermicro's: RAKP message 2 is one byte longer than it should be."""
        def edit(_, packet):
            if payload_type(packet) == RAKP_2:
                length = int.from_bytes(packet[14:16], "little") + 1
                return packet[:14] + length.to_bytes(2, "little") + packet[16:] + b"\x00"
            if payload_type(packet) is None and len(packet) == 30 and packet[19] == 0x38:
                message = packet[14:-1]
                message = message[:11] + manufacturer + message[14:]
                return packet[:14] + message + bytes([-sum(message[3:]) & 0xFF])
            return packet
        return edit

    def test_a_known_one(self, bmc):
        with Relay((bmc.address, bmc.port), edit=self.quirk(SUPERMICRO)) as relay:
            outcome = fence(bmc.login(ipport=relay.port, cipher=3), "status", verbose=1)
            assert (outcome.rc, outcome.out) == (SUCCESS, "Status: ON\n")
            assert "manufacturer 10876" in outcome.err

    def test_an_unknown_one(self, bmc):
        with Relay((bmc.address, bmc.port), edit=self.quirk(b"\x01\x02\x03")) as relay:
            assert_failure(fence(bmc.login(ipport=relay.port, cipher=3), "status"), "password")

    def test_given_by_hand(self, bmc):
        with Relay((bmc.address, bmc.port), edit=self.quirk(b"\x01\x02\x03")) as relay:
            assert_success(fence(bmc.login(ipport=relay.port, cipher=3), "status",
                                 workaround_flags="supermicro20,opensesspriv"), "Status: ON")


class TestPasswords:
    """Where they may come from, and which there are."""

    @pytest.mark.parametrize("password", ["x" * 16, "a few spaces in", "\"'`$(id)\\;&|<>*",
                                          "a=b=c", "äöü-€", "#hash"])
    def test_special_ones(self, bmc, password):
        # The administrator's way, for ipmi_sim's file has neither blanks nor quotes in a word. Of
        # longer passwords ipmi_sim keeps 16 bytes, so that nobody gets in with the whole.
        subprocess.run(["ipmitool", "-I", "lanplus", "-C", "3", "-H", bmc.address, "-p",
                        str(bmc.port), "-U", USER, "-P", PASSWORD, "user", "set", "password", "2",
                        password, "16"], check=True, capture_output=True)
        assert_success(fence(bmc.login(passwd=password), "status"), "Status: ON")
        assert_success(run_fence(None, "-a", bmc.address, "-u", str(bmc.port), "-l", USER, "-p",
                                 password, "-o", "status"), "Status: ON")
        assert_failure(fence(bmc.login(passwd=password[:-1]), "status"), "password")

    def test_from_a_file(self, bmc, tmp_path):
        path = tmp_path / "password"
        path.write_text(f"{PASSWORD}\n")
        path.chmod(0o600)
        assert_success(fence(bmc.login(passwd=None, password_file=path), "status"), "Status: ON")

    def test_a_file_that_others_may_read_is_refused(self, bmc, tmp_path):
        path = tmp_path / "password"
        path.write_text(f"{PASSWORD}\n")
        path.chmod(0o644)
        assert_failure(fence(bmc.login(passwd=None, password_file=path), "status"),
                       "password_file", "readable for others")

    def test_a_file_that_is_not_there(self, bmc):
        assert_failure(fence(bmc.login(passwd=None, password_file="/nowhere"), "status"),
                       "password_file", "/nowhere")

    def test_from_the_environment(self, bmc):
        request = bmc.login(passwd=None, password_script="printenv BMC_SECRET", action="status")
        assert_success(run_fence(request, env={"BMC_SECRET": PASSWORD}), "Status: ON")
        assert_failure(run_fence(request), "password_script", "failed with status 1")

    def test_two_sources_are_a_mistake(self, bmc, tmp_path):
        assert_failure(fence(bmc.login(password_file=tmp_path / "x"), "validate-all"),
                       "password", "only one")
