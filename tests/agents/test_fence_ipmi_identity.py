# SPDX-License-Identifier: GPL-3.0-or-later
"""fence_ipmi with several addresses: they must lead to one BMC, or nothing is done and nothing said."""

import contextlib
import subprocess
import threading
import time
from pathlib import Path

import pytest
from conftest import run_fence
from ipmi_env import (OFF, SUCCESS, Bmc, Faults, Relay, assert_failure, assert_success, bmc,  # noqa: F401
                      fence)

STATES = Path("/run/native-agents")
FIRST, SECOND = "127.0.0.10", "127.0.0.11"
BOTH = f"{FIRST},{SECOND}"
ACTIONS = ["off", "reboot", "on", "status", "diag", "monitor"]
GET_SYSTEM_GUID, GET_CAPABILITIES, GET_CIPHER_SUITES = 0x37, 0x38, 0x54
GRACE_S = 0.4
PATIENCE_S = 2
TWO = "two different BMCs"


def is_before_sessions(packet):
    """A question outside of a session: what the BMC can do, its GUID, its cipher suites."""
    return packet[4] == 0 and packet[19] in (GET_CAPABILITIES, GET_SYSTEM_GUID, GET_CIPHER_SUITES)


def waited(relays, call):
    """What CALL() returned, and how long it asked before it began a session: by the packets, so that neither a slow
    start of the agent nor a slow session counts."""
    for relay in relays:
        relay.requests.clear()
    outcome = call()
    packets = sorted((when, packet) for relay in relays for when, packet in relay.requests)
    began = min(when for when, packet in packets if not is_before_sessions(packet))
    return outcome, began - packets[0][0]


@pytest.fixture(autouse=True)
def nothing_remembered():
    yield
    for path in STATES.glob("ipmi*"):
        path.unlink()


@pytest.fixture
def other(bmc, tmp_path):
    """Another node's BMC, on the same port of another address."""
    with Bmc(tmp_path / "other", address="127.0.0.9", port=bmc.port) as running:
        yield running


def way(to, address, port=None, **more):
    return Relay((to.address, to.port), more.pop("faults", None), (address, port or to.port), **more)


@pytest.fixture
def ways(bmc):
    """Two networks that lead to the one BMC."""
    with way(bmc, FIRST) as first, way(bmc, SECOND) as second:
        yield first, second


def memories():
    return list(STATES.glob("ipmi*guid*"))


def remembered():
    return [path.read_text().split()[0] for path in memories()]


def make_old():
    """As if it had been seen a day ago."""
    (state,) = memories()
    guid, seen_s = state.read_text().split()
    state.write_text(f"{guid} {int(seen_s) - 86400}\n")


def is_question(packet):
    return packet[4] == 0 and packet[19] == GET_SYSTEM_GUID


def questions(relay):
    return sum(is_question(packet) for _, packet in relay.requests)


def tells(data, code=0):
    """An edit: the answer to Get System GUID outside of a session."""
    def edit(_, packet):
        if packet[4] != 0 or packet[19] != GET_SYSTEM_GUID:
            return packet
        body = packet[17:20] + bytes([code]) + data
        message = packet[14:17] + body + bytes([-sum(body) & 0xFF])
        return packet[:13] + bytes([len(message)]) + message
    return edit


def ignores(_, packet):
    """An edit: the question for the GUID has no answer."""
    return None if packet[4] == 0 and packet[19] == GET_SYSTEM_GUID else packet


def swapped(guid):
    """As SMBIOS writes it."""
    return guid[3::-1] + guid[5:3:-1] + guid[7:5:-1] + guid[8:]


def assert_untouched(*bmcs):
    for each in bmcs:
        assert each.changes() == []
        assert each.power == "1"


class TestTwoBmcs:
    """A wrong second address, or a stale record of a name."""

    @pytest.mark.parametrize("lanplus", [1, 0], ids=["2.0", "1.5"])
    @pytest.mark.parametrize("action", ACTIONS)
    def test_nothing_is_done_and_both_are_named(self, bmc, other, action, lanplus):
        for addresses in (f"{bmc.address},{other.address}", f"{other.address} {bmc.address}"):
            assert_failure(fence(bmc.login(ipaddr=addresses), action, lanplus=lanplus), TWO,
                           f"{bmc.address}:{bmc.port}", f"{other.address}:{bmc.port}", bmc.guid,
                           other.guid, "check", "DNS")
        assert bmc.commands("get", "set") + other.commands("get", "set") == []
        assert remembered() == []

    @pytest.mark.parametrize("lanplus", [1, 0], ids=["2.0", "1.5"])
    @pytest.mark.parametrize("guid", [None, "0" * 32], ids=["guid", "none"])
    @pytest.mark.parametrize("action", ACTIONS)
    def test_nor_when_one_of_them_dies(self, tmp_path, other, action, guid, lanplus):
        """The node's BMC loses its power with the node: the other one's word must not count for it then."""
        with Bmc(tmp_path / "own", address="127.0.0.8", port=other.port, guid=guid) as own:
            request = own.login(ipaddr=f"{own.address},{other.address}", lanplus=lanplus)
            assert fence(request, "monitor").rc != SUCCESS
            own.stop()
            (state,) = STATES.glob("ipmi*two*")
            outcome = fence(request, action)
            assert_failure(outcome, TWO, f"{other.address}:{other.port}", f"{own.address}:{own.port}", str(state))
            assert outcome.seconds < 2 * PATIENCE_S
            assert other.commands("get", "set") == []
            state.write_text(f"{int(state.read_text()) - 86400}\n")
            assert fence(request, "status").rc == SUCCESS

    def test_it_is_forgotten_when_they_lead_to_one(self, bmc, other, ways):
        ways[0].bmc = (other.address, other.port)
        assert_failure(fence(bmc.login(ipaddr=BOTH), "monitor"), TWO)
        ways[0].bmc = (bmc.address, bmc.port)
        ways[0].backs.clear()
        assert_success(fence(bmc.login(ipaddr=BOTH), "monitor"))
        assert list(STATES.glob("ipmi*two*")) == []
        ways[1].faults.silent = True
        assert_success(fence(bmc.login(ipaddr=BOTH), "off"), "Success: Powered OFF")

    def test_what_was_proven_before_is_used_still(self, bmc, other, ways):
        assert_success(fence(bmc.login(ipaddr=BOTH), "monitor"))
        ways[1].bmc = (other.address, other.port)
        ways[1].backs.clear()
        assert_failure(fence(bmc.login(ipaddr=BOTH), "monitor"), TWO)
        ways[1].faults.silent = True
        assert_success(fence(bmc.login(ipaddr=BOTH), "off"), "Success: Powered OFF")
        assert bmc.power == "0"
        assert_untouched(other)

    @pytest.mark.parametrize("text", ["", "x", "99999999999", "-1x"])
    def test_nonsense_is_no_memory_of_it(self, bmc, other, ways, text):
        ways[0].bmc = (other.address, other.port)
        assert_failure(fence(bmc.login(ipaddr=BOTH), "monitor"), TWO)
        (state,) = STATES.glob("ipmi*two*")
        state.write_text(text)
        ways[0].faults.silent = True
        assert_success(fence(bmc.login(ipaddr=BOTH), "off"), "Success: Powered OFF")

    def test_a_name_with_a_record_too_many(self, bmc, other):
        hosts = Path("/etc/hosts")
        before = hosts.read_text()
        hosts.write_text(f"{before}{bmc.address} bmc-n1\n{other.address} bmc-n1\n")
        try:
            assert_failure(fence(bmc.login(ipaddr="bmc-n1"), "off"), TWO)
        finally:
            hosts.write_text(before)
        assert_untouched(bmc, other)

    def test_an_answer_that_is_a_little_later_is_waited_for(self, bmc, other):
        with way(other, SECOND, faults=Faults(delay_s=0.2)):
            assert_failure(fence(bmc.login(ipaddr=f"{bmc.address},{SECOND}"), "off"), TWO)
        assert_untouched(bmc, other)

    def test_in_a_map(self, bmc, other):
        request = bmc.login(ipaddr=None, ip=f"n1={bmc.address},{other.address};n2={SECOND}")
        assert_failure(fence(request, "off", plug="n1"), TWO)
        assert_untouched(bmc, other)


class TestOneBmc:
    """Several addresses as they should be."""

    @pytest.mark.parametrize("lanplus", [1, 0], ids=["2.0", "1.5"])
    def test_everything_works_without_delay_or_warning(self, bmc, ways, lanplus):
        request = bmc.login(ipaddr=BOTH, lanplus=lanplus)
        outcome, seconds = waited(ways, lambda: fence(request, "monitor"))
        assert_success(outcome)
        assert seconds < GRACE_S
        outcome, seconds = waited(ways, lambda: fence(request, "off"))
        assert_success(outcome, "Success: Powered OFF")
        assert seconds < GRACE_S
        assert fence(request, "status").rc == OFF
        assert_success(fence(request, "reboot"), "Success: Rebooted")
        assert remembered() == [bmc.guid]

    def test_the_proof_is_one_question_to_each(self, bmc, ways):
        assert_success(fence(bmc.login(ipaddr=BOTH), "off"))
        assert [questions(relay) for relay in ways] == [1, 1]

    def test_a_single_address_is_not_asked(self, bmc, ways):
        for action in ("monitor", "off"):
            assert_success(fence(bmc.login(ipaddr=FIRST), action))
        assert questions(ways[0]) == 0
        assert remembered() == []

    def test_ipv4_and_ipv6(self, tmp_path, bmc):
        with Bmc(tmp_path / "v6", address="::1", port=bmc.port, guid=bmc.guid):
            assert_success(fence(bmc.login(ipaddr="127.0.0.1,::1"), "monitor"))
        with Bmc(tmp_path / "stranger", address="::1", port=bmc.port):
            assert_failure(fence(bmc.login(ipaddr="127.0.0.1,[::1]"), "monitor"), TWO,
                           f"[::1]:{bmc.port}")


class TestDeadAddress:
    """That is what the other one is for."""

    def test_monitor_succeeds_and_names_the_dead_one(self, bmc, ways):
        ways[0].faults.silent = True
        outcome = fence(bmc.login(ipaddr=BOTH), "monitor")
        assert outcome.rc == SUCCESS
        (line,) = outcome.err.splitlines()
        assert line.startswith("WARNING: ") and f"no answer from {FIRST}:{bmc.port}" in line
        assert f"answers at {SECOND}:{bmc.port}" in line

    @pytest.mark.parametrize("dead, part", [("127.0.0.12", "refused the connection"),
                                            ("192.0.2.1", "no way to"),
                                            ("no-such-bmc.invalid", "cannot be resolved")])
    def test_monitor_says_why_it_is_dead(self, bmc, dead, part):
        outcome = fence(bmc.login(ipaddr=f"{dead},{bmc.address}"), "monitor")
        assert outcome.rc == SUCCESS
        assert dead in outcome.err and part in outcome.err
        assert_success(fence(bmc.login(ipaddr=f"{dead},{bmc.address}"), "off"))

    def test_unproven_it_costs_a_moment(self, bmc, ways):
        ways[0].faults.silent = True
        outcome, seconds = waited(ways, lambda: fence(bmc.login(ipaddr=BOTH), "off"))
        assert_success(outcome, "Success: Powered OFF")
        assert GRACE_S - 0.05 <= seconds < PATIENCE_S
        assert remembered() == []

    def test_once_proven_it_costs_nothing(self, bmc, ways):
        assert_success(fence(bmc.login(ipaddr=BOTH), "monitor"))
        ways[0].faults.silent = True
        outcome, seconds = waited(ways, lambda: fence(bmc.login(ipaddr=BOTH), "off"))
        assert_success(outcome, "Success: Powered OFF")
        assert seconds < GRACE_S

    def test_monitor_waits_once_for_all_of_a_map(self, bmc):
        numbers = range(6)
        with contextlib.ExitStack() as stack:
            for number in numbers:
                stack.enter_context(way(bmc, f"127.0.0.{20 + number}"))
                stack.enter_context(way(bmc, f"127.0.1.{20 + number}", faults=Faults(silent=True)))
            ip = ";".join(f"n{n}=127.0.0.{20 + n},127.0.1.{20 + n}" for n in numbers)
            outcome = fence(bmc.login(ipaddr=None, ip=ip), "monitor")
        assert outcome.rc == SUCCESS
        assert outcome.err.count("WARNING: the BMC answers at") == len(numbers)
        assert PATIENCE_S <= outcome.seconds < PATIENCE_S * (len(numbers) - 1), "not once for each"


class TestMemory:
    """What all addresses together have shown."""

    @pytest.mark.parametrize("lanplus", [1, 0], ids=["2.0", "1.5"])
    @pytest.mark.parametrize("action", ACTIONS)
    def test_a_stranger_while_the_other_address_is_silent(self, bmc, other, ways, action, lanplus):
        request = bmc.login(ipaddr=BOTH, lanplus=lanplus)
        assert_success(fence(request, "monitor"))
        bmc.forget()
        ways[0].bmc = (other.address, other.port)
        ways[1].faults.silent = True
        assert_failure(fence(request, action), f"{FIRST}:{bmc.port} leads to", other.guid, bmc.guid,
                       f"{SECOND}:{bmc.port}", "replaced")
        assert_untouched(bmc, other)
        assert remembered() == [bmc.guid]

    @pytest.mark.parametrize("lanplus", [1, 0], ids=["2.0", "1.5"])
    def test_a_stranger_without_a_guid(self, bmc, tmp_path, ways, lanplus):
        request = bmc.login(ipaddr=BOTH, lanplus=lanplus)
        assert_success(fence(request, "monitor"))
        with Bmc(tmp_path / "none", address="127.0.0.9", port=bmc.port, guid="0" * 32) as none:
            ways[0].bmc = (none.address, none.port)
            ways[1].faults.silent = True
            for edit in (None, ignores):
                ways[0].edit = edit
                outcome = fence(request, "off")
                assert_failure(outcome, f"{FIRST}:{bmc.port} leads to", bmc.guid, str(memories()[0]))
                assert outcome.seconds < 5
            assert_untouched(bmc, none)
            assert remembered() == [bmc.guid]
            make_old()
            assert_success(fence(request, "off"), "Success: Powered OFF")
            assert none.power == "0"

    @pytest.mark.parametrize("lanplus", [1, 0], ids=["2.0", "1.5"])
    @pytest.mark.parametrize("silence", ["ignored", "refused", "zeros"])
    def test_a_bmc_that_has_no_guid_any_more(self, bmc, ways, lanplus, silence):
        """After an update of its firmware: what is remembered must not keep it from being fenced."""
        request = bmc.login(ipaddr=BOTH, lanplus=lanplus)
        assert_success(fence(request, "monitor"))
        for relay in ways:
            relay.edit = {"ignored": ignores, "refused": tells(b"", 0xC1),
                          "zeros": tells(bytes(16))}[silence]
        outcome = fence(request, "off")
        assert (outcome.rc, outcome.out) == (SUCCESS, "Success: Powered OFF\n")
        assert outcome.seconds < 5 * PATIENCE_S
        assert bmc.power == "0"
        if lanplus == 0:
            (line,) = outcome.err.splitlines()
            assert line.startswith("WARNING: ") and bmc.guid in line and str(memories()[0]) in line

    @pytest.mark.parametrize("lanplus", [1, 0], ids=["2.0", "1.5"])
    def test_what_is_old_refuses_nothing(self, bmc, other, ways, lanplus):
        request = bmc.login(ipaddr=BOTH, lanplus=lanplus)
        assert_success(fence(request, "monitor"))
        for relay in ways:
            relay.bmc = (other.address, other.port)
        ways[1].faults.silent = True
        refusal = fence(request, "off")
        assert_failure(refusal, str(memories()[0]), "remove")
        assert refusal.seconds >= PATIENCE_S
        make_old()
        outcome = fence(request, "off")
        assert (outcome.rc, outcome.out) == (SUCCESS, "Success: Powered OFF\n")
        (line,) = outcome.err.splitlines()
        assert line.startswith("WARNING: ") and bmc.guid in line and str(memories()[0]) in line
        assert other.power == "0"
        assert_untouched(bmc)

    def test_every_proof_makes_it_young(self, bmc, ways):
        assert_success(fence(bmc.login(ipaddr=BOTH), "monitor"))
        (state,) = memories()
        text = state.read_text()
        make_old()
        assert_success(fence(bmc.login(ipaddr=BOTH), "monitor"))
        assert int(state.read_text().split()[1]) >= int(text.split()[1])

    @pytest.mark.parametrize("action", ["off", "monitor"])
    def test_a_refusal_is_not_concluded_in_haste(self, bmc, other, ways, action):
        """The board was replaced, and the other address is a little slow."""
        assert_success(fence(bmc.login(ipaddr=BOTH), "monitor"))
        for relay in ways:
            relay.bmc = (other.address, other.port)
        ways[1].faults.delay_s = 0.6
        assert_success(fence(bmc.login(ipaddr=BOTH), action))
        assert other.power == ("0" if action == "off" else "1")
        assert remembered() == [other.guid]

    @pytest.mark.parametrize("action", ["off", "monitor"])
    def test_a_replaced_board_is_accepted_when_all_agree(self, bmc, other, ways, action):
        assert_success(fence(bmc.login(ipaddr=BOTH), "monitor"))
        for relay in ways:
            relay.bmc = (other.address, other.port)
        assert_success(fence(bmc.login(ipaddr=BOTH), action))
        assert other.power == ("0" if action == "off" else "1")
        assert remembered() == [other.guid]
        assert_untouched(bmc)

    @pytest.mark.parametrize("text", ["", "x", "0" * 32, "f" * 32, "ab" * 15, "ab" * 17, "\n\n"])
    def test_nonsense_is_no_memory(self, bmc, ways, text):
        assert_success(fence(bmc.login(ipaddr=BOTH), "monitor"))
        (state,) = memories()
        state.write_text(text)
        assert_success(fence(bmc.login(ipaddr=BOTH), "off"))
        assert remembered() == [bmc.guid]

    def test_a_remembered_bmc_is_preferred(self, bmc, other, ways):
        """The stranger answers sooner, and is not asked for anything."""
        assert_success(fence(bmc.login(ipaddr=BOTH), "monitor"))
        ways[0].bmc = (other.address, other.port)
        ways[1].faults.delay_s = 0.1
        assert_failure(fence(bmc.login(ipaddr=BOTH), "off"), TWO)
        ways[0].edit = tells(bytes(16))
        assert_success(fence(bmc.login(ipaddr=BOTH), "off"), "Success: Powered OFF")
        assert bmc.power == "0"
        assert_untouched(other)


class TestLostAddress:
    """An address that answers, and to which there is no way a moment later."""

    @pytest.fixture
    def cut(self):
        """Forbids packets to FIRST. The rules of the loopback addresses must come after it."""
        def rules(*lines):
            for line in lines:
                subprocess.run(["ip", "rule", *line.split()], check=True)

        rules("add pref 5 lookup local", "del pref 0 lookup local")
        yield lambda: rules(f"add pref 1 to {FIRST} prohibit")
        subprocess.run(["ip", "rule", "del", "pref", "1"], capture_output=True)
        rules("add pref 0 lookup local", "del pref 5 lookup local")

    @pytest.mark.parametrize("lanplus", [1, 0], ids=["2.0", "1.5"])
    def test_it_is_missing_from_the_proof(self, bmc, other, ways, cut, lanplus):
        request = bmc.login(ipaddr=BOTH, lanplus=lanplus)
        assert_success(fence(request, "monitor"))
        ways[1].bmc = (other.address, other.port)
        ways[1].faults.delay_s = 0.06
        answered = threading.Event()

        def edit(_, packet):
            if is_question(packet):
                return None
            answered.set()
            return packet

        def wait_and_cut():
            answered.wait(5)
            time.sleep(0.02)
            cut()

        ways[0].edit = edit
        thread = threading.Thread(target=wait_and_cut)
        thread.start()
        outcome = fence(request, "off")
        thread.join()
        assert_failure(outcome, f"{SECOND}:{bmc.port} leads to", other.guid, bmc.guid,
                       f"{FIRST}:{bmc.port}")
        assert_untouched(bmc, other)
        assert remembered() == [bmc.guid]


class TestUnknown:
    """Many BMCs have no GUID: that is neither a proof nor a contradiction."""

    @pytest.mark.parametrize("lanplus", [1, 0], ids=["2.0", "1.5"])
    @pytest.mark.parametrize("guid", ["0" * 32, "f" * 32, bytes(range(1, 17)).hex(),
                                      bytes([0x11, *range(15, 0, -1)]).hex()],
                             ids=["zeros", "ones", "up", "down"])
    def test_none(self, tmp_path, guid, lanplus):
        with Bmc(tmp_path / "bmc", guid=guid) as bmc, way(bmc, FIRST), way(bmc, SECOND):
            request = bmc.login(ipaddr=BOTH, lanplus=lanplus)
            outcome = fence(request, "monitor")
            assert outcome.rc == SUCCESS
            (line,) = outcome.err.splitlines()
            assert line.startswith("WARNING: it cannot be proven") and "shows no GUID" in line
            assert_success(fence(request, "off"), "Success: Powered OFF")
            assert remembered() == []

    @pytest.mark.parametrize("edit", [tells(b"", 0xC1), tells(b"", 0xD4), tells(b"\x01" * 15)],
                             ids=["invalid", "privilege", "short"])
    def test_refused_outside_of_sessions(self, bmc, edit):
        with way(bmc, FIRST, edit=edit) as first, way(bmc, SECOND, edit=edit) as second:
            outcome = fence(bmc.login(ipaddr=BOTH), "monitor")
            assert outcome.rc == SUCCESS
            assert "cannot be proven" in outcome.err
            outcome, seconds = waited((first, second), lambda: fence(bmc.login(ipaddr=BOTH), "off"))
            assert_success(outcome, "Success: Powered OFF")
            assert seconds < GRACE_S

    @pytest.mark.parametrize("lanplus", [1, 0], ids=["2.0", "1.5"])
    @pytest.mark.parametrize("action", ["monitor", "off", "status"])
    def test_ignored_it_costs_little(self, bmc, action, lanplus):
        with way(bmc, FIRST, edit=ignores) as first, way(bmc, SECOND, edit=ignores) as second:
            outcome, seconds = waited((first, second),
                                      lambda: fence(bmc.login(ipaddr=BOTH, lanplus=lanplus), action))
            assert outcome.rc == SUCCESS
            assert seconds < GRACE_S
            assert questions(second) == 2

    @pytest.mark.parametrize("edit", [tells(b"", 0xC1), ignores], ids=["refused", "ignored"])
    def test_one_of_two(self, bmc, edit):
        """A filter, or a packet that was lost: the other one is as good as a single address."""
        with way(bmc, FIRST, edit=edit), way(bmc, SECOND):
            assert "cannot be proven" in fence(bmc.login(ipaddr=BOTH), "monitor").err
            assert_success(fence(bmc.login(ipaddr=BOTH), "off"), "Success: Powered OFF")

    @pytest.mark.parametrize("lanplus", [1, 0], ids=["2.0", "1.5"])
    @pytest.mark.parametrize("action", ACTIONS)
    @pytest.mark.parametrize("guid", ["0" * 32, "f" * 32], ids=["zeros", "ones"])
    def test_one_of_two_says_that_it_has_none(self, tmp_path, other, guid, action, lanplus):
        """The same BMC does not show a GUID at one address and zeros at another."""
        with Bmc(tmp_path / "none", address="127.0.0.8", port=other.port, guid=guid) as none:
            for addresses in (f"{none.address},{other.address}", f"{other.address},{none.address}"):
                assert_failure(fence(none.login(ipaddr=addresses, lanplus=lanplus), action),
                               "not proven to be the same", f"{none.address}:{none.port}",
                               f"{other.address}:{none.port}", other.guid)
            assert none.commands("get", "set") + other.commands("get", "set") == []


class TestSessions:
    """What is said outside of a session anybody can say; and a session may move."""

    def test_another_guid_in_the_session(self, bmc, other):
        edit = tells(bytes.fromhex(other.guid))
        with way(bmc, FIRST, edit=edit), way(bmc, SECOND, edit=edit):
            assert_failure(fence(bmc.login(ipaddr=BOTH), "off"), TWO, bmc.guid, other.guid)
        assert_untouched(bmc)
        assert remembered() == []

    @pytest.mark.parametrize("order", [lambda guid: guid[::-1], swapped,
                                       lambda guid: swapped(guid)[::-1]],
                             ids=["turned", "swapped", "both"])
    def test_the_same_guid_with_its_bytes_in_another_order(self, bmc, order):
        edit = tells(order(bytes.fromhex(bmc.guid)))
        with way(bmc, FIRST, edit=edit), way(bmc, SECOND, edit=edit):
            assert_success(fence(bmc.login(ipaddr=BOTH), "off"), "Success: Powered OFF")

    @staticmethod
    def dying(bmc, heir, answers):
        """A way to the BMC that gives so many answers and dies; from then on the heir is awake."""
        left = [answers]

        def edit(_, packet):
            left[0] -= 1
            if left[0] >= 0:
                return packet
            heir.faults.silent = False
            return None
        return way(bmc, FIRST, edit=edit)

    @pytest.mark.parametrize("answers", [2, 5, 9])
    @pytest.mark.parametrize("lanplus", [1, 0], ids=["2.0", "1.5"])
    def test_a_session_moves_to_the_same_bmc(self, bmc, answers, lanplus):
        with way(bmc, SECOND, faults=Faults(silent=True)) as heir, self.dying(bmc, heir, answers):
            assert_success(fence(bmc.login(ipaddr=BOTH, lanplus=lanplus), "off"))
            assert not heir.faults.silent
        assert bmc.power == "0"

    @pytest.mark.parametrize("answers", [2, 5, 9, 14])
    @pytest.mark.parametrize("lanplus", [1, 0], ids=["2.0", "1.5"])
    def test_a_session_does_not_move_to_another_bmc(self, bmc, other, answers, lanplus):
        bmc.write("stuck", 0)
        other.write("power", 0)
        with way(other, SECOND, faults=Faults(silent=True)) as heir, \
             self.dying(bmc, heir, answers):
            assert_failure(fence(bmc.login(ipaddr=BOTH, lanplus=lanplus), "off"), TWO,
                           f"{FIRST}:{bmc.port}", f"{SECOND}:{bmc.port}")
        assert other.commands("get", "set") == []

    def test_nor_to_one_that_tells_its_guid_in_sessions_alone(self, bmc, other):
        bmc.write("stuck", 0)
        other.write("power", 0)
        with way(other, SECOND, faults=Faults(silent=True), edit=tells(b"", 0xC1)) as heir, \
             self.dying(bmc, heir, 14):
            assert_failure(fence(bmc.login(ipaddr=BOTH), "off"), TWO, bmc.guid, other.guid)
        assert other.commands("get", "set") == []

    def test_nor_to_one_without_a_guid(self, bmc, tmp_path):
        bmc.write("stuck", 0)
        with Bmc(tmp_path / "none", power=0, address="127.0.0.9", port=bmc.port,
                 guid="0" * 32) as none, \
             way(none, SECOND, faults=Faults(silent=True)) as heir, self.dying(bmc, heir, 14):
            assert_failure(fence(bmc.login(ipaddr=BOTH), "off"), "not proven to be the same",
                           f"{SECOND}:{bmc.port}")
            assert none.commands("get", "set") == []

    def test_nor_from_one_without_a_guid_to_one_that_has_one(self, tmp_path, other):
        other.write("power", 0)
        with Bmc(tmp_path / "none", address="127.0.0.8", port=other.port, guid="0" * 32) as none:
            none.write("stuck", 0)
            with way(other, SECOND, faults=Faults(silent=True)) as heir, self.dying(none, heir, 14):
                assert_failure(fence(none.login(ipaddr=BOTH), "off"), "not proven to be the same",
                               f"{FIRST}:{none.port}", f"{SECOND}:{none.port}", other.guid)
        assert other.commands("get", "set") == []

    @pytest.mark.parametrize("action", ["off", "reboot"])
    def test_one_address_does_not_become_another_bmc_in_mid_action(self, bmc, other, action):
        """The two have swapped their addresses, or one has taken over the other's."""
        bmc.write("stuck", 0)
        other.write("power", 0)
        with way(bmc, FIRST) as relay:
            def edit(_, packet):
                if bmc.changes() and relay.bmc[0] == bmc.address:
                    relay.bmc = (other.address, other.port)
                    relay.backs.clear()
                return packet
            relay.edit = edit
            assert_failure(fence(bmc.login(ipaddr=FIRST), action), TWO, f"{FIRST}:{bmc.port}",
                           bmc.guid, other.guid)
        assert bmc.changes() == ["set power 0"]
        assert other.commands("get", "set") == []

    @pytest.mark.parametrize("method", ["onoff", "cycle"])
    def test_a_reboot_does_not_either(self, bmc, other, method):
        bmc.write("stuck", 0)
        with way(other, SECOND, faults=Faults(silent=True)) as heir, self.dying(bmc, heir, 14):
            assert run_fence(bmc.login(ipaddr=BOTH, action="reboot", method=method)).rc != SUCCESS
        assert_untouched(other)
