# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's certificate authority: one certificate per node, for libvirt's control and QEMU's data connections."""

import subprocess
from pathlib import Path

from . import plan

VALID_DAYS = "30"


def _openssl(*arguments, text=None):
    subprocess.run(["openssl", *map(str, arguments)], input=text, text=True, check=True, capture_output=True)


def _new_key(path):
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
    Path(path).chmod(0o600)


def create_authority(directory):
    """Make DIRECTORY with ca-key.pem and ca-cert.pem."""
    directory = Path(directory)
    directory.mkdir(parents=True)
    key, certificate = directory / "ca-key.pem", directory / "ca-cert.pem"
    _new_key(key)
    _openssl(
        "req", "-x509", "-new", "-key", key, "-out", certificate, "-days", VALID_DAYS,
        "-subj", f"/CN={plan.CLUSTER} lab CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
    )


def issue(directory, name, alternatives=()):
    """Issue NAME-key.pem and NAME-cert.pem in DIRECTORY, signed by its authority, for client and server.

    NAME becomes the whole distinguished name, as in `CN=NAME`; ALTERNATIVES are subjectAltName entries.
    """
    directory = Path(directory)
    key, certificate = directory / f"{name}-key.pem", directory / f"{name}-cert.pem"
    request, extensions = directory / f"{name}.csr", directory / f"{name}.ext"
    _new_key(key)
    lines = ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature,keyEncipherment",
             "extendedKeyUsage=serverAuth,clientAuth"]
    if alternatives:
        lines.append("subjectAltName=" + ",".join(alternatives))
    extensions.write_text("\n".join(lines) + "\n")
    _openssl("req", "-new", "-key", key, "-out", request, "-subj", f"/CN={name}")
    _openssl(
        "x509", "-req", "-in", request, "-CA", directory / "ca-cert.pem", "-CAkey", directory / "ca-key.pem",
        "-CAcreateserial", "-days", VALID_DAYS, "-extfile", extensions, "-out", certificate,
    )
    request.unlink()
    extensions.unlink()


def issue_for_node(directory, node):
    """A node's certificate carries both its names and its address."""
    issue(directory, node.fqdn, (f"DNS:{node.fqdn}", f"DNS:{node.name}", f"IP:{node.address}"))


def client_directory(directory, name, target):
    """Lay out TARGET so that libvirt's `?pkipath=TARGET` makes a client be NAME (issued before)."""
    directory, target = Path(directory), Path(target)
    target.mkdir(parents=True, exist_ok=True)
    for source, wanted in (("ca-cert", "cacert"), (f"{name}-cert", "clientcert"), (f"{name}-key", "clientkey")):
        (target / f"{wanted}.pem").write_bytes((directory / f"{source}.pem").read_bytes())
    return target
