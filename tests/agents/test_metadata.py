# SPDX-License-Identifier: GPL-3.0-or-later
"""Metadata: every schema and every tool that reads it accepts it; it needs no daemon and no root."""

import os
import re
import shutil
import subprocess
from xml.etree import ElementTree

import pytest
from conftest import FENCE_DIR, OCF_ROOT

AGENTS = ("VirtualDomain", "Filesystem")
OCF_SCHEMAS = ("/usr/share/resource-agents/metadata.rng", "/usr/share/pcs/data/ocf-1.0.rng")
FENCE_SCHEMAS = ("/usr/share/cluster/relaxng/metadata.rng", "/usr/share/pcs/data/ocf-1.0.rng")
GOLDEN = __file__.rsplit("/", 1)[0] + "/metadata"


def path_of(agent):
    return OCF_ROOT / "resource.d/native" / agent


def metadata(agent):
    if agent.startswith("fence_"):
        command = [FENCE_DIR / agent, "-o", "metadata"]
    else:
        command = [path_of(agent), "meta-data"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def lint(text, *arguments):
    done = subprocess.run(["xmllint", "--noout", *arguments, "-"], input=text, text=True,
                          capture_output=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("schema", OCF_SCHEMAS)
@pytest.mark.parametrize("agent", AGENTS)
def test_ocf_schema(agent, schema):
    lint(metadata(agent), "--relaxng", schema)


@pytest.mark.parametrize("agent", AGENTS)
def test_ra_api_dtd(agent):
    """ocf-tester validates against the DTD that the document names."""
    lint(metadata(agent), "--path", "/usr/share/resource-agents", "--valid")


@pytest.mark.parametrize("schema", FENCE_SCHEMAS)
def test_fence_schema(schema):
    lint(metadata("fence_ipmi"), "--relaxng", schema)


@pytest.mark.parametrize("agent", AGENTS)
def test_pcs_describes_every_parameter(agent):
    shown = subprocess.run(["pcs", "resource", "describe", f"ocf:native:{agent}"],
                           capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    for parameter in ElementTree.fromstring(metadata(agent)).iter("parameter"):
        assert parameter.get("name") in shown.stdout


def test_pcs_describes_the_fence_agent():
    shown = subprocess.run(["pcs", "stonith", "describe", "fence_ipmi"], capture_output=True,
                           text=True)
    assert shown.returncode == 0, shown.stderr
    assert "ip" in shown.stdout and "password" in shown.stdout


@pytest.mark.parametrize("agent", AGENTS)
def test_crm_resource_shows_it(agent):
    shown = subprocess.run(["crm_resource", "--show-metadata", f"ocf:native:{agent}"],
                           capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    assert f'<resource-agent name="{agent}"' in shown.stdout


@pytest.mark.parametrize("agent", (*AGENTS, "fence_ipmi"))
def test_any_user_may_ask_and_nothing_is_loaded(agent):
    """As nobody, and the loader maps libra.so and libc alone."""
    argument = ["-o", "metadata"] if agent.startswith("fence_") else ["meta-data"]
    binary = FENCE_DIR / agent if agent.startswith("fence_") else path_of(agent)
    shown = subprocess.run(["setpriv", "--reuid=nobody", "--clear-groups", "strace", "-f", "-e",
                            "trace=openat,execve,clone,connect", binary, *argument],
                           capture_output=True, text=True,
                           # LeakSanitizer cannot work beside strace; it looks at the other calls.
                           env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    assert shown.returncode == 0, shown.stderr
    libraries = set(re.findall(r"/([^/\"]+\.so[.\d]*)\", O_RDONLY\|O_CLOEXEC\) = \d", shown.stderr))
    sanitizers = {name for name in libraries if re.match(r"lib(asan|ubsan|m|gcc_s|stdc\+\+)\.so", name)}
    assert libraries - sanitizers <= {"libra.so", "libc.so.6"}
    assert "clone(" not in shown.stderr and "connect(" not in shown.stderr


def summary(agent):
    """What a user of the metadata relies on, a line each: parameters and actions with defaults."""
    root = ElementTree.fromstring(metadata(agent))
    lines = []
    for parameter in root.iter("parameter"):
        content = parameter.find("content")
        lines.append(" ".join(filter(None, (
            "parameter", parameter.get("name"), content.get("type"),
            "required" if parameter.get("required") == "1" else "",
            "unique" if parameter.get("unique") == "1" else "",
            "deprecated" if parameter.get("deprecated") == "1" else "",
            f"default={content.get('default')!r}" if content.get("default") is not None else ""))))
    for action in root.iter("action"):
        attributes = sorted((key, value) for key, value in action.items() if key != "name")
        lines.append(" ".join(["action", action.get("name"), *(f"{k}={v}" for k, v in attributes)]))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("agent", (*AGENTS, "fence_ipmi"))
def test_golden(agent):
    """A change of the interface is a decision: tests/agents/metadata says what users rely on."""
    with open(f"{GOLDEN}/{agent}", encoding="utf-8") as golden:
        assert summary(agent) == golden.read()


@pytest.mark.parametrize("agent", AGENTS)
def test_man_page_is_good_roff_and_names_every_parameter(agent):
    page = f"/usr/share/man/man7/ocf_native_{agent}.7"
    done = subprocess.run(["man", "--warnings", "-l", "-Tutf8", page], capture_output=True,
                          text=True) if shutil.which("man") else None
    text = open(page, encoding="utf-8").read()
    for parameter in ElementTree.fromstring(metadata(agent)).iter("parameter"):
        assert re.search(rf"^\.BR {parameter.get('name')} ", text, re.M), parameter.get("name")
    for section in ("GUARANTEES", "EXAMPLES"):
        assert f".SH {section}" in text
    if done is not None:
        assert done.returncode == 0 and not done.stderr, done.stderr


@pytest.mark.parametrize("agent", AGENTS)
def test_unknown_action_is_3_with_a_reason(agent):
    for action in ("reload", "star", "starts", ""):
        done = subprocess.run([path_of(agent), action], capture_output=True, text=True)
        assert done.returncode == 3
        assert f"ocf-exit-reason:{agent}: there is no action '{action}'" in done.stderr


@pytest.mark.parametrize("agent", AGENTS)
def test_help_is_for_a_person(agent):
    done = subprocess.run([path_of(agent), "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr
    for parameter in ElementTree.fromstring(metadata(agent)).iter("parameter"):
        assert parameter.get("name") in done.stdout


# Parameters of the stock agent that are not here yet; each one that arrives leaves this list.
NOT_YET = {
    "VirtualDomain": {
        "migrate_options", "monitor_scripts", "save_config_on_stop",
        "sync_config_on_stop", "snapshot", "backingfile", "stateless", "copyindirs",
        "start_resources",
    },
    "Filesystem": set(),
}

# Where our default differs from the stock agent's, and why.
OTHER_DEFAULT = {
    # libvirt's own default URI depends on who asks; the stock agent asks libvirt, so do we.
    ("VirtualDomain", "hypervisor"),
    # The stock agent publishes a random number, made anew at each meta-data.
    ("VirtualDomain", "migrateport"),
}

# Required by the stock agent's metadata, but an empty value works there: it means mount without -t.
OPTIONAL_HERE = {("Filesystem", "fstype")}


def stock_metadata(agent):
    done = subprocess.run([OCF_ROOT / "resource.d/heartbeat" / agent, "meta-data"], text=True,
                          env={"OCF_ROOT": str(OCF_ROOT), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                          capture_output=True, check=True)
    return ElementTree.fromstring(done.stdout)


def parameters(root):
    return {parameter.get("name"): parameter for parameter in root.iter("parameter")}


def default_of(parameter, like):
    """The default; where LIKE is a boolean, the many words for a truth value are made one."""
    default = parameter.find("content").get("default") or ""
    if like.find("content").get("type") != "boolean":
        return default
    return {"": "0", "no": "0", "false": "0", "yes": "1", "true": "1"}.get(default, default)


@pytest.mark.parametrize("agent", AGENTS)
def test_every_parameter_of_the_stock_agent(agent):
    """The stock agent is the oracle: its names, what it requires, its defaults."""
    stock = parameters(stock_metadata(agent))
    ours = parameters(ElementTree.fromstring(metadata(agent)))
    assert set(stock) - set(ours) == NOT_YET[agent] & set(stock)
    for name in set(stock) & set(ours):
        if (agent, name) not in OPTIONAL_HERE:
            assert ours[name].get("required") == (stock[name].get("required") or "0"), name
        # pcs refuses a second resource with the same value of a unique parameter.
        assert ours[name].get("unique") == (stock[name].get("unique") or "0"), name
        if (agent, name) not in OTHER_DEFAULT:
            stock_default = default_of(stock[name], stock[name])
            assert default_of(ours[name], stock[name]) == stock_default, name


def test_every_parameter_of_fence_ipmilan():
    stock = subprocess.run(["/usr/sbin/fence_ipmilan", "-o", "metadata"], capture_output=True,
                           text=True, check=True).stdout
    theirs = parameters(ElementTree.fromstring(stock))
    ours = parameters(ElementTree.fromstring(metadata("fence_ipmi")))
    assert set(theirs) <= set(ours)
    for name, parameter in theirs.items():
        option = parameter.find("getopt").get("mixed")
        mine = ours[name].find("getopt").get("mixed")
        # The option's names must be the same; how its argument is called is for people.
        names = re.findall(r"--?[\w-]+", option.split("=")[0])
        assert set(names) <= set(re.findall(r"--?[\w-]+", mine.split("=")[0])), name
