# SPDX-License-Identifier: GPL-3.0-or-later
"""fence_ipmi and who calls it: the fencer, its tools, and what the metadata tells them."""

import os
import re
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from configobj import ConfigObj
from conftest import run_fence, wait_until
from ipmi_env import (AGENT, OFF, PASSWORD, SUCCESS, USER, Bmc, assert_failure, assert_success,  # noqa: F401
                      bmc, fence)


class TestClaims:
    """A device never claims a node that its parameters do not name."""

    def test_the_list_is_offered_and_empty_without_names(self, bmc):
        assert_success(fence(bmc.login(), "list"))
        assert fence(bmc.login(), "list").out == ""

    def test_the_list_needs_no_bmc(self):
        outcome = run_fence({"ip": "192.0.2.1", "action": "list", "plug": "n1"})
        assert_success(outcome, "n1,")
        assert outcome.seconds < 1

    def test_a_map_names_its_nodes(self, bmc, tmp_path):
        with Bmc(tmp_path / "second", power=0, port=bmc.port, address="127.0.0.2") as second:
            request = bmc.login(ipaddr=None, ip=f"n1={bmc.address}; n2={second.address}")
            assert fence(request, "list").out == "n1,\nn2,\n"
            assert fence(request, "list-status").out == "n1,,ON\nn2,,OFF\n"
            assert fence(request, "status", plug="n1").rc == SUCCESS
            assert fence(request, "status", plug="n2").rc == OFF
            assert_failure(fence(request, "status", plug="n3"), "does not name the plug 'n3'")
            assert_failure(fence(request, "off"), "no plug is named")
            assert_success(fence(request, "off", plug="n1"), "Success: Powered OFF")
            assert (bmc.changes(), second.changes()) == (["set power 0"], [])
            assert_success(fence(request, "on", plug="n1,n2"))
            assert (bmc.power, second.power) == ("1", "1")
            assert_success(fence(request, "monitor"))


@pytest.fixture
def pair(bmc, tmp_path):
    with Bmc(tmp_path / "second", port=bmc.port, address="127.0.0.2") as second:
        yield bmc, second


class TestWhichNode:
    """What is asked for one node is never done to another, or told of it."""

    @staticmethod
    def request(pair, **more):
        return pair[0].login(ipaddr=None, ip=f"n1={pair[0].address};n2={pair[1].address}", **more)

    @pytest.mark.parametrize("action", ["off", "reboot", "on", "status", "diag"])
    @pytest.mark.parametrize("node", ["n2", "N2", "n2.example.com", "N2.Example.com"])
    def test_a_static_plug_is_not_the_node_that_is_to_be_fenced(self, pair, action, node):
        assert_failure(fence(self.request(pair, plug="n1", nodename=node), action),
                       f"'{node}'", "'n1'", "plug", "remove")
        assert [bmc.commands() for bmc in pair] == [[], []]

    @pytest.mark.parametrize("node", ["n2", "N2.example.com"])
    def test_nor_is_it_where_the_map_has_names_with_a_domain(self, pair, node):
        request = pair[0].login(ipaddr=None, ip=f"n1.example.com={pair[0].address};n2.example.com={pair[1].address}",
                                plug="n1.example.com", nodename=node)
        assert_failure(fence(request, "off"), f"'{node}'", "'n1.example.com'", "remove")
        assert [bmc.commands() for bmc in pair] == [[], []]

    @pytest.mark.parametrize("node, plug", [("n2.example.com", "n2"), ("N2.example.com", "n2")])
    def test_a_host_is_the_same_with_and_without_its_domain(self, pair, node, plug):
        assert_success(fence(self.request(pair, plug=plug, nodename=node), "off"), "Success: Powered OFF")
        assert [bmc.power for bmc in pair] == ["1", "0"]

    @pytest.mark.parametrize("names", [("port", "plug"), ("plug", "port")])
    @pytest.mark.parametrize("action", ["off", "reboot", "on", "status", "diag"])
    def test_a_static_plug_beside_the_fencers_own(self, pair, names, action):
        """With pcmk_host_map=node1:n1;node2:n2 the fencer asks for node2 with one name for n2, and sends what the
        parameters have under the other name along; their order is no order."""
        for plugs in (("n1", "n2"), ("n2", "n1")):
            request = self.request(pair, **dict(zip(names, plugs)), nodename="node2")
            assert_failure(fence(request, action), "'n1'", "'n2'", "plug", "port", "remove")
        assert [bmc.commands() for bmc in pair] == [[], []]

    @pytest.mark.parametrize("plugs", [{"port": "n2", "plug": "N2"}, {"plug": "n2", "port": "n2"},
                                       {"port": "n2", "plug": "dynamic"}, {"port": "n2", "plug": ""},
                                       {"plug": "n2", "port": "dynamic"}, {"plug": "n2", "port": ""}],
                             ids=lambda plugs: " ".join(map("=".join, plugs.items())))
    def test_two_names_for_one_plug(self, pair, plugs):
        assert_success(fence(self.request(pair, **plugs, nodename="node2"), "off"), "Success: Powered OFF")
        assert [bmc.power for bmc in pair] == ["1", "0"]

    @pytest.mark.parametrize("names", [("port", "plug"), ("plug", "port")])
    def test_two_plugs_are_no_matter_without_a_map(self, bmc, names):
        """As in many a configuration of fence_ipmilan: plug=1 beside the one address."""
        request = bmc.login(**dict(zip(names, ("1", "n2"))), nodename="n2")
        assert_success(fence(request, "off"), "Success: Powered OFF")

    def test_two_addresses_for_port_as_ip(self, pair):
        addresses = [bmc.address for bmc in pair]
        request = pair[0].login(ipaddr=None, port_as_ip=1, port=addresses[1], plug=addresses[0], nodename="n2")
        assert_failure(fence(request, "off"), *(f"'{address}'" for address in addresses), "remove")
        assert [bmc.commands() for bmc in pair] == [[], []]
        request.update(port="n2")  # what the fencer adds for want of a pcmk_host_map
        assert_success(fence(request, "off"), "Success: Powered OFF")
        assert [bmc.power for bmc in pair] == ["0", "1"]

    @pytest.mark.parametrize("action", ["monitor", "list", "list-status"])
    def test_what_speaks_for_the_device_does_not_care(self, pair, action):
        assert fence(self.request(pair, plug="n1", nodename="n2"), action).rc == SUCCESS

    @pytest.mark.parametrize("plug", ["n1", "n1,n2"])
    def test_a_static_plug_is_told_of_when_the_device_is_checked(self, pair, plug):
        """With pcmk_host_map=node1:n1;node2:n2 nothing in a request would betray it later."""
        assert_failure(fence(self.request(pair, plug=plug), "validate-all"), f"'{plug}'", "remove plug",
                       "pcmk_host_map")
        outcome = fence(self.request(pair, plug=plug), "monitor")
        assert outcome.rc == SUCCESS
        (line,) = outcome.err.splitlines()
        assert line.startswith("WARNING: ") and "remove plug" in line

    @pytest.mark.parametrize("ip, plug", [("n1={0};n2={1}", None), ("n1={0};n2={1}", "dynamic"),
                                          ("n1={0}", "n1"), ("{0}", "n1")])
    def test_nor_is_anything_told_without_one(self, pair, ip, plug):
        request = pair[0].login(ipaddr=None, ip=ip.format(*(bmc.address for bmc in pair)), plug=plug)
        assert_success(fence(request, "validate-all"))
        assert_success(fence(request, "monitor"))

    def test_the_same_name_in_another_case_is_the_same_node(self, pair):
        assert_success(fence(self.request(pair, plug="n2", nodename="N2"), "off"))
        assert_success(fence(self.request(pair, plug="N1", nodename="n1"), "off"))
        assert [bmc.power for bmc in pair] == ["0", "0"]

    @pytest.mark.parametrize("action", ["off", "reboot", "on", "status", "diag"])
    @pytest.mark.parametrize("node", ["n1", "n2"])
    def test_several_plugs_are_not_one_of_their_nodes(self, pair, action, node):
        assert_failure(fence(self.request(pair, plug="n1, n2", nodename=node), action), f"'{node}'",
                       "'n1, n2'", "remove")
        assert [bmc.commands() for bmc in pair] == [[], []]

    @pytest.mark.parametrize("node", ["n1", None])
    def test_several_plugs_are_the_power_supplies_of_a_node(self, pair, node):
        request = pair[0].login(ipaddr=None, ip=f"n1-a={pair[0].address};n1-b={pair[1].address}",
                                nodename=node)
        assert_success(fence(request, "off", plug="n1-a,n1-b"))
        assert [bmc.power for bmc in pair] == ["0", "0"]

    def test_a_name_that_the_map_does_not_have_is_the_fencers_business(self, pair):
        """With pcmk_host_map=node1:n1 the request is nodename=node1, plug=n1."""
        assert_success(fence(self.request(pair, plug="n1", nodename="node1"), "off"))
        assert [bmc.power for bmc in pair] == ["0", "1"]

    def test_a_node_without_a_plug_is_not_guessed(self, pair):
        assert_failure(fence(self.request(pair, nodename="n2"), "off"), "no plug is named")
        assert_success(fence(self.request(pair, plug="n2"), "off"))
        assert [bmc.power for bmc in pair] == ["1", "0"]

    def test_a_static_plug_is_listed_alone_and_every_bmc_monitored(self, pair):
        request = self.request(pair, plug="n1")
        assert fence(request, "list").out == "n1,\n"
        assert fence(request, "list-status").out == "n1,,ON\n"
        assert fence(self.request(pair, plug="dynamic"), "list").out == "n1,\nn2,\n"
        assert fence(request, "monitor").rc == SUCCESS
        pair[1].stop()
        request = self.request(pair)
        assert_failure(fence(request, "monitor"), "n2: ", "refused the connection")

    @pytest.mark.parametrize("ip, part", [
        ("n1={0};n2={1};n1={1}", "'n1' twice"),
        ("n1={0};N1={1}", "'N1' twice"),
        ("n1={0};n2={0}", "'n1' and 'n2' the same BMC"),
        ("n1={0},n2={1}", "semicolon"),
    ])
    @pytest.mark.parametrize("action", ["off", "status", "monitor", "list", "list-status",
                                        "validate-all"])
    def test_a_map_that_leaves_a_doubt(self, pair, ip, part, action):
        request = pair[0].login(ipaddr=None, ip=ip.format(*(bmc.address for bmc in pair)))
        assert_failure(fence(request, action, plug="n1"), part)
        assert [bmc.commands() for bmc in pair] == [[], []]

    @pytest.mark.parametrize("wrong, part", [
        ("n2={0};n1={0}", "the same BMC"),
        ("n1={0};n1={1}", "'n1' twice"),
        ("n1", "not of the form"),
        ("=", "not of the form"),
        ("n1 n2={0}", "not of the form"),
        ("n1={0},n2={0}", "semicolon"),
    ])
    def test_one_wrong_entry_leaves_the_other_nodes_alone(self, pair, wrong, part):
        wrong = wrong.format("127.0.0.8", "127.0.0.9")
        request = pair[0].login(ipaddr=None, ip=f"{wrong};n3={pair[1].address}")
        for action in ("monitor", "validate-all"):
            assert_failure(fence(request, action), part)
        assert fence(request, "list").out == "n3,\n"
        assert_success(fence(request, "status", plug="n3", nodename="n3"))
        assert_success(fence(request, "off", plug="n3", nodename="n3"), "Success: Powered OFF")
        assert fence(request, "off", plug="n1", nodename="n1").rc != SUCCESS
        assert (pair[0].changes(), pair[1].changes()) == ([], ["set power 0"])

    @pytest.mark.parametrize("names", [("n1", "n1.example"), ("N1.example", "n1"), ("n1", "N1")])
    def test_an_entry_that_is_there_twice(self, pair, names):
        """Not as it should be, but what it says is without doubt."""
        request = pair[0].login(ipaddr=None, ip=";".join(f"{name}={pair[0].address}" for name in names))
        for action in ("monitor", "validate-all"):
            assert fence(request, action).rc != SUCCESS
        for name in names:
            assert_success(fence(request, "off", plug=name, nodename=name))
            pair[0].write("power", 1)
        assert fence(request, "list").out == "".join(f"{name},\n" for name in names)

    @pytest.mark.parametrize("names", [("n1", "n2"), ("n1", "n10"), ("n1.a", "n1.b"), ("1", "2")])
    @pytest.mark.parametrize("node", [True, False])
    def test_two_nodes_never_have_one_bmc(self, pair, names, node):
        request = pair[0].login(ipaddr=None, ip=";".join(f"{name}={pair[0].address}" for name in names))
        for name in names:
            assert_failure(fence(request, "off", plug=name, nodename=name if node else "other"),
                           "the same BMC")
        assert_failure(fence(request, "list"), "the same BMC")
        assert pair[0].commands() == []

    def test_the_time_is_that_of_the_plugs_that_are_named(self):
        request = {"ip": "n1=127.0.0.8;n2=127.0.0.9;n3=127.0.0.10", "password_script": "sleep 60",
                   "login_timeout": 1, "shell_timeout": 1, "power_timeout": 1}
        outcome = fence(request, "off", plug="n1")
        assert outcome.rc != SUCCESS
        assert outcome.seconds < 6

    def test_blanks_in_a_map(self, pair):
        request = pair[0].login(ipaddr=None, ip=f" n1 = {pair[0].address} ; n2={pair[1].address} ;")
        assert_success(fence(request, "off", plug="n1"))
        assert fence(request, "list").out == "n1,\nn2,\n"
        assert [bmc.power for bmc in pair] == ["0", "1"]

    def test_a_map_and_port_as_ip_contradict_each_other(self, pair):
        assert_failure(fence(self.request(pair, plug=pair[0].address, port_as_ip=1), "off"),
                       "port_as_ip", "remove one")
        assert [bmc.commands() for bmc in pair] == [[], []]


class TestFencer:
    """pacemaker-fenced itself, without a cluster, driven by stonith_admin."""

    LOG = Path("/tmp/fencer.log")

    @pytest.fixture(scope="class")
    def fencer(self):
        Path("/run/crm").mkdir(parents=True, exist_ok=True)
        self.LOG.touch()
        process = subprocess.Popen(["/usr/lib/pacemaker/pacemaker-fenced", "--stand-alone"],
                                   env={**os.environ, "PCMK_logfile": str(self.LOG)},
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        wait_until(lambda: self.admin("-L").returncode == 0, 10, "the fencer")
        yield
        process.kill()
        process.wait()

    @staticmethod
    def admin(*arguments):
        return subprocess.run(["stonith_admin", *map(str, arguments)], capture_output=True,
                              text=True, timeout=60)

    def register(self, bmc, name, **more):
        options = {"ip": bmc.address, "ipport": bmc.port, "username": USER, "password": PASSWORD}
        pairs = [word for key, value in {**options, **more}.items()
                 for word in ("-o", f"{key}={value}")]
        done = self.admin("-R", name, "-a", "fence_ipmi", *pairs)
        assert done.returncode == 0, done.stderr

    def fencers_of(self, node):
        lines = self.admin("-l", node).stdout.splitlines()
        return {line.strip() for line in lines if "device" not in line}

    def test_fencing_and_back(self, fencer, bmc):
        self.register(bmc, "d1", pcmk_host_list="node1")
        assert self.admin("-Q", "d1").returncode == 0
        assert self.fencers_of("node1") == {"d1"}
        assert self.fencers_of("node2") == set()
        assert self.admin("-F", "node1").returncode == 0
        assert bmc.power == "0"
        assert self.admin("-U", "node1").returncode == 0
        assert bmc.power == "1"
        bmc.forget()
        assert self.admin("-B", "node1").returncode == 0
        assert bmc.changes() == ["set power 0", "set power 1"]
        assert self.admin("-D", "d1").returncode == 0

    def test_without_a_host_list_no_node_is_claimed(self, fencer, bmc):
        self.register(bmc, "nameless")
        assert self.fencers_of("node1") == set()
        assert self.admin("-F", "node1", "-t", "5").returncode != 0
        assert bmc.power == "1"
        assert self.admin("-D", "nameless").returncode == 0

    def test_without_a_host_list_the_named_plug_is_claimed(self, fencer, bmc):
        self.register(bmc, "named", plug="node3")
        assert self.fencers_of("node3") == {"named"}
        assert self.fencers_of("node1") == set()
        assert self.admin("-F", "node3").returncode == 0
        assert bmc.power == "0"
        assert self.admin("-D", "named").returncode == 0

    def test_a_map_fences_the_right_node(self, fencer, bmc, tmp_path):
        with Bmc(tmp_path / "second", port=bmc.port, address="127.0.0.2") as second:
            self.register(bmc, "map", ip=f"node1={bmc.address};node2={second.address}")
            assert self.fencers_of("node2") == {"map"}
            assert self.fencers_of("node7") == set()
            assert self.admin("-F", "node2").returncode == 0
            assert (bmc.power, second.power) == ("1", "0")
            assert self.admin("-D", "map").returncode == 0

    def test_pcmk_host_map_names_the_plug(self, fencer, bmc, tmp_path):
        with Bmc(tmp_path / "second", port=bmc.port, address="127.0.0.2") as second:
            self.register(bmc, "hosts", ip=f"1={bmc.address};2={second.address}",
                          pcmk_host_map="node1:1;node2:2")
            assert self.admin("-F", "node1").returncode == 0
            assert (bmc.power, second.power) == ("0", "1")
            assert self.admin("-D", "hosts").returncode == 0

    def test_a_static_plug_fences_no_other_node_of_the_map(self, fencer, pair):
        bmc, second = pair
        ip = f"node1={bmc.address};node2={second.address}"
        self.register(bmc, "static", ip=ip, plug="node1")
        assert self.fencers_of("node1") == {"static"}
        assert self.fencers_of("node2") == set()
        assert self.admin("-F", "node2", "-t", "5").returncode != 0
        assert (bmc.power, second.power) == ("1", "1")
        assert self.admin("-F", "NODE1").returncode == 0
        assert (bmc.power, second.power) == ("0", "1")
        assert self.admin("-D", "static").returncode == 0

    @pytest.mark.parametrize("check", [{"pcmk_host_list": "node1 node2"},
                                       {"pcmk_host_check": "status"},
                                       {"pcmk_host_check": "none"}], ids=["list", "status", "none"])
    def test_a_static_plug_refuses_for_another_node_whoever_claims_it(self, fencer, pair, check):
        bmc, second = pair
        self.register(bmc, "claims", ip=f"node1={bmc.address};node2={second.address}",
                      plug="node1", **check)
        assert self.admin("-F", "node2", "-t", "5").returncode != 0
        assert (bmc.power, second.power) == ("1", "1")
        assert bmc.changes() + second.changes() == []
        assert self.admin("-F", "node1").returncode == 0
        assert (bmc.power, second.power) == ("0", "1")
        assert self.admin("-D", "claims").returncode == 0

    @pytest.mark.parametrize("argument", ["plug", "port"])
    def test_a_static_plug_does_not_stand_for_what_pcmk_host_map_says(self, fencer, pair, argument):
        bmc, second = pair
        static = "port" if argument == "plug" else "plug"
        self.register(bmc, "mapped", ip=f"n1={bmc.address};n2={second.address}",
                      pcmk_host_map="node1:n1;node2:n2", pcmk_host_argument=argument, **{static: "n1"})
        assert self.admin("-F", "node2", "-t", "5").returncode != 0
        assert bmc.changes() + second.changes() == []
        assert self.admin("-F", "node1").returncode == 0
        assert (bmc.power, second.power) == ("0", "1")
        assert self.admin("-D", "mapped").returncode == 0

    def test_a_failure_is_in_the_log_with_its_reason(self, fencer, bmc):
        """Pacemaker 2.1.5 takes exit reasons from OCF agents only; of ours it logs every line."""
        self.register(bmc, "wrong", password="wrong", pcmk_host_list="node4")
        assert self.admin("-F", "node4", "-t", "10").returncode != 0
        assert "refused the password" in self.LOG.read_text()
        assert bmc.power == "1"
        assert self.admin("-D", "wrong").returncode == 0

    def test_a_success_leaves_no_warning_in_the_log(self, fencer, bmc):
        self.register(bmc, "quiet", pcmk_host_list="node5")
        before = self.LOG.stat().st_size
        assert self.admin("-B", "node5").returncode == 0
        assert "fence_ipmi" not in "".join(
            line for line in self.LOG.read_text()[before:].splitlines() if "warning" in line)
        assert self.admin("-D", "quiet").returncode == 0

    def test_validation_through_the_fencer(self, fencer, bmc):
        options = ["-o", f"ip={bmc.address}", "-o", f"username={USER}", "-o", "password=x"]
        assert self.admin("-K", "-a", "fence_ipmi", *options).returncode == 0
        assert self.admin("-K", "-a", "fence_ipmi", *options, "-o", "ipport=0").returncode != 0

    def test_the_fencer_lists_it_and_reads_its_metadata(self, fencer):
        assert "fence_ipmi" in self.admin("-I").stdout.split()
        shown = self.admin("--metadata", "--agent", "fence_ipmi")
        assert shown.returncode == 0
        assert '<action name="list"' in shown.stdout


class TestMetadata:
    """What Pacemaker, pcs and people are told."""

    @pytest.fixture(scope="class")
    def text(self):
        outcome = run_fence({"action": "metadata"})
        assert_success(outcome)
        return outcome.out

    @pytest.fixture(scope="class")
    def tree(self, text):
        return ElementTree.fromstring(text)

    def test_both_ways_of_asking_say_the_same(self, text):
        assert run_fence(None, "-o", "metadata").out == text

    def test_every_parameter_of_fence_ipmilan_is_there(self, tree):
        stock = ElementTree.fromstring(subprocess.run(
            ["fence_ipmilan", "-o", "metadata"], capture_output=True, text=True, check=True).stdout)
        ours = {each.get("name"): each for each in tree.iter("parameter")}
        for theirs in stock.iter("parameter"):
            name = theirs.get("name")
            assert name in ours, name
            assert ours[name].get("deprecated") == theirs.get("deprecated"), name
            assert ours[name].get("obsoletes") == theirs.get("obsoletes") or name == "action", name
            options = [each.find("getopt").get("mixed") for each in (theirs, ours[name])]
            letters = [re.findall(r"^-(\w),", option) for option in options]
            assert letters[0] == letters[1], name
            longs = [re.findall(r"--([\w-]+)", option) for option in options]
            assert longs[0] == longs[1], name
            has_value = ["=" in option for option in options]
            assert has_value[0] == has_value[1] or name == "verbose_level", name
            values = [[each.get("value") for each in side.iter("option")]
                      for side in (theirs, ours[name])]
            assert values[0] == values[1], name

    def test_actions(self, tree):
        actions = {each.get("name"): each.get("automatic") for each in tree.iter("action")}
        assert set(actions) == {"on", "off", "reboot", "status", "monitor", "list", "list-status",
                                "validate-all", "diag", "metadata", "manpage"}
        assert actions["on"] == "0"

    def test_defaults_that_differ_from_fence_ipmilan_do_so_on_purpose(self, tree):
        content = {each.get("name"): each.find("content").get("default")
                   for each in tree.iter("parameter")}
        assert content["power_wait"] == "0"
        assert content["lanplus"] == "1"
        assert (content["power_timeout"], content["login_timeout"], content["ipport"]) == \
            ("20", "5", "623")

    def test_manpage_and_help(self):
        assert ".SH OPTIONS" in run_fence(None, "-o", "manpage").out
        assert "--ip=" in run_fence(None, "--help").out
        assert run_fence(None, "--version").out.startswith("fence_ipmi ")


class TestNames:
    """Called by a name that fence-agents has for a maker's BMC, it is that agent."""

    @pytest.fixture(params=["fence_ipmilan", "fence_ipmilanplus", "fence_ilo3", "fence_ilo4",
                            "fence_ilo5", "fence_idrac", "fence_imm"])
    def name(self, request, tmp_path):
        link = tmp_path / request.param
        link.symlink_to(AGENT)
        return link

    def test_name_and_work(self, bmc, name):
        def call(request):
            return subprocess.run([name], input="".join(f"{k}={v}\n" for k, v in request.items()),
                                  capture_output=True, text=True)

        tree = ElementTree.fromstring(call({"action": "metadata"}).stdout)
        assert tree.get("name") == name.name
        waits = {each.get("name"): each.find("content").get("default")
                 for each in tree.iter("parameter")}
        assert waits["power_wait"] == ("4" if name.name == "fence_ilo3" else "0")
        assert call(bmc.login(action="status")).stdout == "Status: ON\n"
        failed = call(bmc.login(action="status", passwd="wrong"))
        assert failed.stderr.startswith(f"{name.name}: ")


class TestScenarios:
    """The scenarios of fence-agents' tests/actions.d, in the three ways of its fence_testing.py."""

    SCENARIOS = {
        "status": [("status", (0, 2))],
        "power-on-off": [("on", (0,)), ("status", (0,)), ("off", (0,)), ("status", (2,))],
        "list": [("list", (0,))],
    }

    @pytest.fixture
    def device(self, tmp_path):
        config = ConfigObj(str(Path(__file__).parent / "fence_testing/fence_ipmi.cfg"), unrepr=True)
        options = config["options"]
        assert options["passwd"][0] == PASSWORD and options["login"][0] == USER
        with Bmc(tmp_path / "bmc", port=int(options["ipport"][0])):
            yield config

    @staticmethod
    def call(device, action, way):
        options = device["options"]
        if way == "stdin":
            lines = "".join(f"{name}={words[0]}\n" for name, words in options.items())
            return subprocess.run([device["agent"]], input=f"{lines}action={action}", text=True,
                                  capture_output=True)
        words = []
        for value, long, short in options.values():
            words += [long if way == "longopt" else short, value]
        words += [f"--action={action}"] if way == "longopt" else ["-o", action]
        return subprocess.run([device["agent"], *words], capture_output=True, text=True)

    @pytest.mark.parametrize("way", ["stdin", "getopt", "longopt"])
    @pytest.mark.parametrize("scenario", sorted(SCENARIOS))
    def test_scenario(self, device, scenario, way):
        for action, codes in self.SCENARIOS[scenario]:
            done = self.call(device, action, way)
            assert done.returncode in codes
            assert done.stderr == ""
