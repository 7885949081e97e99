# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs a node: the configuration that an administrator would have put on its disk."""

import os
import shutil
import uuid
from pathlib import Path

from . import plan

INIT = Path(__file__).resolve().parent.parent / "node-init"


def install(root, node, count, pki):
    """Configure the machine whose root file system is ROOT to be NODE, one of COUNT."""
    root = Path(root)
    members = plan.nodes(count)
    _forget_the_host(root)
    write(root, "etc/hostname", f"{node.name}\n")
    write(root, "etc/hosts", hosts(members))
    write(root, "etc/corosync/corosync.conf", corosync_conf(members))
    install_file(plan.WORLD / "authkey", root / "etc/corosync/authkey", 0o400)
    _pacemaker_directories(root)
    _libvirt(root, node, members)
    _certificates(root, node, Path(pki))
    install_file(INIT, root / "sbin/lab-init", 0o755)


def write(root, name, text, mode=0o644):
    path = Path(root) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def install_file(source, target, mode):
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(Path(source).read_bytes())
    target.chmod(mode)


def _forget_the_host(root):
    """Drop what a cluster daemon that once ran on the host itself would have left: identities above all."""
    for place in ("var/lib/glusterd", "var/lib/corosync", "var/lib/pacemaker", "var/log/pacemaker",
                  "var/log/glusterfs", "var/lib/libvirt/qemu", "etc/libvirt/qemu"):
        directory = root / place
        for entry in directory.iterdir() if directory.is_dir() else ():
            # Shipped by the package, and read by glusterd at every volume operation.
            if entry.name in ("hooks", "groups"):
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    (root / "etc/corosync/uidgid.d").mkdir(parents=True, exist_ok=True)
    for directory in ("var/lib/corosync", "var/log/corosync", "var/log/glusterfs", "etc/libvirt/qemu",
                      "var/lib/glusterd", "datos"):
        (root / directory).mkdir(parents=True, exist_ok=True)


def _pacemaker_directories(root):
    for name in ("cib", "pengine", "cores", "blackbox"):
        directory = root / "var/lib/pacemaker" / name
        directory.mkdir(parents=True, exist_ok=True)
        shutil.chown(directory, "hacluster", "haclient")
        directory.chmod(0o750)
    log = root / "var/log/pacemaker"
    log.mkdir(parents=True, exist_ok=True)
    shutil.chown(log, "hacluster", "haclient")
    log.chmod(0o770)


def hosts(members):
    """Every node knows every node, by both names, without a name server."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    # The full name first: libvirt tells a migration's source the canonical name as the data connection's target.
    lines += [f"{node.address} {node.fqdn} {node.name}" for node in members]
    lines += [f"{node.bmc_address} bmc{node.number:02}.{plan.DOMAIN} bmc{node.number:02}" for node in members]
    return "\n".join(lines) + "\n"


def corosync_conf(members):
    """Encrypted knet; all timing left at corosync's defaults, so that detection takes what it takes."""
    text = f"""totem {{
    version: 2
    cluster_name: {plan.CLUSTER}
    transport: knet
    crypto_cipher: aes256
    crypto_hash: sha256
}}

quorum {{
    provider: corosync_votequorum
}}

logging {{
    to_logfile: yes
    logfile: /var/log/corosync/corosync.log
    to_syslog: no
    to_stderr: no
    timestamp: hires
}}

nodelist {{
"""
    for node in members:
        text += f"    node {{\n        ring0_addr: {node.address}\n        name: {node.name}\n"
        text += f"        nodeid: {node.number}\n    }}\n"
    return text + "}\n"


def _libvirt(root, node, members):
    allowed = ", ".join(f'"CN={member.fqdn}"' for member in members)
    host_uuid = uuid.uuid5(uuid.NAMESPACE_DNS, node.fqdn)
    write(root, "etc/libvirt/libvirtd.conf", f"""listen_tls = 1
listen_tcp = 0
auth_unix_ro = "none"
auth_unix_rw = "none"
auth_tls = "none"
# All nodes share one board; migration wants hosts that differ.
host_uuid = "{host_uuid}"
tls_allowed_dn_list = [ {allowed} ]
log_outputs = "2:file:/var/log/libvirt/libvirtd.log"
""")
    write(root, "etc/libvirt/qemu.conf", """stdio_handler = "file"
security_driver = "none"
user = "root"
group = "root"
namespaces = []
cgroup_controllers = []
default_tls_x509_cert_dir = "/etc/pki/qemu"
default_tls_x509_verify = 1
""")
    for directory in ("var/log/libvirt/qemu", "var/lib/libvirt/qemu"):
        (root / directory).mkdir(parents=True, exist_ok=True)


def _certificates(root, node, pki):
    authority = pki / "ca-cert.pem"
    certificate, key = pki / f"{node.fqdn}-cert.pem", pki / f"{node.fqdn}-key.pem"
    install_file(authority, root / "etc/pki/CA/cacert.pem", 0o644)
    install_file(authority, root / "etc/pki/qemu/ca-cert.pem", 0o644)
    for side in ("server", "client"):
        install_file(certificate, root / f"etc/pki/libvirt/{side}cert.pem", 0o644)
        install_file(key, root / f"etc/pki/libvirt/private/{side}key.pem", 0o600)
        install_file(certificate, root / f"etc/pki/qemu/{side}-cert.pem", 0o644)
        install_file(key, root / f"etc/pki/qemu/{side}-key.pem", 0o600)


def make_authkey():
    """The secret that corosync's members share."""
    path = plan.WORLD / "authkey"
    path.write_bytes(os.urandom(256))
    path.chmod(0o400)
