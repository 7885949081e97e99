# SPDX-License-Identifier: GPL-3.0-or-later
"""fence_ipmi with bad networks and strange BMCs: what a relay between it and ipmi_sim can do."""

import random
import threading

import pytest
from ipmi_env import (OPEN_SESSION_RESPONSE, RAKP_2, RAKP_4, SUCCESS, Faults, Relay,
                      assert_failure, assert_success, bmc, fence, message_of, with_data,  # noqa: F401
                      with_reply, with_status)

CHASSIS, STATUS, CONTROL = 0x00, 0x01, 0x02
POWER_TIMEOUT_S = 20


class TestNetworks:
    """Off is still proven within power_timeout, which is 20 s by default."""

    @pytest.mark.parametrize("faults", [
        Faults(delay_s=1),
        Faults(loss=0.3, seed=1),
        Faults(loss=0.3, seed=2),
        Faults(loss=0.3, seed=3),
        Faults(jitter_s=1, seed=4),
        Faults(jitter_s=0.6, copies=1, loss=0.1, seed=5),
        Faults(copies=3),
        Faults(foreign=True),
        Faults(damage=0.2, seed=6),
    ], ids=["slow", "loss-1", "loss-2", "loss-3", "late", "late-twice-and-lost", "duplicates",
            "foreign-session", "damage"])
    def test_off_is_proven(self, bmc, faults):
        with Relay((bmc.address, bmc.port), faults) as relay:
            outcome = fence(bmc.login(ipport=relay.port), "off")
            assert_success(outcome, "Success: Powered OFF")
            assert outcome.seconds < POWER_TIMEOUT_S
            assert bmc.power == "0"
            assert set(bmc.changes()) == {"set power 0"}

    @pytest.mark.parametrize("faults", [Faults(loss=0.3, seed=7), Faults(copies=2),
                                        Faults(foreign=True)],
                             ids=["loss", "duplicates", "foreign-session"])
    def test_reboot(self, bmc, faults):
        with Relay((bmc.address, bmc.port), faults) as relay:
            assert_success(fence(bmc.login(ipport=relay.port), "reboot"), "Success: Rebooted")
            assert bmc.power == "1"
            assert "set power 0" in bmc.changes()

    def test_ipmi_1_5_over_a_network_that_repeats_and_mixes(self, bmc):
        with Relay((bmc.address, bmc.port), Faults(copies=1, foreign=True)) as relay:
            assert_success(fence(bmc.login(ipport=relay.port), "off", lanplus=0))
            assert bmc.power == "0"

    def test_status_of_a_slow_bmc(self, bmc):
        with Relay((bmc.address, bmc.port), Faults(delay_s=1)) as relay:
            first = fence(bmc.login(ipport=relay.port), "status")
            assert_success(first, "Status: ON")
            second = fence(bmc.login(ipport=relay.port), "status")
            assert_success(second, "Status: ON")
            # The second knows the suite and the workaround, and asks less.
            assert second.seconds < first.seconds - 2

    def test_silence_for_a_while_is_survived(self, bmc):
        """A BMC that restarts its network in the middle of fencing."""
        bmc.write("down_s", 2)
        with Relay((bmc.address, bmc.port)) as relay:
            def away():
                relay.faults.silent = True
                threading.Timer(4, back).start()

            def back():
                relay.faults.silent = False

            threading.Timer(0.5, away).start()
            outcome = fence(bmc.login(ipport=relay.port), "off")
            assert_success(outcome, "Success: Powered OFF")
            assert outcome.seconds < POWER_TIMEOUT_S


class TestRefusals:
    """What BMCs answer that ipmi_sim never does: the relay changes its answers."""

    @pytest.mark.parametrize("message, status, parts", [
        (OPEN_SESSION_RESPONSE, 0x01, ["busy", "sessions"]),
        (OPEN_SESSION_RESPONSE, 0x09, ["does not give user 'admin' the privilege", "privlvl"]),
        (OPEN_SESSION_RESPONSE, 0x11, ["does not take cipher suite 3"]),
        (RAKP_2, 0x0A, ["does not give user 'admin' the privilege", "privlvl"]),
        (RAKP_2, 0x0D, ["refused the user name 'admin'", "check username"]),
        (RAKP_4, 0x0F, ["refused the password", "check password"]),
    ], ids=["busy", "role", "cipher", "privilege", "name", "integrity"])
    def test_a_session_is_refused(self, bmc, message, status, parts):
        with Relay((bmc.address, bmc.port), edit=with_status(message, status)) as relay:
            outcome = fence(bmc.login(ipport=relay.port), "off", cipher=3, login_timeout=1)
            assert_failure(outcome, *parts)
            assert outcome.seconds < 6
            assert bmc.changes() == []

    def test_another_suite_is_tried_when_the_best_is_refused(self, bmc):
        """Suite 3 is switched off in some BMCs that still list it."""
        refuse = with_status(OPEN_SESSION_RESPONSE, 0x11)

        def edit(request, packet):
            sha1_with_aes = request[24:48:8][:1] == b"\x00" and request[44:45] == b"\x01"
            return refuse(request, packet) if sha1_with_aes else packet

        with Relay((bmc.address, bmc.port), edit=edit) as relay:
            outcome = fence(bmc.login(ipport=relay.port), "status", verbose=1)
            assert outcome.rc == SUCCESS
            assert "does not take cipher suite 3" in outcome.err

    @pytest.mark.parametrize("code, parts", [
        (0xC1, ["does not have this command", "C1h"]),
        (0xCC, ["does not support this kind of power control", "CCh"]),
        (0xD4, ["privilege is not enough", "operator"]),
        (0xD6, ["disabled", "D6h"]),
        (0xFF, ["gives no reason", "event log"]),
        (0x93, ["completion code 93h"]),
    ])
    def test_power_down_is_refused_for_good(self, bmc, code, parts):
        bmc.write("stuck", 0)
        with Relay((bmc.address, bmc.port), edit=with_reply(CHASSIS, CONTROL, code)) as relay:
            outcome = fence(bmc.login(ipport=relay.port), "off", cipher=1)
            assert_failure(outcome, "switching the power off failed", *parts)
            assert outcome.seconds < 2

    @pytest.mark.parametrize("code, parts", [
        (0xC0, ["busy", "C0h"]),
        (0xC3, ["timed out"]),
        (0xD5, ["present state", "D5h"]),
    ])
    def test_power_down_is_refused_for_now_until_the_time_is_over(self, bmc, code, parts):
        bmc.write("stuck", 0)
        with Relay((bmc.address, bmc.port), edit=with_reply(CHASSIS, CONTROL, code)) as relay:
            outcome = fence(bmc.login(ipport=relay.port), "off", cipher=1, power_timeout=2)
            assert_failure(outcome, "power off not proven within 2 s", *parts)
            assert 2 <= outcome.seconds < 4

    def test_a_bmc_that_is_busy_for_a_moment(self, bmc):
        busy = [1]

        def edit(request, packet):
            message = message_of(packet)
            if message and message[1] >> 2 == CHASSIS + 1 and message[5] == CONTROL and busy[0] > 0:
                busy[0] -= 1
                return with_reply(CHASSIS, CONTROL, 0xC0)(request, packet)
            return packet

        with Relay((bmc.address, bmc.port), edit=edit) as relay:
            assert_success(fence(bmc.login(ipport=relay.port), "off", cipher=1))
            assert busy == [0]

    def test_a_refusal_is_overruled_by_the_state(self, bmc):
        """The answer is an error, the node is off nevertheless: what counts is the state."""
        with Relay((bmc.address, bmc.port), edit=with_reply(CHASSIS, CONTROL, 0xFF)) as relay:
            assert_success(fence(bmc.login(ipport=relay.port), "off", cipher=1))
            assert bmc.power == "0"

    @pytest.mark.parametrize("byte, bit, part", [
        (0, 0x02, "power overload"),
        (0, 0x04, "interlock"),
        (0, 0x08, "fault of the main power"),
        (0, 0x10, "fault of the power control"),
        (2, 0x01, "chassis intrusion"),
    ])
    def test_power_up_without_effect_names_the_fault(self, bmc, byte, bit, part):
        bmc.write("power", 0)
        bmc.write("stuck", 1)

        def fault(data):
            return data[:byte] + bytes([data[byte] | bit]) + data[byte + 1:]

        with Relay((bmc.address, bmc.port), edit=with_data(CHASSIS, STATUS, fault)) as relay:
            outcome = fence(bmc.login(ipport=relay.port), "on", cipher=1, power_timeout=1,
                            retry_on=0)
            assert_failure(outcome, "still off", f"it reports {part}")

    def test_a_state_that_cannot_be_read_is_not_off(self, bmc):
        bmc.write("power", 0)
        with Relay((bmc.address, bmc.port), edit=with_reply(CHASSIS, STATUS, 0xC1)) as relay:
            request = bmc.login(ipport=relay.port, cipher=1)
            assert_failure(fence(request, "off"), "reading the power state failed", "C1h")
            assert_failure(fence(request, "status"), "reading the power state failed", "C1h")


class TestNonsense:
    """A fuzzer on the replies: whatever arrives, nothing crashes and nothing is claimed falsely."""

    @staticmethod
    def mangled(seed):
        rng = random.Random(seed)

        def edit(_, packet):
            if rng.random() < 0.5:
                return packet
            data = bytearray(packet)
            for _ in range(rng.randint(1, 8)):
                kind = rng.randrange(4)
                at = rng.randrange(len(data)) if data else 0
                if kind == 0 and data:
                    data[at] = rng.randrange(256)
                elif kind == 1:
                    del data[at:at + rng.randint(1, 16)]
                elif kind == 2:
                    data[at:at] = rng.randbytes(rng.randint(1, 64))
                elif data:
                    data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
            return bytes(data)
        return edit

    @pytest.mark.parametrize("seed", range(12))
    def test_off_is_true_or_a_failure(self, bmc, seed):
        with Relay((bmc.address, bmc.port), edit=self.mangled(seed)) as relay:
            outcome = fence(bmc.login(ipport=relay.port), "off", login_timeout=1, power_timeout=3)
            assert outcome.rc in (0, 1)
            if outcome.rc == 0:
                assert bmc.power == "0"
            else:
                assert "crashed" not in outcome.err and "ended without" not in outcome.err
                assert outcome.err.startswith("fence_ipmi: ")

    @pytest.mark.parametrize("seed", range(6))
    def test_ipmi_1_5_too(self, bmc, seed):
        with Relay((bmc.address, bmc.port), edit=self.mangled(100 + seed)) as relay:
            outcome = fence(bmc.login(ipport=relay.port), "off", lanplus=0, login_timeout=1,
                            power_timeout=3)
            assert outcome.rc in (0, 1)
            assert "crashed" not in outcome.err and "ended without" not in outcome.err
            if outcome.rc == 0:
                assert bmc.power == "0"

    @pytest.mark.parametrize("payload", [b"", b"\0", b"x" * 1500, b"\x06\x00\xff\x07",
                                         b"\x06\x00\xff\x07\x06\x13" + b"\xff" * 60],
                             ids=["empty", "nul", "long", "header", "rakp"])
    def test_one_answer_to_everything(self, bmc, payload):
        with Relay((bmc.address, bmc.port), edit=lambda *_: payload) as relay:
            outcome = fence(bmc.login(ipport=relay.port), "off", login_timeout=1)
            assert_failure(outcome, "timed out")
