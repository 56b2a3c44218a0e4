"""A real name server (NSD) with zones of the test's own, signed from their own root down (RFC 4033 to 4035).

Zones are signed here, by dnspython, so that they can be wrong in one way each. Left out on purpose: changing a zone
while the server runs (start another one) and NSEC3.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from pathlib import Path

import dns.dnssec
import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec
from dns.rdtypes.ANY.DNSKEY import DNSKEY

from tests.fakes.ports import free_port

NSD_CONF = """\
server:
  ip-address: 127.0.0.1@{port}
  do-ip6: no
  username: ""
  chroot: ""
  database: ""
  zonesdir: "{root}"
  zonelistfile: "{root}/zone.list"
  xfrdfile: "{root}/xfrd.state"
  xfrdir: "{root}"
  pidfile: "{root}/nsd.pid"
  logfile: "{root}/log"
  server-count: 1
remote-control:
  control-enable: no
{zones}
"""

ZONE = """\
$TTL 60
@ SOA ns. hostmaster.example. 1 3600 600 86400 60
@ NS ns.
"""


class Chain(Enum):
    """What a validating resolver makes of a zone."""

    SIGNED = auto()
    UNSIGNED = auto()
    """Its parent proves that it is not signed: insecure."""
    EXPIRED = auto()
    """Signed, and the signatures ran out: bogus."""
    WRONG_KEY = auto()
    """Signed, and its parent names another key: bogus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A zone below the root or another zone. ``records`` are lines of a zone file, with names relative to it.

    ``forged`` are added after it was signed, so that only what they stand beside is bogus.
    """

    name: str
    records: Sequence[str]
    chain: Chain = Chain.SIGNED
    forged: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class NameServer:
    """``anchor`` is the root's key as a resolver's trust anchor; ``names`` are the zones, the root first."""

    port: int
    anchor: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Key:
    private: ec.EllipticCurvePrivateKey
    public: DNSKEY

    @classmethod
    def new(cls) -> "_Key":
        private = ec.generate_private_key(ec.SECP256R1())
        return cls(private, dns.dnssec.make_dnskey(private.public_key(), "ECDSAP256SHA256", flags=257))


class _Signer:
    """Writes the zones of one server, each with the records that delegate to its children."""

    def __init__(self, zones: Sequence[Zone]) -> None:
        self._zones = {dns.name.from_text(zone.name): zone for zone in zones}
        self._keys = {name: _Key.new() for name in (dns.name.root, *self._zones)}

    @property
    def anchor(self) -> str:
        return f". DNSKEY {self._keys[dns.name.root].public}"

    def write(self, folder: Path) -> tuple[str, ...]:
        root = Zone(name=".", records=("ns. A 127.0.0.1",))
        for number, (name, zone) in enumerate([(dns.name.root, root), *self._zones.items()]):
            (folder / f"{number}.zone").write_text(self._text(name, zone))
        return tuple(map(str, (dns.name.root, *self._zones)))

    def _text(self, name: dns.name.Name, zone: Zone) -> str:
        lines = (*zone.records, *self._delegations(name))
        built = dns.zone.from_text(ZONE + "\n".join(lines), origin=name, relativize=False)
        if zone.chain is not Chain.UNSIGNED:
            self._sign(name, built, expired=zone.chain is Chain.EXPIRED)
        return "\n".join((f"$ORIGIN {name}", built.to_text(relativize=False), *zone.forged, ""))

    def _sign(self, name: dns.name.Name, zone: dns.zone.Zone, *, expired: bool) -> None:
        key, now = self._keys[name], datetime.now(UTC)
        # Validators overlook a day, for clocks that are wrong.
        ends = now - timedelta(days=10) if expired else now + timedelta(days=30)
        dns.dnssec.sign_zone(
            zone, keys=[(key.private, key.public)], inception=ends - timedelta(days=60), expiration=ends
        )

    def _delegations(self, parent: dns.name.Name) -> list[str]:
        lines: list[str] = []
        for name, zone in self._zones.items():
            if self._parent(name) != parent:
                continue
            lines.append(f"{name} NS ns.")
            if zone.chain is not Chain.UNSIGNED:
                key = _Key.new() if zone.chain is Chain.WRONG_KEY else self._keys[name]
                lines.append(f"{name} DS {dns.dnssec.make_ds(name, key.public, 'SHA256')}")
        return lines

    def _parent(self, name: dns.name.Name) -> dns.name.Name:
        above = [other for other in self._zones if other != name and name.is_subdomain(other)]
        return max(above, key=len, default=dns.name.root)


@contextlib.contextmanager
def name_server(zones: Sequence[Zone]) -> Generator[NameServer]:
    """Signs the zones and serves them, until the end of the block."""
    port = free_port()
    signer = _Signer(zones)
    with scratch_folder("nsd") as root:
        names = signer.write(root)
        parts = [f"zone:\n  name: {name}\n  zonefile: {number}.zone" for number, name in enumerate(names)]
        (root / "nsd.conf").write_text(NSD_CONF.format(root=root, port=port, zones="\n".join(parts)))
        with daemon(["/usr/sbin/nsd", "-d", "-c", str(root / "nsd.conf")], root / "log", lambda: answers(port)):
            yield NameServer(port, signer.anchor, names)


@contextlib.contextmanager
def scratch_folder(name: str) -> Generator[Path]:
    """A folder outside pytest's own, which other users may walk into."""
    root = Path(tempfile.mkdtemp(prefix=f"sealpost-{name}-"))
    root.chmod(0o755)
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextlib.contextmanager
def daemon(command: Sequence[str], log: Path, ready: Callable[[], bool]) -> Generator[None]:
    """Runs a program in the foreground of its own session, waits until it is ready, and ends all of it."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, start_new_session=True, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        give_up = time.monotonic() + 10
        while not ready():
            if process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"{command[0]} did not start: {log.read_text(errors='replace')}")
            time.sleep(0.02)
        yield
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, 15)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, 9)
    process.wait(5)


def answers(port: int) -> bool:
    """Whether something answers DNS there about the root."""
    question = dns.message.make_query(dns.name.root, dns.rdatatype.SOA)
    try:
        return bool(dns.query.udp(question, "127.0.0.1", timeout=0.1, port=port).answer)
    except (OSError, dns.exception.DNSException):
        return False
