# SPDX-License-Identifier: GPL-3.0-or-later
"""What the gates look at: the source tree, a finished build, and an installed stage."""

import os
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]


def c_files(*suffixes):
    """The project's own C files."""
    rooms = ("lib", "agents", "fence", "tests")
    return sorted(path for room in rooms for suffix in suffixes
                  for path in (TREE / room).rglob(f"*{suffix}"))


def directory_from(variable):
    value = os.environ.get(variable)
    if not value:
        pytest.fail(f"{variable} is not set: run the gates through tests/check")
    return Path(value)


@pytest.fixture(scope="session")
def make_dir():
    return directory_from("NA_MAKE_DIR")


@pytest.fixture(scope="session")
def stage():
    return directory_from("NA_STAGE")
