# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes for the VirtualDomain tests: namespaces with a real libvirtd, real QEMU guests, a real PKI.

A node has mounts, processes, a host name and a network of its own, and private copies of the places
where libvirt keeps things; two nodes are joined by a cable. What a test needs from libvirt it asks
through virsh in the node.
"""

import functools
import re
import signal
import subprocess
import uuid
from pathlib import Path

from conftest import Agent, wait_until

TREE = Path(__file__).resolve().parents[2]
PRIVATE = ("/etc/libvirt", "/etc/pki", "/var/lib/libvirt", "/var/log/libvirt", "/var/cache/libvirt")
DAEMON_S = 60

LIBVIRTD_CONF = """\
listen_tls = 1
listen_tcp = 0
auth_unix_rw = "none"
auth_unix_ro = "none"
host_uuid = "{host_uuid}"
log_outputs = "2:file:/var/log/libvirt/libvirtd.log"
"""

QEMU_CONF = """\
stdio_handler = "file"
security_driver = "none"
user = "root"
group = "root"
namespaces = []
cgroup_controllers = []
remember_owner = 0
default_tls_x509_cert_dir = "/etc/pki/qemu"
default_tls_x509_verify = 1
"""

# Mounts of a node's own; then a first process that keeps the namespaces and reaps orphans, which
# libvirtd waits for.
NODE_INIT = """\
set -e
mount -t tmpfs -o mode=755 run /run
for place in {places}; do
    mkdir -p "$place"
    mount --bind "{directory}$place" "$place"
done
mount --bind "{directory}/hosts" /etc/hosts
hostname {name}
ip link set lo up
echo ready
while :; do
    sleep 3600 &
    wait $!
done
"""


def run(*command, check=True, **kwargs):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **kwargs)
    assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done


class Pki:
    """A certificate authority, and a certificate for each name it is asked for."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True)
        self._key("ca")
        self._sign("ca", "/CN=test authority", "CA:TRUE", ca=None)

    def _key(self, name):
        run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-out", self.directory / f"{name}.key")

    def _sign(self, name, subject, constraints, ca, san=None):
        d = self.directory
        (d / f"{name}.ext").write_text(f"basicConstraints=critical,{constraints}\n"
                                       + (f"subjectAltName={san}\n" if san else ""))
        run("openssl", "req", "-new", "-key", d / f"{name}.key", "-subj", subject,
            "-out", d / f"{name}.csr")
        signer = (["-signkey", d / f"{name}.key"] if ca is None else
                  ["-CA", d / f"{ca}.crt", "-CAkey", d / f"{ca}.key", "-CAcreateserial"])
        run("openssl", "x509", "-req", "-in", d / f"{name}.csr", *signer, "-days", "2",
            "-extfile", d / f"{name}.ext", "-out", d / f"{name}.crt")

    def issue(self, name, address):
        self._key(name)
        self._sign(name, f"/CN={name}", "CA:FALSE", "ca",
                   f"DNS:{name},DNS:{name}-mig,IP:{address}")

    def install(self, name, pki):
        """Put the certificates of NAME where libvirt and QEMU look for them, below PKI."""
        ca, crt, key = (self.directory / f"{stem}" for stem in ("ca.crt", f"{name}.crt", f"{name}.key"))
        places = {"CA/cacert.pem": ca, "libvirt/servercert.pem": crt, "libvirt/clientcert.pem": crt,
                  "libvirt/private/serverkey.pem": key, "libvirt/private/clientkey.pem": key,
                  "qemu/ca-cert.pem": ca, "qemu/server-cert.pem": crt, "qemu/server-key.pem": key,
                  "qemu/client-cert.pem": crt, "qemu/client-key.pem": key}
        for place, source in places.items():
            (pki / place).parent.mkdir(parents=True, exist_ok=True)
            (pki / place).write_bytes(source.read_bytes())


@functools.cache
def sanitizer_preload(program):
    """What an agent built with ASan needs: libvirt's calls of libtirpc are intercepted, and ASan looks
    for the real ones once, at its start, when libvirt is not loaded yet."""
    linked = re.search(r"libasan\S* => (\S+)", run("ldd", program).stdout)
    return ["env", f"LD_PRELOAD={linked[1]} libtirpc.so.3"] if linked else []


def sanitizer_environment(program):
    """The same for a tool that runs the agent and is not built with ASan itself."""
    if not sanitizer_preload(program):
        return []
    return ["env", "LD_PRELOAD=libtirpc.so.3",
            "ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0"]


class NodeAgent(Agent):
    """The agent, called inside a node."""

    def __init__(self, node, **kwargs):
        super().__init__("VirtualDomain", **kwargs)
        self.node = node

    def start_process(self, action, prefix=(), **kwargs):
        command = self.node.command(*prefix, *sanitizer_preload(self.path), self.path, action)
        return subprocess.Popen(command, env=self.environment(**kwargs), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


class Node:
    def __init__(self, name, directory, hosts="127.0.0.1 localhost\n"):
        self.name = name
        self.directory = Path(directory)
        for place in PRIVATE:
            (self.directory / place.lstrip("/")).mkdir(parents=True)
        (self.directory / "hosts").write_text(hosts)
        run("cp", "-a", "/etc/libvirt/.", self.directory / "etc/libvirt")
        for drop in (self.directory / "etc/libvirt/qemu").rglob("*.xml"):
            drop.unlink()
        conf = self.directory / "etc/libvirt"
        (conf / "libvirtd.conf").write_text(LIBVIRTD_CONF.format(host_uuid=uuid.uuid4()))
        (conf / "qemu.conf").write_text(QEMU_CONF)
        self.keeper = self.pid = self.daemon = None

    @property
    def pki(self):
        return self.directory / "etc/pki"

    def start(self):
        script = NODE_INIT.format(places=" ".join(PRIVATE), directory=self.directory, name=self.name)
        self.keeper = subprocess.Popen(
            ["unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child",
             "--mount-proc", "/bin/bash", "-c", script],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        assert self.keeper.stdout.readline() == "ready\n"
        children = Path(f"/proc/{self.keeper.pid}/task/{self.keeper.pid}/children").read_text()
        self.pid = int(children.split()[0])

    def end(self):
        self.keeper.kill()
        self.keeper.wait()
        self.keeper.stdout.close()
        if self.daemon is not None:
            self.daemon.wait()

    def command(self, *words):
        return ["nsenter", f"--target={self.pid}", "--mount", "--uts", "--ipc", "--net", "--pid",
                "--root", "--wd", "--", *map(str, words)]

    def run(self, *words, check=True, **kwargs):
        return run(*self.command(*words), check=check, **kwargs)

    def virsh(self, *words, check=True, timeout=60):
        return self.run("virsh", "-c", "qemu:///system", *words, check=check,
                        timeout=timeout).stdout.strip()

    def start_daemon(self):
        log = (self.directory / "daemon.log").open("ab")
        self.daemon = subprocess.Popen(self.command("libvirtd", "--listen"), stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=log)
        log.close()
        wait_until(lambda: self.run("virsh", "-c", "qemu:///system", "list", check=False,
                                    timeout=DAEMON_S).returncode == 0,
                   DAEMON_S, f"libvirtd of {self.name} answers")

    def signal_daemon(self, number):
        """Signal libvirtd itself. The process we hold is nsenter, which stops when its child does."""
        pid = int(self.run("cat", "/run/libvirtd.pid").stdout)
        self.run("kill", f"-{signal.Signals(number).name.removeprefix('SIG')}", pid)
        if number != signal.SIGSTOP:
            self.daemon.send_signal(signal.SIGCONT)

    def kill_daemon(self):
        self.signal_daemon(signal.SIGKILL)
        self.daemon.wait()

    def qemu_pids(self, name):
        """The guest's QEMU processes, by their numbers in the node, looked up without the agent."""
        found = []
        for word in self.run("ls", "/proc").stdout.split():
            if word.isdigit():
                line = self.run("cat", f"/proc/{word}/cmdline", check=False).stdout
                if re.search(rf"-name\0guest={re.escape(name)}[,\0]", line):
                    found.append(int(word))
        return found

    def state(self, name):
        """'running', 'paused' ... or 'absent'."""
        done = self.run("virsh", "-c", "qemu:///system", "domstate", name, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
        assert "failed to get domain" in done.stderr or "Domain not found" in done.stderr, done.stderr
        return "absent"

    def end_guests(self):
        """Whatever a test left: no domain, no process, no definition, no state file."""
        for name in self.virsh("list", "--name").split():
            self.virsh("destroy", name, check=False)
        for name in self.virsh("list", "--name", "--all").split():
            self.virsh("managedsave-remove", name, check=False)
            self.virsh("undefine", name, "--nvram", check=False)
        self.run("bash", "-c", "rm -rf /run/native-agents")


def join(one, other, addresses):
    """A cable between two nodes."""
    run("ip", "link", "add", "eth0", "netns", str(one.pid), "type", "veth", "peer", "name", "eth0",
        "netns", str(other.pid))
    for node, address in zip((one, other), addresses):
        node.run("ip", "address", "add", f"{address}/24", "dev", "eth0")
        node.run("ip", "link", "set", "eth0", "up")


def build_guest(directory):
    run(TREE / "tests/guest/build-guest", directory)


DOMAIN = """\
<domain type="qemu">
  <name>{name}</name>
  {uuid}
  <memory unit="MiB">96</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch="x86_64" machine="pc">hvm</type>
    <kernel>{boot}/vmlinuz</kernel>
    <initrd>{boot}/initramfs</initrd>
    <cmdline>console=ttyS0 quiet guest.name=test {options}</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode="custom" match="exact"><model>qemu64</model></cpu>
  <on_poweroff>destroy</on_poweroff>
  <on_crash>{on_crash}</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    {devices}
    <serial type="file"><source path="{console}" append="on"/><target port="0"/></serial>
    <panic model="isa"/>
    <memballoon model="none"/>
  </devices>
</domain>
"""

DISK = ('<disk type="file" device="disk"><driver name="qemu" type="raw" cache="none"/>'
        '<source file="{path}"/><target dev="{target}" bus="virtio"/><shareable/></disk>')


class Guest:
    """A domain XML file and what the guest says on its console."""

    def __init__(self, directory, boot, name="guest1", options="", with_uuid=True, devices="",
                 on_crash="destroy"):
        self.name = name
        self.uuid = str(uuid.uuid4())
        self.directory = Path(directory)
        self.console = self.directory / f"{name}.console"
        self.config = self.directory / f"{name}.xml"
        self.config.write_text(DOMAIN.format(
            name=name, uuid=f"<uuid>{self.uuid}</uuid>" if with_uuid else "", boot=boot,
            options=options, devices=devices, console=self.console, on_crash=on_crash))

    def edit(self, old, new):
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))

    def wait_up(self, seconds=60):
        """Until its init has started everything, the handler of the power button too."""
        wait_until(lambda: self.console.exists() and " up: " in self.console.read_text(errors="replace"),
                   seconds, f"{self.name} has booted")


def disk(path, target="vda", size_bytes=4 * 1024 * 1024):
    with open(path, "wb") as image:
        image.truncate(size_bytes)
    return DISK.format(path=path, target=target)
