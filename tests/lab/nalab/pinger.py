# SPDX-License-Identifier: GPL-3.0-or-later
"""An outside pinger: what a user of the guest would notice."""

import re
import signal
import subprocess
from dataclasses import dataclass

_REPLY = re.compile(r"^\[(\d+\.\d+)\] .*icmp_seq=(\d+)")
_SUMMARY = re.compile(r"(\d+) packets transmitted, (\d+) received")


@dataclass(frozen=True)
class PingResult:
    """What became of the echo requests. The gap is the longest time without a reply."""

    sent: int
    lost: int
    longest_gap_s: float


class Pinger:
    """Pings from the moment it is made; stop() ends that and tells the result."""

    def __init__(self, inside, address, interval_s=0.1):
        command = ["ping", "-n", "-D", "-O", "-i", str(interval_s), address]
        self.process = subprocess.Popen(
            inside.lab_command(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )

    def stop(self):
        # The way in waits for ping, which sums up when interrupted: signal the whole session.
        subprocess.run(["kill", f"-{int(signal.SIGINT)}", "--", f"-{self.process.pid}"], check=True)
        output, _ = self.process.communicate(timeout=10)
        replies = [float(match[1]) for line in output.splitlines()
                   if (match := _REPLY.match(line)) and "no answer" not in line]
        summary = _SUMMARY.search(output)
        if summary is None:
            raise RuntimeError(f"ping said: {output.strip()}")
        sent, received = int(summary[1]), int(summary[2])
        gaps = [later - earlier for earlier, later in zip(replies, replies[1:])]
        return PingResult(sent, sent - received, max(gaps, default=0.0))
