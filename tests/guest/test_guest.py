# SPDX-License-Identifier: GPL-3.0-or-later
"""The test guest itself: it must show a second copy and a lost write, or the lab's tests prove nothing."""

import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import guestcheck  # noqa: E402


@pytest.fixture(scope="module")
def boot_files(tmp_path_factory):
    outdir = tmp_path_factory.mktemp("guest")
    subprocess.run([HERE / "build-guest", outdir], check=True)
    return outdir


@pytest.fixture
def disk(tmp_path):
    image = tmp_path / "disk.img"
    with open(image, "wb") as file:
        file.truncate(16 << 20)
    return image


class Machine:
    """One QEMU running the guest, driven through its QMP socket."""

    def __init__(self, boot_files, disk, console, options=""):
        self.console = Path(console)
        control = self.console.with_suffix(".qmp")
        command = (
            "qemu-system-x86_64 -machine pc,accel=tcg -cpu qemu64 -m 96 -nodefaults -display none "
            f"-device pvpanic -kernel {boot_files}/vmlinuz -initrd {boot_files}/initramfs "
            f"-chardev file,id=console,path={console},append=on -device isa-serial,chardev=console,index=0 "
            f"-drive file={disk},format=raw,if=none,id=disk,cache=none,file.locking=off -device virtio-blk,drive=disk "
            f"-qmp unix:{control},server=on,wait=off -action panic=shutdown"
        )
        append = f"console=ttyS0 quiet guest.name=test guest.interval_ms=50 {options}"
        self.started = time.monotonic()
        self.process = subprocess.Popen([*command.split(), "-append", append])
        wait_for(control.exists, 5, "QEMU's control socket")
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(control))
        self.lines = self.socket.makefile("r")
        self.lines.readline()
        self.command("qmp_capabilities")

    def command(self, name):
        self.socket.sendall(json.dumps({"execute": name}).encode() + b"\n")
        while "return" not in (answer := json.loads(self.lines.readline())):
            assert "error" not in answer, answer

    def text(self):
        return self.console.read_text(errors="replace") if self.console.exists() else ""

    def wait_for_text(self, text, timeout_s=15):
        wait_for(lambda: text in self.text(), timeout_s, f"{text!r} on the console")

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def start(boot_files):
    machines = []

    def start_one(*arguments):
        machines.append(Machine(boot_files, *arguments))
        return machines[-1]

    yield start_one
    for one in machines:
        one.kill()
        one.socket.close()


def wait_for(condition, timeout_s, what):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}"
        time.sleep(0.05)


def check_tool(disk, *consoles):
    return subprocess.run([HERE / "check-disk", disk, *consoles], capture_output=True, text=True, check=False)


def test_boots_counts_and_answers_a_shutdown_request(start, disk, tmp_path):
    guest = start(disk, tmp_path / "a.log")
    guest.wait_for_text("ACK generation=1 counter=20 ")
    guest.command("system_powerdown")
    assert guest.process.wait(timeout=10) == 0
    done = check_tool(disk, tmp_path / "a.log")
    assert (done.returncode, done.stderr) == (0, "")
    assert "in 1 boots, one writer at a time, none lost" in done.stdout


def test_ignores_a_shutdown_request_when_told_to(start, disk, tmp_path):
    guest = start(disk, tmp_path / "a.log", "guest.shutdown=ignore")
    guest.wait_for_text("ACK generation=1 counter=5 ")
    guest.command("system_powerdown")
    with pytest.raises(subprocess.TimeoutExpired):
        guest.process.wait(timeout=3)


def test_killed_guest_goes_on_from_its_last_acknowledged_write(start, disk, tmp_path):
    first = start(disk, tmp_path / "a.log")
    first.wait_for_text("ACK generation=1 counter=10 ")
    first.kill()
    last = max(guestcheck.read_console(first.console), key=lambda event: event.record).record.counter
    second = start(disk, tmp_path / "b.log")
    second.wait_for_text("ACK generation=2 ")
    second.kill()
    boot = next(event for event in guestcheck.read_console(second.console) if event.kind == "BOOT")
    # The write in flight at the kill may have arrived without having been acknowledged.
    assert boot.record.counter in (last, last + 1)
    assert guestcheck.check(disk, [first.console, second.console]).problems == []


def test_second_copy_is_found_by_both_and_by_the_checker(start, disk, tmp_path):
    first = start(disk, tmp_path / "a.log")
    first.wait_for_text("ACK generation=1 counter=10 ")
    second = start(disk, tmp_path / "b.log")
    second.wait_for_text("SECOND WRITER generation=1 ")
    first.wait_for_text("SECOND WRITER generation=2 ")
    first.kill()
    second.kill()
    assert guestcheck.check(disk, [first.console, second.console]).second_writers
    assert check_tool(disk, first.console, second.console).returncode == 1


def test_disk_that_forgot_acknowledged_writes_is_found(start, disk, tmp_path):
    guest = start(disk, tmp_path / "a.log")
    guest.wait_for_text("ACK generation=1 counter=10 ")
    old = tmp_path / "old.img"
    shutil.copy(disk, old)
    guest.wait_for_text("ACK generation=1 counter=30 ")
    guest.kill()
    shutil.copy(old, disk)
    found_by_disk = guestcheck.check(disk, [guest.console])
    assert found_by_disk.lost_writes and not found_by_disk.second_writers
    restarted = start(disk, tmp_path / "b.log")
    # Long enough to write over every slot: the disk itself no longer shows the loss, the consoles do.
    restarted.wait_for_text(f"ACK generation=2 counter={30 + guestcheck.RING_SLOTS} ", 30)
    restarted.kill()
    found_by_order = guestcheck.check(disk, [guest.console, restarted.console])
    assert any("generation 2 began at counter" in text for text in found_by_order.lost_writes)


def test_panic_is_reported_to_the_hypervisor(boot_files, disk, tmp_path):
    console = tmp_path / "a.log"
    shell = f"{tmp_path}/shell.sock"
    command = (
        "qemu-system-x86_64 -machine pc,accel=tcg -cpu qemu64 -m 96 -nodefaults -display none -device pvpanic "
        f"-action panic=shutdown -kernel {boot_files}/vmlinuz -initrd {boot_files}/initramfs -serial file:{console} "
        f"-serial unix:{shell},server=on,wait=off -drive file={disk},format=raw,if=virtio,cache=none"
    )
    with subprocess.Popen([*command.split(), "-append", "console=ttyS0 quiet guest.interval_ms=50"]) as guest:
        try:
            wait_for(lambda: console.exists() and "ACK generation=1 counter=3 " in console.read_text(), 15, "writes")
            with socket.socket(socket.AF_UNIX) as line:
                line.connect(shell)
                line.sendall(b"echo c >/proc/sysrq-trigger\n")
                guest.wait(timeout=10)
            assert "Kernel panic" in console.read_text()
        finally:
            guest.kill()


def test_records_on_the_disk_are_those_acknowledged(start, disk, tmp_path):
    guest = start(disk, tmp_path / "a.log")
    guest.wait_for_text("ACK generation=1 counter=12 ")
    guest.kill()
    acknowledged = {e.record.counter for e in guestcheck.read_console(guest.console) if e.kind == "ACK"}
    on_disk = {record.counter for record in guestcheck.read_ring(disk).values()}
    assert acknowledged == set(range(1, max(acknowledged) + 1))
    assert on_disk in (acknowledged, acknowledged | {max(acknowledged) + 1})
