# SPDX-License-Identifier: GPL-3.0-or-later
"""fence_ipmi's commands that must not run twice: power cycle and diagnostic interrupt."""

import threading
import time

from ipmi_env import (SUCCESS, Faults, Relay, all_of, assert_failure, assert_success, bmc, fence,
                      message_of, with_data, with_reply)  # noqa: F401

CHASSIS, CONTROL, STATUS, RESTART_CAUSE = 0x00, 0x02, 0x01, 0x07
CYCLE, NMI = 2, 4
NOT_IN_THIS_STATE = 0xD5


def controls(relay):
    """The chassis control commands that went to the BMC, by their numbers."""
    found = []
    for _, packet in relay.requests:
        message = message_of(packet)
        if message and message[1] >> 2 == CHASSIS and message[5] == CONTROL:
            found.append(message[6])
    return found


class Through:
    """A relay to the BMC, and a request through it in packets that the relay can read."""

    def __init__(self, bmc, faults=None, edit=None):
        self.bmc = bmc
        self.relay = Relay((bmc.address, bmc.port), faults, edit=edit)

    def __enter__(self):
        self.relay.__enter__()
        return self

    def __exit__(self, *_):
        self.relay.__exit__()

    def fence(self, action, **params):
        return fence(self.bmc.login(ipport=self.relay.port, cipher=1), action, **params)

    @property
    def controls(self):
        return controls(self.relay)


class TestCycle:
    """ipmi_sim powers off at once and on three seconds later."""

    def test_a_cycle_is_seen(self, bmc):
        with Through(bmc) as through:
            outcome = through.fence("reboot", method="cycle")
            assert_success(outcome, "Success: Rebooted")
            assert through.controls[0] == CYCLE
            assert through.controls.count(CYCLE) == 1
            assert bmc.power == "1"
            assert bmc.changes()[0] == "set power 0"

    def test_a_node_that_is_off_is_powered_on(self, bmc):
        bmc.write("power", 0)
        with Through(bmc) as through:
            assert_success(through.fence("reboot", method="cycle"), "Success: Rebooted")
            assert CYCLE not in through.controls
            assert bmc.changes() == ["set power 1"]

    def test_a_cycle_without_proof_is_followed_by_off_and_on(self, bmc):
        bmc.write("stuck", 0)
        began = time.monotonic()

        def unstick():
            time.sleep(5.3)
            (bmc.directory / "stuck").unlink()

        threading.Thread(target=unstick).start()
        with Through(bmc) as through:
            outcome = through.fence("reboot", method="cycle")
            assert outcome.rc == SUCCESS
            assert outcome.out == "Success: Rebooted (by off and on: the cycle was not proven)\n"
            assert through.controls[0] == CYCLE
            assert through.controls.count(CYCLE) == 1
            assert 0 in through.controls
        assert time.monotonic() - began > 5

    def test_a_refused_cycle_is_followed_by_off_and_on_at_once(self, bmc):
        def refuse_cycle(request, packet):
            message = message_of(request)
            if message and message[5] == CONTROL and message[6] == CYCLE:
                return with_reply(CHASSIS, CONTROL, NOT_IN_THIS_STATE)(request, packet)
            return packet

        # The BMC behind must not do it either: the relay answers in its place.
        bmc.write("stuck", 0)
        with Through(bmc, edit=refuse_cycle) as through:
            threading.Timer(0.5, lambda: (bmc.directory / "stuck").unlink()).start()
            outcome = through.fence("reboot", method="cycle")
            assert outcome.rc == SUCCESS
            assert "by off and on" in outcome.out
            assert outcome.seconds < 9

    def test_a_recorded_restart_is_proof(self, bmc):
        """A BMC that never reports the power off in between, but records why the node started."""
        bmc.write("stuck", 0)
        cycled = threading.Event()

        def edit(request, packet):
            message = message_of(request)
            if message and message[5] == CONTROL and message[6] == CYCLE:
                cycled.set()
            cause = bytes([1 if cycled.is_set() else 3, 0])
            return with_reply(CHASSIS, RESTART_CAUSE, 0, cause)(request, packet)

        with Through(bmc, edit=edit) as through:
            assert_success(through.fence("reboot", method="cycle"), "Success: Rebooted")
            assert through.controls == [CYCLE]

    def test_an_old_record_is_no_proof(self, bmc):
        bmc.write("stuck", 0)
        edit = with_reply(CHASSIS, RESTART_CAUSE, 0, bytes([1, 0]))
        with Through(bmc, edit=edit) as through:
            assert_failure(through.fence("reboot", method="cycle", power_timeout=1), "still on")
            assert through.controls.count(CYCLE) == 1

    def test_a_power_up_by_ipmi_that_was_not_there_is_proof(self, bmc):
        bmc.write("stuck", 0)
        cycled = threading.Event()

        def edit(request, packet):
            message = message_of(request)
            if message and message[5] == CONTROL and message[6] == CYCLE:
                cycled.set()
            by_ipmi = 0x10 if cycled.is_set() else 0

            def last_event(data):
                return data[:1] + bytes([by_ipmi]) + data[2:]
            return with_data(CHASSIS, STATUS, last_event)(request, packet)

        with Through(bmc, edit=edit) as through:
            assert_success(through.fence("reboot", method="cycle"), "Success: Rebooted")
            assert through.controls == [CYCLE]

    def test_a_lost_answer_never_repeats_the_cycle(self, bmc):
        lost = bytes([CONTROL, CYCLE])
        with Through(bmc, Faults(lose_replies_to=lost, lose_replies=1)) as through:
            assert_success(through.fence("reboot", method="cycle"))
            assert through.relay.faults.lose_replies == 0
            assert through.controls.count(CYCLE) == 1
            assert bmc.power == "1"


class TestDiagnosticInterrupt:
    """ipmi_sim has no diagnostic interrupt, so the relay answers for a BMC that has one."""

    HAS_NMI = staticmethod(with_reply(CHASSIS, CONTROL, 0))

    def test_diag(self, bmc):
        with Through(bmc, edit=self.HAS_NMI) as through:
            assert_success(through.fence("diag"), "Success: diagnostic interrupt sent")
            assert through.controls == [NMI]
            assert bmc.power == "1"

    def test_a_lost_answer_never_repeats_it(self, bmc):
        with Through(bmc, Faults(lose_replies_to=bytes([CONTROL, NMI]), lose_replies=9)) as through:
            outcome = through.fence("diag")
            assert_failure(outcome, "diagnostic interrupt timed out")
            assert through.controls == [NMI]
            assert outcome.seconds < 5

    def test_before_off_it_is_sent_and_waited_for(self, bmc):
        with Through(bmc, edit=self.HAS_NMI) as through:
            outcome = through.fence("off", diag_before_off="nmi", diag_wait=2)
            assert_success(outcome, "Success: Powered OFF")
            assert through.controls == [NMI, 0]
            assert 2.0 <= outcome.seconds < 4.0
            assert bmc.power == "0"

    def test_a_node_that_goes_off_by_itself_ends_the_wait(self, bmc):
        with Through(bmc, edit=self.HAS_NMI) as through:
            threading.Timer(1, lambda: bmc.write("power", 0)).start()
            outcome = through.fence("off", diag_before_off="nmi", diag_wait=20)
            assert_success(outcome, "Success: Already OFF")
            assert through.controls == [NMI]
            assert outcome.seconds < 3

    def test_a_bmc_without_it_powers_off_all_the_same(self, bmc):
        with Through(bmc) as through:
            outcome = through.fence("off", diag_before_off="nmi", diag_wait=20)
            assert (outcome.rc, outcome.out) == (SUCCESS, "Success: Powered OFF\n")
            assert "no crash dump" in outcome.err
            assert outcome.seconds < 2
            assert bmc.power == "0"

    def test_a_lost_answer_does_not_hinder_the_power_down(self, bmc):
        with Through(bmc, Faults(lose_replies_to=bytes([CONTROL, NMI]), lose_replies=9)) as through:
            outcome = through.fence("off", diag_before_off="nmi", diag_wait=1)
            assert (outcome.rc, outcome.out) == (SUCCESS, "Success: Powered OFF\n")
            assert through.controls == [NMI, 0]
            assert bmc.power == "0"

    def test_it_comes_before_a_cycle_too(self, bmc):
        def nmi_only(request, packet):
            message = message_of(request)
            if message and message[5] == CONTROL and message[6] == NMI:
                return self.HAS_NMI(request, packet)
            return packet

        with Through(bmc, edit=nmi_only) as through:
            assert_success(through.fence("reboot", method="cycle", diag_before_off="nmi",
                                         diag_wait=1))
            assert through.controls[:2] == [NMI, CYCLE]

    def test_a_node_that_is_off_is_sent_nothing(self, bmc):
        bmc.write("power", 0)
        with Through(bmc) as through:
            assert_success(through.fence("off", diag_before_off="nmi"), "Success: Already OFF")
            assert through.controls == []
