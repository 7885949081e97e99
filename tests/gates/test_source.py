# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the house that can be read off the source."""

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import TREE, c_files

ROOMS = ("base", "runtime", "mount", "gluster", "virt", "ipmi", "cluster")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)

# Headers of the libraries that only one backend may use.
LIBRARY_HEADERS = {
    "libvirt": "libvirt/", "libxml": "libxml/", "glusterfs": "glusterfs/", "libmount": "libmount/",
    "blkid": "blkid/", "freeipmi": "freeipmi/", "ipmiconsole": "ipmiconsole",
    "pacemaker": "crm/",
}


def read_layers():
    """lib/LAYERS: room -> (rooms it may include, libraries it may use)."""
    layers = {}
    for line in (TREE / "lib/LAYERS").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        room, _, rest = line.partition(":")
        rooms, _, libraries = rest.partition("|")
        layers[room.strip()] = (set(rooms.split()) | {room.strip()}, set(libraries.split()))
    return layers


def room_of(path):
    parts = path.relative_to(TREE).parts
    return parts[1] if parts[0] == "lib" else parts[0]


@pytest.mark.parametrize("path", [p for p in c_files(".c", ".h") if room_of(p) != "tests"],
                         ids=lambda p: str(p.relative_to(TREE)))
def test_layers(path):
    rooms, libraries = read_layers()[room_of(path)]
    for _, header in INCLUDE.findall(path.read_text()):
        first = header.split("/")[0]
        if first in ROOMS and "/" in header:
            assert first in rooms, f"{path} may not include {header}"
        for library, prefix in LIBRARY_HEADERS.items():
            if header.startswith(prefix):
                assert library in libraries, f"{path} may not use {header}"


# Word -> why it is not for us. A word in a comment or a string does not count.
BANNED = {
    "system": "no shell", "popen": "no shell", "atoi": "numbers are parsed whole",
    "atol": "numbers are parsed whole", "strtok": "not reentrant", "sprintf": "no bound",
    "strcat": "no bound", "gets": "no bound", "regcomp": "no regular expressions on names",
    "mktemp": "racy", "usleep": "sleeping is base/deadline's", "sleep": "sleeping is base/deadline's",
}


def without_comments_and_strings(text):
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"//[^\n]*", " ", text)
    return re.sub(r'"(\\.|[^"\\])*"', '""', text)


@pytest.mark.parametrize("path", [p for p in c_files(".c", ".h") if room_of(p) != "tests"],
                         ids=lambda p: str(p.relative_to(TREE)))
def test_no_banned_function(path):
    code = without_comments_and_strings(path.read_text())
    for word, why in BANNED.items():
        assert not re.search(rf"(?<![\w.>]){word}\s*\(", code), f"{word}() in {path}: {why}"


def test_environment_is_read_by_the_runtime_alone():
    for path in c_files(".c"):
        if room_of(path) in ("runtime", "tests"):
            continue
        code = without_comments_and_strings(path.read_text())
        assert "getenv" not in code, f"getenv in {path}"


def test_only_main_ends_the_process():
    for path in c_files(".c"):
        if room_of(path) == "tests":
            continue
        code = without_comments_and_strings(path.read_text())
        assert not re.search(r"(?<![\w.>_])exit\s*\(", code), f"exit() in {path}"


def test_format():
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", *c_files(".c", ".h")], cwd=TREE,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:4000]


def test_licence_header():
    listed = [*c_files(".c", ".h"), *(TREE / "tests").rglob("*.py")]
    for path in listed:
        head = path.read_text()[:200]
        assert "SPDX-License-Identifier: GPL-3.0-or-later" in head, path


def test_size_of_files():
    for path in c_files(".c", ".h"):
        if room_of(path) == "tests":
            continue
        lines = len(path.read_text().splitlines())
        assert lines <= 550, f"{path} has {lines} lines: does it still have one reason to exist?"


def test_nothing_left_open():
    marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
    for path in [*c_files(".c", ".h"), *(TREE / "tests").rglob("*.py"), TREE / "bootstrap"]:
        hit = marks.search(path.read_text())
        assert hit is None, f"{hit.group(0)} in {path}"


def test_cppcheck():
    done = subprocess.run(
        ["cppcheck", "--quiet", "--std=c11", "--enable=warning,portability,performance",
         "--inline-suppr", "--error-exitcode=1", "--suppress=missingIncludeSystem",
         "--suppress=memleak",  # it does not know the cleanup attribute
         f"-I{TREE}/lib", "-DPACKAGE_VERSION=\"0\"", "-DRA_STATE_DIR=\"/run\"",
         "-DRA_PKGLIBDIR=\"/usr/lib\"", "-DRA_OCF_PROVIDER=\"native\"",
         *(TREE / room for room in ("lib", "agents", "fence"))],
        capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:4000]


def compile_flags():
    libraries = ["libvirt", "libxml-2.0", "mount", "blkid", "glusterfs-api", "pacemaker-cib",
                 "cmocka"]
    pkg = subprocess.run(["pkg-config", "--cflags", *libraries], capture_output=True, text=True,
                         check=True)
    return ["-std=gnu11", "-D_GNU_SOURCE", f"-I{TREE}/lib", *pkg.stdout.split()]


@pytest.mark.parametrize("room", ["lib/base", "lib/runtime", "lib/mount", "lib/gluster", "lib/virt",
                                  "lib/ipmi", "lib/cluster", "agents", "fence"])
def test_clang_tidy(room, make_dir):
    files = sorted((TREE / room).rglob("*.c"))
    assert files, room
    flags = [*compile_flags(), f"-I{make_dir}", "-include", make_dir / "config.h",
             "-DRA_PKGLIBDIR=\"/usr/lib\""]

    def tidy(path):
        return subprocess.run(["clang-tidy", "--quiet", path, "--", *flags], cwd=TREE, capture_output=True, text=True)

    # It uses one core by itself, and takes the longest of all the gates.
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        found = [done.stdout + done.stderr for done in pool.map(tidy, files) if done.returncode != 0]
    assert not found, "\n".join(found)[:6000]
