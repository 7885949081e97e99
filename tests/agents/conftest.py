# SPDX-License-Identifier: GPL-3.0-or-later
"""What every agent test has: the agents as Pacemaker would call them.

Run inside tests/lab/sandbox with a stage laid over the root file system, so that the agents stand
where an administrator's package puts them and every daemon started here dies with the sandbox.
"""

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

OCF_ROOT = Path("/usr/lib/ocf")
FENCE_DIR = Path("/usr/sbin")
REASON = "ocf-exit-reason:"


@dataclass
class Outcome:
    """One call of an agent."""

    rc: int
    out: str
    err: str
    seconds: float

    @property
    def reason(self):
        """The last ocf-exit-reason line, as Pacemaker takes it."""
        reasons = [line for line in self.err.splitlines() if line.startswith(REASON)]
        return reasons[-1][len(REASON):] if reasons else ""


class Agent:
    """An OCF agent with parameters and meta attributes that every call has unless it says else."""

    def __init__(self, name, provider="native", instance="test", timeout_s=60, **params):
        self.path = OCF_ROOT / "resource.d" / provider / name
        self.name = name
        self.provider = provider
        self.instance = instance
        self.timeout_s = timeout_s
        self.params = params

    def environment(self, timeout_s=None, meta=None, env=None, **params):
        result = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "OCF_ROOT": str(OCF_ROOT),
            "OCF_RA_VERSION_MAJOR": "1",
            "OCF_RA_VERSION_MINOR": "1",
            "OCF_RESOURCE_PROVIDER": self.provider,
            "OCF_RESOURCE_TYPE": self.name,
            "OCF_RESOURCE_INSTANCE": self.instance,
            "OCF_RESKEY_CRM_meta_timeout": str(int((timeout_s or self.timeout_s) * 1000)),
        }
        for key in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if key in os.environ:
                result[key] = os.environ[key]
        for key, value in (meta or {}).items():
            result[f"OCF_RESKEY_CRM_meta_{key}"] = str(value)
        for key, value in {**self.params, **params}.items():
            if value is not None:
                result[f"OCF_RESKEY_{key}"] = str(value)
        result.update(env or {})
        return result

    def start_process(self, action, **kwargs):
        """The agent as a running process, for tests that interrupt it."""
        return subprocess.Popen([self.path, action], env=self.environment(**kwargs),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def __call__(self, action, timeout_s=None, **kwargs):
        """Run an action. It is a failure of the agent to outlive its timeout."""
        limit = timeout_s or self.timeout_s
        began = time.monotonic()
        process = self.start_process(action, timeout_s=timeout_s, **kwargs)
        try:
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            pytest.fail(f"{self.name} {action} was still running at its timeout of {limit} s")
        return Outcome(process.returncode, out, err, time.monotonic() - began)

    def probe(self, **kwargs):
        return self("monitor", meta={"interval": 0}, **kwargs)


def run_fence(stdin=None, *args, agent="fence_ipmi", timeout_s=60, env=None):
    """A fence agent, by key=value lines (a dict) or by options."""
    lines = None
    if stdin is not None:
        lines = "".join(f"{key}={value}\n" for key, value in stdin.items())
    began = time.monotonic()
    done = subprocess.run([FENCE_DIR / agent, *args], input=lines if lines is not None else "",
                          capture_output=True, text=True, timeout=timeout_s,
                          env={**os.environ, **(env or {})})
    return Outcome(done.returncode, done.stdout, done.stderr, time.monotonic() - began)


def wait_until(condition, seconds, what):
    """Poll until the condition holds; the test fails after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"not within {seconds} s: {what}")
        time.sleep(0.05)


@pytest.fixture(scope="session", autouse=True)
def in_a_sandbox():
    """These tests start daemons and mount file systems: never on the machine itself."""
    if b"sandbox" not in Path("/proc/1/cmdline").read_bytes():
        pytest.exit("run this through tests/lab/sandbox", returncode=1)
    assert os.geteuid() == 0, "the agents need root"
