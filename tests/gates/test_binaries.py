# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that only the installed binaries show: what they load, export, and how they are built."""

import re
import subprocess

import pytest
from conftest import TREE

AGENTS = "usr/lib/ocf/resource.d/native"
LIBRARIES = "usr/lib/x86_64-linux-gnu/native-agents"

# What each binary may name as NEEDED besides libc and the loader. An agent loads libra.so alone;
# everything else is loaded when an action needs it.
NEEDED = {
    f"{AGENTS}/VirtualDomain": {"libra.so"},
    f"{AGENTS}/Filesystem": {"libra.so"},
    "usr/sbin/fence_ipmi": {"libra.so"},
    f"{LIBRARIES}/libra.so": set(),
    f"{LIBRARIES}/libra-mount.so": {"libra.so", "libmount.so.1", "libblkid.so.1"},
    f"{LIBRARIES}/libra-gluster.so": {"libra.so", "libgfapi.so.0"},
    f"{LIBRARIES}/libra-virt.so": {"libra.so", "libvirt.so.0", "libxml2.so.2"},
    f"{LIBRARIES}/libra-ipmi.so": {"libra.so", "libfreeipmi.so.17", "libipmiconsole.so.2"},
    f"{LIBRARIES}/libra-cluster.so": {"libra.so", "libcib.so.27", "libcrmcommon.so.34",
                                      "libxml2.so.2"},
}
EVERYWHERE = {"libc.so.6", "ld-linux-x86-64.so.2"}


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=True).stdout


@pytest.mark.parametrize("name", NEEDED)
def test_needed(name, stage):
    needed = set(re.findall(r"\(NEEDED\).*\[(.+)\]", run("readelf", "-d", stage / name)))
    assert needed - EVERYWHERE <= NEEDED[name]


@pytest.mark.parametrize("name", NEEDED)
def test_hardening(name, stage):
    dynamic = run("readelf", "-dW", stage / name)
    headers = run("readelf", "-lW", stage / name)
    assert "BIND_NOW" in dynamic or "NOW" in dynamic
    assert "GNU_RELRO" in headers
    assert re.search(r"GNU_STACK.*RW ", headers), "executable stack"
    assert "Type:                              DYN" in run("readelf", "-hW", stage / name)
    assert "RPATH" not in dynamic


def exported(path):
    lines = run("nm", "-D", "--defined-only", "--format=posix", path).splitlines()
    return {line.split()[0].split("@")[0] for line in lines}


@pytest.mark.parametrize("name", ["mount", "gluster", "virt", "ipmi", "cluster"])
def test_a_backend_exports_its_table_alone(name, stage):
    assert exported(stage / LIBRARIES / f"libra-{name}.so") == {f"ra_{name}_backend"}


def declared():
    """The functions that the headers of base and runtime declare between the export marks."""
    names = set()
    for header in [*(TREE / "lib/base").glob("*.h"), *(TREE / "lib/runtime").glob("*.h")]:
        text = re.sub(r"/\*.*?\*/", " ", header.read_text(), flags=re.S)
        text = re.sub(r"^\s*#(\\\n|.)*$", "", text, flags=re.M)
        text = re.sub(r"static inline[^{]*\{[^}]*\}", "", text)
        for part in re.findall(r"RA_EXPORT_BEGIN(.*?)RA_EXPORT_END", text, flags=re.S):
            names |= set(re.findall(r"\b(ra_\w+)\s*\([^;{]*\)[^;{]*;", part))
    return {name for name in names if not name.endswith(("_function", "_sink")) or name ==
            "ra_log_set_sink"}


def test_the_library_exports_what_its_headers_declare(stage):
    assert exported(stage / LIBRARIES / "libra.so") == declared()


def test_nothing_else_is_installed(stage):
    """Every installed file is known: an agent, a library, a manual page."""
    allowed = (AGENTS, LIBRARIES, "usr/sbin/fence_", "usr/share/man/man7/ocf_native_",
               "usr/share/man/man8/fence_ipmi.8")
    for path in stage.rglob("*"):
        name = str(path.relative_to(stage))
        if path.is_file() or path.is_symlink():
            assert name.startswith(allowed), name
            assert not name.endswith(".la"), name
