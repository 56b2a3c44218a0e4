"""Real Postfix hosts with certificates of every kind, and signed zones that say what theirs should be.

One host for each kind of certificate serves all cases of that kind, on one port and an address of its own. A case is a
recipient domain with one MX host; where both are is a matter of the zones.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.core.grade import Grade
from tests.e2e.trusted_certificates import Certificates, Shown
from tests.fakes.ports import free_port
from tests.peers.postfix import Postfix, Service, postfix
from tests.peers.signed_dns import Chain, Zone
from tests.peers.unbound import loopback_network

SIGNED, PLAIN, EXPIRED = "signed.example", "plain.example", "expired.example"
NEXT_HOP = "next-hop.signed.example"

_LOOK = "helo=1 quit=1 commands=2"

ZONES = {SIGNED: Chain.SIGNED, PLAIN: Chain.UNSIGNED, EXPIRED: Chain.EXPIRED}


@dataclass(frozen=True, slots=True)
class Case:
    """``domain`` has the MX host ``host``. ``tlsa`` are records as ``3 1 1 leaf``, ``leaf`` being whose data it is.

    ``forged`` are such records that were added after signing. ``alias`` is the name in the MX record, a CNAME of host.
    ``grade`` is what a delivery without any demand of ours has, None where it has to wait.
    """

    name: str
    shown: Shown
    grade: Grade | None
    tlsa: Sequence[str] = ()
    forged: Sequence[str] = ()
    domain_in: str = SIGNED
    host_in: str = SIGNED
    alias_in: str = ""
    tlsa_at_alias: bool = False

    @property
    def domain(self) -> str:
        return f"{self.name}.{self.domain_in}"

    @property
    def host(self) -> str:
        return f"mx.{self.name}.{self.host_in}"

    @property
    def alias(self) -> str:
        return f"alias.{self.name}.{self.alias_in}" if self.alias_in else ""

    @property
    def base(self) -> str:
        """The TLSA base domain."""
        return self.alias if self.tlsa_at_alias else self.host


@dataclass(frozen=True, slots=True)
class MailHosts:
    """The running hosts; ``port`` is the same for all, as it is for a client."""

    network: str
    port: int
    certificates: Certificates
    postfix: Postfix

    def address(self, shown: Shown) -> str:
        return f"{self.network}.{shown.value}"

    def zones(self, cases: Sequence[Case], also: Sequence[str] = ()) -> list[Zone]:
        """The zones of the cases; ``also`` are more lines of a zone file, with absolute names."""
        lines = [line for case in cases for line in self._records(case)] + list(also)
        forged = [line for case in cases for line in self._tlsa(case, case.forged)]
        return [
            Zone(name=name, records=_in_zone(lines, name), chain=chain, forged=_in_zone(forged, name))
            for name, chain in ZONES.items()
        ]

    def _records(self, case: Case) -> list[str]:
        alias = [f"{case.alias}. CNAME {case.host}."] if case.alias else []
        mx = f"{case.domain}. MX 10 {case.alias or case.host}."
        return [mx, f"{case.host}. A {self.address(case.shown)}", *alias, *self._tlsa(case, case.tlsa)]

    def _tlsa(self, case: Case, texts: Sequence[str]) -> list[str]:
        owner = f"_{self.port}._tcp.{case.base}."
        return [f"{owner} TLSA {self.certificates.record(text, case.shown)}" for text in texts]

    async def arrived(self, token: str) -> None:
        """Waits until the message with that token was recorded."""
        await _until(lambda: any(b"X-Token: %s\n" % token.encode() in mail for mail in self.postfix.mail()))

    async def sessions(self, shown: Shown) -> list[str]:
        """What was said in each session with a host, as ``ehlo=2 starttls=1 mail=1 …``, once all of them have ended."""
        looks = self._looks(shown)
        reader, writer = await asyncio.open_connection(self.address(shown), self.port)
        writer.write(b"HELO look\r\nQUIT\r\n")
        await reader.read()
        writer.close()
        # The log keeps the order of what happened: with this session of ours, all before it are in it.
        await _until(lambda: self._looks(shown) > looks and self._all_ended(shown))
        return [said for said in self._ended(shown) if said != _LOOK]

    def _looks(self, shown: Shown) -> int:
        return self._ended(shown).count(_LOOK)

    def _all_ended(self, shown: Shown) -> bool:
        return len(self._logged(shown, "connect from")) == len(self._ended(shown))

    def _ended(self, shown: Shown) -> list[str]:
        return [line.partition("] ")[2] for line in self._logged(shown, "disconnect from")]

    def _logged(self, shown: Shown, what: str) -> list[str]:
        pattern = re.compile(rf"{shown.name.lower()}/smtpd\[\d+\]: {what} (.*)")
        return pattern.findall(self.postfix.log())


async def _until(condition: Callable[[], bool]) -> None:
    """Postfix tells of what it did in files only."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def _in_zone(lines: Sequence[str], zone: str) -> list[str]:
    return [line for line in lines if line.partition(" ")[0].endswith(f".{zone}.")]


def _names(cases: Sequence[Case], shown: Shown) -> list[str]:
    return [case.base for case in cases if case.shown is shown] or [f"mx.unused.{SIGNED}"]


@contextlib.contextmanager
def mail_hosts(folder: Path, cases: Sequence[Case]) -> Generator[MailHosts]:
    """Starts a host for each kind of certificate."""
    certificates = Certificates(folder, lambda shown: _names(cases, shown), NEXT_HOP)
    network, port = loopback_network(), free_port()
    services = [
        Service(port=port, address=f"{network}.{shown.value}", options=_options(shown, certificates)) for shown in Shown
    ]
    with postfix("mx.example", services, ("default_transport = record:",)) as running:
        yield MailHosts(network, port, certificates, running)


def _options(shown: Shown, certificates: Certificates) -> tuple[str, ...]:
    name = f"syslog_name={shown.name.lower()}"
    if shown is Shown.NO_TLS:
        return (name, "smtpd_tls_security_level=none")
    chain = f"smtpd_tls_chain_files={certificates.file(shown)}"
    return (name, "smtpd_tls_security_level=may", "smtpd_tls_received_header=yes", chain)
