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
from ipmi_env import (AGENT, OFF, PASSWORD, SUCCESS, USER, Bmc, assert_failure, assert_success, bmc,  # noqa: F401
                      fence)


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
