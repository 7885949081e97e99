# SPDX-License-Identifier: GPL-3.0-or-later
"""A BMC for tests: the real ipmi_sim, with a chassis whose power is a file.

Each Bmc has a port, a directory, a GUID and a chassis program of its own, so tests do not see each
other.
"""

import os
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from conftest import FENCE_DIR, run_fence

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "fakes"))
from udp_relay import (OPEN_SESSION_RESPONSE, RAKP_2, RAKP_4, Faults, Relay, all_of,  # noqa: E402, F401
                       message_of, payload_type, with_data, with_reply, with_status)

OFF, SUCCESS, FAILURE = 2, 0, 1
AGENT = FENCE_DIR / "fence_ipmi"
USER = "admin"
PASSWORD = "geheim-XyZ-4711"

LAN_CONF = """\
name "bmc"
set_working_mc 0x20
  startlan 1
    addr {address} {port}
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid {guid}
{bmc_key}  endlan
  chassis_control "{chassis}"
  {sol}
  user 1 true  ""         ""           user     10 none md2 md5 straight
  user 2 true  "{user}"   "{password}" admin    10 none md2 md5 straight
  user 3 true  "viewer"   "{password}" user     10 none md2 md5 straight
  user 4 false "disabled" "{password}" admin    10 none md2 md5 straight
"""

BMC_EMU = """\
mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
"""

# ipmi_sim runs it as: chassis ADDRESS get|set|check NAME [VALUE]. The files beside it say how the
# chassis behaves: `power` is the state, `down_s` and `up_s` are how long a change takes, `stuck`
# holds the values of `set power` that have no effect, `refuse` those that fail.
CHASSIS = """\
#!/bin/bash
cd "$(dirname "$0")" || exit 1
while [ $# -gt 0 ] && [[ $1 != get && $1 != set && $1 != check ]]; do shift; done
verb=$1 name=$2 value=$3
echo "$verb $name $value" >>commands
now=${EPOCHREALTIME/[.,]/}
settle() {  # a change that was begun takes effect when its time has come
    local at state
    [ -e pending ] || return 0
    read -r at state <pending
    if [ "$now" -ge "$at" ]; then echo "$state" >power; rm -f pending; fi
}
begin() {
    local seconds=0
    [ "$1" = 0 ] && [ -e down_s ] && seconds=$(<down_s)
    [ "$1" = 1 ] && [ -e up_s ] && seconds=$(<up_s)
    echo "$((now + seconds * 1000000)) $1" >pending
    settle
}
settle
case "$verb $name" in
"get power") echo "power:$(<power)" ;;
"get "*) echo "$name:0" ;;
"set power")
    if [ -e refuse ] && grep -qx "$value" refuse; then exit 1; fi
    [ -e stuck ] && grep -qx "$value" stuck && exit 0
    begin "$value" ;;
esac
exit 0
"""


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Bmc:
    """ipmi_sim, running. Use as a context manager."""

    def __init__(self, directory, power=1, address="127.0.0.1", port=None, k_g=None,
                 password=PASSWORD, sol="", guid=None):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.address = address
        self.port = port or free_port()
        self.guid = guid or uuid.uuid4().hex
        self.process = None
        self.write("power", power)
        self.write("lan.conf", LAN_CONF.format(
            address=address, port=self.port, guid=self.guid, chassis=self.directory / "chassis", user=USER,
            password=password, sol=sol, bmc_key=f'    bmc_key "{k_g}"\n' if k_g else ""))
        self.write("bmc.emu", BMC_EMU)
        self.write("chassis", CHASSIS)
        (self.directory / "chassis").chmod(0o755)
        (self.directory / "state").mkdir(exist_ok=True)

    def write(self, name, text):
        """Atomically: the chassis program may be reading."""
        scratch = self.directory / f".{name}"
        scratch.write_text(f"{text}\n")
        os.rename(scratch, self.directory / name)

    @property
    def power(self):
        return (self.directory / "power").read_text().strip()

    def commands(self, *kinds):
        """What the chassis was told, such as "set power 0"."""
        log = self.directory / "commands"
        lines = log.read_text().splitlines() if log.exists() else []
        return [line.strip() for line in lines if not kinds or line.startswith(kinds)]

    def changes(self):
        return self.commands("set")

    def forget(self):
        (self.directory / "commands").unlink(missing_ok=True)

    def start(self):
        self.process = subprocess.Popen(
            ["ipmi_sim", "-c", self.directory / "lan.conf", "-f", self.directory / "bmc.emu",
             "-s", self.directory / "state", "-n"],
            stdin=subprocess.DEVNULL, stdout=(self.directory / "log").open("w"),
            stderr=subprocess.STDOUT, start_new_session=True)
        end = time.monotonic() + 10
        while not self.answers():
            assert self.process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < end, "ipmi_sim does not answer"
        return self

    def answers(self):
        """A presence ping (ASF 2.0, 3.2.4.3), which needs no session."""
        ping = bytes.fromhex("0600ff06000011be80000000")
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            client.settimeout(0.05)
            client.connect((self.address, self.port))
            try:
                client.send(ping)
                return bool(client.recv(256))
            except OSError:
                time.sleep(0.01)
                return False

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def login(self, **params):
        """The parameters of a request to this BMC, as the platform's command line has them."""
        request = {"ipaddr": self.address, "ipport": self.port, "login": USER, "passwd": PASSWORD}
        request.update(params)
        return {name: value for name, value in request.items() if value is not None}


@pytest.fixture
def bmc(tmp_path):
    for state in Path("/run/native-agents").glob("ipmi*"):
        state.unlink()  # of another BMC that had this port
    with Bmc(tmp_path / "bmc") as running:
        yield running


def fence(request, action, **params):
    return run_fence({**request, "action": action, **params})


def assert_success(outcome, output=None):
    assert (outcome.rc, outcome.err) == (SUCCESS, "")
    if output is not None:
        assert outcome.out == f"{output}\n"


def assert_failure(outcome, *parts):
    """Exit status 1, one line that says what and what to do, and never the password."""
    assert outcome.rc == FAILURE
    assert outcome.out == ""
    lines = outcome.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("fence_ipmi: ")
    for part in parts:
        assert part in lines[0]
    assert PASSWORD not in outcome.err
