# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab for all scenarios, whole again before each of them.

Environment: NA_STAGE, the `make install DESTDIR=` tree with the native agents (required); NA_AGENTS=stock runs
the scenarios with the stock agents instead; NA_BUILD, where a failed test's logs go.
"""

import os
import re
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from nalab.api import Lab  # noqa: E402
from nalab.experiment import Experiment  # noqa: E402

AGENTS = os.environ.get("NA_AGENTS", "native")
STAGE = os.environ.get("NA_STAGE")
GUEST, PRIORITY = "www1", 100
# Longer than a guest needs to come up elsewhere: a node must not be back before the cluster has recovered.
BOOT_DELAY_S = 10


class Stage:
    """The lab that the scenarios share; one that a scenario left broken is replaced."""

    def __init__(self):
        self.lab = None

    def set_up(self):
        if self.lab is None:
            self.lab = Lab.up(stage=STAGE, boot_delay_s=BOOT_DELAY_S, say=print, tied=True)
            self.lab.create_platform(AGENTS, [(GUEST, PRIORITY)])
        return Experiment(self.lab, self.lab.guest(GUEST))

    def restore(self):
        """Undo what a scenario did: networks, standby, failures; every node back, everything healed."""
        lab = self.lab
        lab.heal()
        lab.wait_whole()
        lab.pcs("resource", "cleanup")
        lab.wait_idle()
        Experiment(lab, lab.guest(GUEST)).home()

    def tear_down(self):
        if self.lab is not None:
            lab, self.lab = self.lab, None
            lab.down()


@pytest.fixture(scope="session")
def stage():
    if AGENTS == "native" and not STAGE:
        pytest.fail("NA_STAGE must name a `make install DESTDIR=` tree with the native agents")
    stage = Stage()
    yield stage
    stage.tear_down()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    setattr(item, f"report_{call.when}", outcome.get_result())


@pytest.fixture
def experiment(stage, request):
    """The platform with one guest, whole; afterwards made whole again."""
    yield stage.set_up()
    report = getattr(request.node, "report_call", None)
    if report is None or report.failed:
        base = Path(os.environ.get("NA_BUILD") or tempfile.gettempdir())
        logs = base / "lab-logs" / re.sub(r"\W+", "-", request.node.name)
        stage.lab.collect_logs(logs)
        print(f"the nodes' logs are in {logs}")
        stage.tear_down()
        return
    try:
        stage.restore()
    except BaseException:
        stage.tear_down()
        raise


@pytest.fixture
def lab(experiment):
    return experiment.lab


@pytest.fixture
def agents():
    return AGENTS
