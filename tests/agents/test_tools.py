# SPDX-License-Identifier: GPL-3.0-or-later
"""The administrator's tools on our agents: pcs, crm_resource, ocf-tester, the trace."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import Agent

CIB = Path("/tmp/cib.xml")
MOUNT_POINT = Path("/mnt/tools")
PARAMETERS = ("device=tmpfs", f"directory={MOUNT_POINT}", "fstype=tmpfs")


def run(*command, check=False, **environment):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          env={**os.environ, **environment})
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def crm_resource(*arguments):
    return run("crm_resource", *arguments, CIB_file=str(CIB))


@pytest.fixture(autouse=True)
def clean():
    yield
    run("umount", MOUNT_POINT)
    CIB.unlink(missing_ok=True)


@pytest.fixture
def resource():
    """A resource of ours in a CIB file, made with pcs as in a cluster."""
    CIB.write_text(run("cibadmin", "--empty", check=True).stdout)
    run("pcs", "-f", CIB, "resource", "create", "data", "ocf:native:Filesystem", *PARAMETERS,
        check=True)
    return "data"


def test_pcs_takes_the_advertised_operations(resource):
    shown = run("pcs", "-f", CIB, "resource", "config", resource, check=True).stdout
    assert re.search(r"start:.*\n\s+interval=0s\s+timeout=60s", shown) or \
        "start interval=0s timeout=60s" in shown
    assert "interval=20s" in shown and "timeout=40s" in shown


def test_pcs_refuses_an_unknown_parameter(resource):
    done = run("pcs", "-f", CIB, "resource", "update", resource, "no_such_parameter=1")
    assert done.returncode != 0 and "no_such_parameter" in done.stderr


def test_validate_of_a_resource_and_of_an_agent(resource):
    assert crm_resource("--resource", resource, "--validate").returncode == 0
    options = [word for parameter in PARAMETERS for word in ("--option", parameter)]
    agent = ["--class", "ocf", "--provider", "native", "--agent", "Filesystem"]
    assert run("crm_resource", "--validate", *agent, *options).returncode == 0
    wrong = run("crm_resource", "--validate", *agent, *options, "--option", "signal_delay=soon")
    assert wrong.returncode != 0
    assert "signal_delay='soon'" in wrong.stdout + wrong.stderr


def test_force_start_check_stop(resource):
    def force(action):
        return crm_resource("--resource", resource, f"--force-{action}")

    assert force("check").returncode == 7
    assert force("start").returncode == 0
    assert os.path.ismount(MOUNT_POINT)
    assert force("check").returncode == 0
    assert force("stop").returncode == 0
    assert not os.path.ismount(MOUNT_POINT)
    assert force("check").returncode == 7


def test_ocf_tester_on_filesystem():
    options = [word for parameter in PARAMETERS for word in ("-o", parameter)]
    done = run("ocf-tester", "-n", "data", *options, "/usr/lib/ocf/resource.d/native/Filesystem")
    assert "passed all tests" in done.stdout, done.stdout + done.stderr


def filesystem(**more):
    return Agent("Filesystem", instance="data", device="tmpfs", directory=str(MOUNT_POINT),
                 fstype="tmpfs", **more)


def test_trace_names_every_call_with_its_duration(tmp_path):
    """trace_ra=1 writes where the stock agents write; nobody but root reads it."""
    agent = filesystem(trace_ra="1", trace_dir=str(tmp_path))
    assert agent("start").rc == 0
    (trace,) = (tmp_path / "Filesystem").glob("data.start.*")
    text = trace.read_text()
    assert re.search(r"< .*: \d+\.\d{3} ms", text), text
    assert re.search(r"start: code 0\n", text)
    assert trace.stat().st_mode & 0o777 == 0o600
    assert agent("stop").rc == 0
    assert list((tmp_path / "Filesystem").glob("data.stop.*"))


def test_pcs_turns_the_trace_on(resource):
    """For the stock providers pcs adds these parameters by itself; ours have to name them."""
    run("pcs", "-f", CIB, "resource", "update", resource, "trace_ra=1", "trace_file=/tmp/trace",
        "trace_dir=/tmp", check=True)
    # crm_resource has every trace that it causes on standard error (OCF_TRACE_FILE=/dev/stderr).
    done = crm_resource("--resource", resource, "--force-check")
    assert "monitor: code 7" in done.stdout + done.stderr


def test_trace_file_takes_every_action(tmp_path):
    agent = filesystem(trace_ra="1", trace_file=str(tmp_path / "trace"))
    assert agent("start").rc == 0 and agent("stop").rc == 0
    text = (tmp_path / "trace").read_text()
    assert "start: code 0\n" in text and "stop: code 0\n" in text


def test_crm_resource_shows_the_trace(resource):
    """-VV asks for the trace on standard error, by OCF_TRACE_FILE=/dev/stderr."""
    done = crm_resource("--resource", resource, "--force-check", "-VV")
    assert done.returncode == 7
    assert "loading /usr/lib" in done.stdout + done.stderr
    assert "without a trace" not in done.stdout + done.stderr


def test_without_trace_ra_nothing_is_written(tmp_path):
    assert filesystem(trace_dir=str(tmp_path))("monitor").rc == 7
    assert not list(tmp_path.iterdir())


def test_a_trace_that_cannot_be_written_does_not_stop_the_action():
    outcome = filesystem(trace_ra="1", trace_dir="/proc/nowhere")("monitor")
    assert outcome.rc == 7
    assert "going on without a trace" in outcome.err
