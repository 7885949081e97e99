# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for something with a deadline, and saying what was waited for when it passes."""

import time

POLL_S = 0.1


class Timeout(Exception):
    """A deadline passed; the text says what was waited for."""


def wait_until(predicate, seconds, what, poll_s=POLL_S):
    """Call PREDICATE until it returns something true; return (that, seconds it took).

    Raises Timeout naming WHAT after SECONDS.
    """
    started = time.monotonic()
    while True:
        value = predicate()
        elapsed = time.monotonic() - started
        if value:
            return value, elapsed
        if elapsed >= seconds:
            raise Timeout(f"waited {seconds} s for {what}")
        time.sleep(poll_s)
