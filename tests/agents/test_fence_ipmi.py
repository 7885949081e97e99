# SPDX-License-Identifier: GPL-3.0-or-later
"""fence_ipmi against a real BMC simulator: states and proofs, spellings, ways to a BMC."""

from pathlib import Path

import pytest
from conftest import run_fence
from ipmi_env import (OFF, PASSWORD, SUCCESS, USER, Bmc, Faults, Relay, assert_failure,
                      assert_success, bmc, fence)  # noqa: F401


class TestPower:
    """Every action from every state: the state is read first, proven afterwards."""

    def test_status_tells_on_and_off(self, bmc):
        on = fence(bmc.login(), "status")
        assert_success(on, "Status: ON")
        bmc.write("power", 0)
        off = fence(bmc.login(), "status")
        assert (off.rc, off.out, off.err) == (OFF, "Status: OFF\n", "")

    def test_monitor_succeeds_whatever_the_state(self, bmc):
        assert_success(fence(bmc.login(), "monitor"))
        bmc.write("power", 0)
        assert_success(fence(bmc.login(), "monitor"))
        assert bmc.changes() == []

    def test_off(self, bmc):
        assert_success(fence(bmc.login(), "off"), "Success: Powered OFF")
        assert bmc.power == "0"
        assert bmc.changes() == ["set power 0"]

    def test_off_when_off_sends_no_command(self, bmc):
        bmc.write("power", 0)
        assert_success(fence(bmc.login(), "off"), "Success: Already OFF")
        assert bmc.changes() == []

    def test_on(self, bmc):
        bmc.write("power", 0)
        assert_success(fence(bmc.login(), "on"), "Success: Powered ON")
        assert bmc.power == "1"
        assert bmc.changes() == ["set power 1"]

    def test_on_when_on_sends_no_command(self, bmc):
        assert_success(fence(bmc.login(), "on"), "Success: Already ON")
        assert bmc.changes() == []

    def test_reboot_is_off_proven_then_on_proven(self, bmc):
        assert_success(fence(bmc.login(), "reboot"), "Success: Rebooted")
        assert bmc.power == "1"
        commands = bmc.commands("set power", "get power")
        off, on = commands.index("set power 0"), commands.index("set power 1")
        assert "get power" in commands[:off]
        assert "get power" in commands[off:on]
        assert "get power" in commands[on:]
        assert bmc.changes() == ["set power 0", "set power 1"]

    def test_reboot_of_a_node_that_is_off_powers_it_on(self, bmc):
        bmc.write("power", 0)
        assert_success(fence(bmc.login(), "reboot"), "Success: Rebooted")
        assert bmc.changes() == ["set power 1"]

    def test_the_power_is_polled_until_it_is_off(self, bmc):
        bmc.write("down_s", 2)
        outcome = fence(bmc.login(), "off")
        assert_success(outcome, "Success: Powered OFF")
        # Ended with the state, not with a poll a second later: the longest pause is one second,
        # but by then the pauses have grown to half of what was waited.
        assert 2.0 <= outcome.seconds < 3.1
        assert bmc.changes() == ["set power 0"]

    def test_a_power_down_without_effect_is_a_failure_in_time(self, bmc):
        bmc.write("stuck", 0)
        outcome = fence(bmc.login(), "off", power_timeout=2)
        assert_failure(outcome, "timed out", "accepted 'power down'", "still on", "power_timeout")
        assert 2.0 <= outcome.seconds < 3.0
        assert bmc.power == "1"

    def test_a_refused_power_down_is_a_failure_at_once(self, bmc):
        bmc.write("refuse", 0)
        outcome = fence(bmc.login(), "off", power_timeout=10)
        assert_failure(outcome, "switching the power off failed")
        assert outcome.seconds < 2
        assert bmc.power == "1"

    def test_reboot_succeeds_once_the_node_is_off_even_if_it_stays_off(self, bmc):
        bmc.write("stuck", 1)
        outcome = fence(bmc.login(), "reboot", power_timeout=2)
        assert (outcome.rc, outcome.out) == (SUCCESS, "Success: Rebooted\n")
        assert "WARNING: the node is powered off, but did not come on again" in outcome.err
        assert "still off" in outcome.err
        assert bmc.power == "0"

    def test_reboot_fails_when_off_is_not_proven(self, bmc):
        bmc.write("stuck", 0)
        assert_failure(fence(bmc.login(), "reboot", power_timeout=2), "still on")
        assert "set power 1" not in bmc.changes()

    def test_power_wait_waits_before_the_state_is_read(self, bmc):
        outcome = fence(bmc.login(), "off", power_wait=1)
        assert_success(outcome)
        assert outcome.seconds >= 1.0

    def test_on_that_fails_is_retried_as_often_as_asked(self, bmc):
        bmc.write("power", 0)
        bmc.write("stuck", 1)
        outcome = fence(bmc.login(), "on", power_timeout=1, retry_on=1)
        assert_failure(outcome, "timed out", "still off", "event log")
        assert bmc.changes() == ["set power 1", "set power 1"]

    def test_delay_is_kept_before_off(self, bmc):
        outcome = fence(bmc.login(), "off", delay=1)
        assert_success(outcome)
        assert outcome.seconds >= 1.0

    def test_a_diagnostic_interrupt_that_the_bmc_does_not_have(self, bmc):
        assert_failure(fence(bmc.login(), "diag"), "diagnostic interrupt failed", "CCh")


class TestInput:
    """The same request in every spelling that fence_ipmilan takes."""

    def test_new_names(self, bmc):
        assert_success(run_fence({"ip": bmc.address, "ipport": bmc.port, "username": USER,
                                  "password": PASSWORD, "action": "status"}), "Status: ON")

    def test_old_names(self, bmc):
        assert_success(run_fence({"ipaddr": bmc.address, "ipport": bmc.port, "login": USER,
                                  "passwd": PASSWORD, "option": "status", "port": "n1"}),
                       "Status: ON")

    def test_as_the_fencer_calls_it(self, bmc):
        assert_success(run_fence({"nodename": "n1", **bmc.login(), "action": "status", "plug": "n1"}),
                       "Status: ON")

    def test_letters(self, bmc):
        assert_success(run_fence(None, "-a", bmc.address, "-u", str(bmc.port), "-l", USER, "-p",
                                 PASSWORD, "-o", "status", "-P", "-L", "administrator", "-C", "3",
                                 "-m", "onoff", "-n", "n1"), "Status: ON")

    def test_long_options(self, bmc):
        assert_success(run_fence(None, f"--ip={bmc.address}", f"--ipport={bmc.port}",
                                 f"--username={USER}", f"--password={PASSWORD}", "--action=status",
                                 "--lanplus", "--power-timeout=5", "--login-timeout=5",
                                 "--shell-timeout=3", "--ipmitool-timeout=2", "--retry-on=1"),
                       "Status: ON")

    def test_what_has_no_effect_here_is_accepted_silently(self, bmc):
        outcome = run_fence(bmc.login(action="status", ipmitool_path="/nowhere/ipmitool",
                                      use_sudo=1, sudo_path="/nowhere/sudo",
                                      disable_timeout="true"))
        assert_success(outcome, "Status: ON")

    def test_disable_timeout_does_not_remove_the_end(self, bmc):
        bmc.write("stuck", 0)
        outcome = fence(bmc.login(), "off", power_timeout=1, disable_timeout="true")
        assert_failure(outcome, "timed out")

    def test_password_script(self, bmc, tmp_path):
        script = tmp_path / "password"
        script.write_text(f"#!/bin/sh\necho {PASSWORD}\n")
        script.chmod(0o700)
        request = bmc.login(passwd=None, passwd_script=script)
        assert_success(fence(request, "status"), "Status: ON")

    def test_a_password_script_that_fails(self, bmc, tmp_path):
        script = tmp_path / "password"
        script.write_text(f"#!/bin/sh\necho {PASSWORD}\nexit 3\n")
        script.chmod(0o700)
        assert_failure(fence(bmc.login(passwd=None, password_script=script), "status"),
                       "password_script", "failed with status 3")

    def test_a_password_script_that_does_not_exist(self, bmc):
        assert_failure(fence(bmc.login(passwd=None, password_script="/nowhere/script"), "status"),
                       "password_script", "not installed")

    def test_no_action_is_reboot(self, bmc):
        assert_success(run_fence(bmc.login()), "Success: Rebooted")

    @pytest.mark.parametrize("params, parts", [
        ({"ipaddr": None}, ["ip", "missing"]),
        ({"ipport": "70000"}, ["ipport"]),
        ({"power_timeout": "soon"}, ["power_timeout"]),
        ({"method": "pull-the-plug"}, ["method", "onoff"]),
        ({"privlvl": "god"}, ["privlvl", "operator"]),
        ({"cipher": "5"}, ["cipher suite 5", "15-17"]),
        ({"hexadecimal_kg": "0x123"}, ["hexadecimal_kg"]),
        ({"hexadecimal_kg": "00" * 21}, ["hexadecimal_kg", "20 bytes"]),
        ({"workaround_flags": "opensesspriv,nonsense"}, ["workaround_flags", "nonsense", "sun20"]),
        ({"target": "0x123"}, ["target"]),
        ({"login": "a-name-too-long-for-ipmi"}, ["longer than the 16 bytes"]),
        ({"passwd": "x" * 21}, ["password has 21 bytes", "20"]),
        ({"passwd": "x" * 17, "lanplus": 0}, ["password has 17 bytes", "16"]),
    ])
    def test_validate_all_finds_what_is_wrong(self, bmc, params, parts):
        assert_failure(fence(bmc.login(**params), "validate-all"), *parts)

    def test_validate_all_needs_no_bmc(self):
        request = {"ip": "192.0.2.1", "username": USER, "password": PASSWORD}
        outcome = fence(request, "validate-all")
        assert_success(outcome)
        assert outcome.seconds < 1

    def test_an_unknown_action(self, bmc):
        assert_failure(fence(bmc.login(), "explode"), "unsupported action")

    def test_an_unknown_parameter_is_a_warning(self, bmc):
        outcome = fence(bmc.login(), "status", colour="red")
        assert outcome.rc == SUCCESS
        assert "colour" in outcome.err


class TestBmc:
    """Which BMC, and how to talk to it."""

    def test_ipv6(self, tmp_path):
        with Bmc(tmp_path / "bmc", address="::1") as bmc:
            assert_success(fence(bmc.login(), "status"), "Status: ON")
            assert_success(fence(bmc.login(ipaddr="[::1]"), "off"), "Success: Powered OFF")

    def test_host_name(self, bmc):
        assert_success(fence(bmc.login(ipaddr="localhost"), "status"), "Status: ON")

    @pytest.mark.parametrize("cipher", [0, 1, 2, 3, 6])
    def test_a_given_cipher_suite(self, bmc, cipher):
        assert_success(fence(bmc.login(), "status", cipher=cipher), "Status: ON")

    def test_ipmi_1_5(self, bmc):
        assert_success(fence(bmc.login(), "status", lanplus=0), "Status: ON")
        assert_success(fence(bmc.login(), "reboot", lanplus=0), "Success: Rebooted")

    @pytest.mark.parametrize("auth", ["md5", "password", "none"])
    def test_ipmi_1_5_authentication_types(self, bmc, auth):
        assert_success(fence(bmc.login(), "status", lanplus=0, auth=auth), "Status: ON")

    def test_a_k_g_in_hexadecimal(self, tmp_path):
        with Bmc(tmp_path / "bmc", k_g="0123456789") as bmc:
            key = b"0123456789".hex()
            assert_success(fence(bmc.login(), "status", hexadecimal_kg=key), "Status: ON")
            assert_success(fence(bmc.login(), "status", hexadecimal_kg=f"0x{key}"), "Status: ON")

    def test_the_workaround_of_this_bmc_is_found_and_traced(self, bmc):
        outcome = fence(bmc.login(), "status", verbose=1)
        assert outcome.rc == SUCCESS
        assert "trying again with the workaround opensesspriv" in outcome.err
        given = fence(bmc.login(), "status", verbose=1, workaround_flags="opensesspriv")
        assert given.rc == SUCCESS
        assert "trying again" not in given.err

    def test_a_controller_behind_the_bmc(self, tmp_path):
        """target bridges to another controller on IPMB, which has a chassis of its own."""
        bmc, blade = Bmc(tmp_path / "bmc"), Bmc(tmp_path / "blade")
        lan = bmc.directory / "lan.conf"
        bmc.write("lan.conf", f'{lan.read_text()}set_working_mc 0x30\n'
                              f'  chassis_control "{blade.directory / "chassis"}"\n')
        emulation = (bmc.directory / "bmc.emu").read_text()
        bmc.write("bmc.emu", emulation + emulation.splitlines()[1].replace("0x20", "0x30", 1) +
                  "\nmc_enable 0x30\n")
        with bmc:
            for target in ("0x30", "48"):
                blade.write("power", 1)
                assert_success(fence(bmc.login(), "off", target=target), "Success: Powered OFF")
                assert (bmc.power, blade.power) == ("1", "0")
            assert fence(bmc.login(), "status", target="0x30").rc == OFF
            assert_success(fence(bmc.login(), "reboot", target="0x30"))
            assert (bmc.power, blade.power) == ("1", "1")
            assert bmc.changes() == []

    def test_port_as_ip(self, bmc):
        request = bmc.login(ipaddr=None, plug=bmc.address, port_as_ip=1)
        assert_success(fence(request, "status"), "Status: ON")


class TestAddresses:
    """Several addresses of one BMC: all are asked, and one is enough."""

    def test_a_silent_network_costs_nothing(self, bmc):
        with Relay((bmc.address, bmc.port), Faults(silent=True), ("127.0.0.9", bmc.port)):
            for addresses in (f"127.0.0.9,{bmc.address}", f"{bmc.address},127.0.0.9"):
                outcome = fence(bmc.login(ipaddr=addresses), "status")
                assert_success(outcome, "Status: ON")
                assert outcome.seconds < 0.5

    def test_a_network_that_dies_in_the_middle(self, bmc):
        for answered in (1, 4, 8, 11, 14):
            # The address that dies answers first, for the other one is slower.
            with Relay((bmc.address, bmc.port), Faults(silent_after=answered),
                       ("127.0.0.10", bmc.port)), \
                 Relay((bmc.address, bmc.port), Faults(delay_s=0.02), ("127.0.0.11", bmc.port)):
                bmc.write("power", 1)
                outcome = fence(bmc.login(ipaddr="127.0.0.10,127.0.0.11"), "off")
                assert_success(outcome, "Success: Powered OFF")
                assert bmc.power == "0"

    def test_an_address_that_refuses_does_not_speak_for_the_other(self, bmc, tmp_path):
        """One BMC, by its GUID, that has different users on its two channels."""
        with Bmc(tmp_path / "other", address="127.0.0.9", port=bmc.port, guid=bmc.guid,
                 password="another") as other, \
             Relay((bmc.address, bmc.port), Faults(delay_s=0.02), ("127.0.0.10", bmc.port)):
            outcome = fence(bmc.login(ipaddr="127.0.0.9,127.0.0.10"), "off")
            assert_success(outcome, "Success: Powered OFF")
            assert (bmc.power, other.power) == ("0", "1")

    def test_a_closed_port_beside_an_open_one(self, bmc):
        assert_success(fence(bmc.login(ipaddr=f"127.0.0.9,{bmc.address}"), "status"), "Status: ON")

    def test_no_address_answers(self, bmc):
        outcome = fence(bmc.login(ipaddr="127.0.0.9,no-such-bmc.invalid,192.0.2.1"), "status")
        assert_failure(outcome, "127.0.0.9", "refused the connection", "192.0.2.1", "no way",
                       "no-such-bmc.invalid", "cannot be resolved")

    def test_a_host_name_with_several_addresses(self, bmc):
        hosts = Path("/etc/hosts")
        before = hosts.read_text()
        hosts.write_text(f"{before}127.0.0.9 bmc-n1\n127.0.0.1 bmc-n1\n")
        try:
            assert_success(fence(bmc.login(ipaddr="bmc-n1"), "status"), "Status: ON")
        finally:
            hosts.write_text(before)
