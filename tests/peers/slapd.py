"""A real directory (OpenLDAP's slapd) on a loopback port, with entries that have certificates."""

import base64
import shutil
import socket
import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.ports import free_ports

BASE = "ou=people,dc=partner,dc=example"
ADMIN, PASSWORD = "cn=gateway,dc=partner,dc=example", "the-bind-password"


@dataclass(frozen=True, slots=True)
class Directory:
    """Where it listens."""

    plain: int
    tls: int


@contextmanager
def slapd(
    folder: Path, people: Mapping[str, Mapping[str, bytes]], certificate: Path, anonymous: bool = True
) -> Generator[Directory]:
    """By address the binary attributes of each entry. ``certificate`` holds the server's chain and key."""
    (folder / "data").mkdir()
    (folder / "slapd.conf").write_text(_CONFIG.format(
        folder=folder, base="dc=partner,dc=example", admin=ADMIN, password=PASSWORD, certificate=certificate,
        access="read" if anonymous else "auth",
    ))  # fmt: skip
    (folder / "people.ldif").write_text(_ldif(people))
    arguments = ["-f", str(folder / "slapd.conf")]
    subprocess.run([_path("slapadd"), *arguments, "-l", folder / "people.ldif"], check=True, timeout=30)
    at = Directory(*free_ports(2))
    urls = f"ldap://127.0.0.1:{at.plain}/ ldaps://127.0.0.1:{at.tls}/"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([_path("slapd"), *arguments, "-h", urls, "-d", "0"], stderr=log)
        try:
            _await(at.plain, process, folder / "log")
            yield at
        finally:
            process.terminate()
            process.wait(10)


def _path(name: str) -> str:
    return shutil.which(name, path="/usr/sbin:/usr/bin:/usr/lib/openldap") or name


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("slapd does not listen")


def _ldif(people: Mapping[str, Mapping[str, bytes]]) -> str:
    entries = [
        "dn: dc=partner,dc=example\nobjectClass: dcObject\nobjectClass: organization\ndc: partner\no: Partner\n",
        f"dn: {BASE}\nobjectClass: organizationalUnit\nou: people\n",
    ]
    for number, (address, attributes) in enumerate(people.items()):
        lines = [f"dn: cn=person {number},{BASE}", "objectClass: inetOrgPerson", f"cn: person {number}", "sn: Person"]
        lines.append(f"mail:: {base64.b64encode(address.encode()).decode()}")
        lines += [f"{name}:: {base64.b64encode(value).decode()}" for name, value in attributes.items()]
        entries.append("\n".join(lines) + "\n")
    return "\n".join(entries)


_CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/pid
TLSCertificateFile {certificate}
TLSCertificateKeyFile {certificate}
database mdb
maxsize 10485760
suffix "{base}"
directory {folder}/data
rootdn "{admin}"
rootpw {password}
access to * by users read by * {access}
"""
