# SPDX-License-Identifier: GPL-3.0-or-later
"""Running commands inside the lab and inside its nodes, from the lab itself or from the host."""

import subprocess
from pathlib import Path


LAB_NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid")
NODE_NAMESPACES = (*LAB_NAMESPACES, "--root", "--wd")
DEFAULT_TIMEOUT_S = 120


class CommandFailed(Exception):
    """A command inside did not succeed; the text holds it and what it said."""


class NodeDown(Exception):
    """A command was meant for a node whose init is not running."""


class Inside:
    """The way in. INIT is the pid of the lab's PID 1 seen from here, None when already inside."""

    def __init__(self, init=None):
        self.init = init

    def path(self, path):
        """How a file of the lab is opened from here (WORLD is a mount only the lab sees)."""
        return Path(path) if self.init is None else Path(f"/proc/{self.init}/root{path}")

    def lab_command(self, command):
        """COMMAND, made to run in the lab's namespaces."""
        prefix = [] if self.init is None else ["nsenter", "--target", str(self.init), *LAB_NAMESPACES]
        return prefix + [str(word) for word in command]

    def node_command(self, node, command):
        """COMMAND, made to run in NODE; raises NodeDown."""
        pid = self.node_init(node)
        if pid is None or not self.is_running(node):
            raise NodeDown(f"{node.name} is {'not running' if pid is None else 'still in its self test'}")
        return self.lab_command(["nsenter", "--target", pid, *NODE_NAMESPACES, *command])

    def node_init(self, node):
        """The pid of NODE's init in the lab's pid namespace, None if nothing of the node runs."""
        try:
            pid = self.path(node.directory / "init.pid").read_text().strip()
            self.path(f"/proc/{pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return pid

    def is_running(self, node):
        """Whether NODE's own system runs: it has power, and its self test is over."""
        return self.path(node.directory / "entered").exists() and self.node_init(node) is not None

    def lab(self, *command, **options):
        """Run COMMAND in the lab (its network is "outside" for the nodes); see run()."""
        return run(self.lab_command(command), **options)

    def node(self, node, *command, **options):
        """Run COMMAND in NODE; see run()."""
        return run(self.node_command(node, command), **options)

    def node_succeeds(self, node, *command, timeout_s=10):
        """Whether COMMAND runs in NODE and ends with status 0 in time."""
        try:
            return self.node(node, *command, check=False, timeout_s=timeout_s).returncode == 0
        except (NodeDown, CommandFailed):
            return False


def run(command, check=True, timeout_s=DEFAULT_TIMEOUT_S, text=None):
    """Run COMMAND with TEXT as input; return the CompletedProcess with stdout and stderr as text."""
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, errors="replace", timeout=timeout_s,
            **({"input": text} if text is not None else {"stdin": subprocess.DEVNULL}),
        )
    except subprocess.TimeoutExpired:
        raise CommandFailed(f"still running after {timeout_s} s: {shown(command)}") from None
    if check and done.returncode != 0:
        raise CommandFailed(f"{shown(command)} ended with {done.returncode}: {(done.stderr + done.stdout).strip()}")
    return done


def shown(command):
    """COMMAND for a message, without the way in."""
    words = [str(word) for word in command]
    while "nsenter" in words:
        rest = words[words.index("nsenter") + 3:]
        words = [*rest[next((i for i, word in enumerate(rest) if not word.startswith("--")), 0):]]
    return " ".join(words)
