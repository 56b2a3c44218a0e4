"""A real Postfix that asks the policy server: it delivers nowhere that the gateway would not, and waits without it."""

import asyncio
import contextlib
import re
import shutil
import smtplib
import ssl
import subprocess
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.core.grade import Grade
from gateway.sandbox.credentials import Credentials
from gateway.sandbox.household import Household, Ports
from tests.cli.policy_server import PolicyServer, policy_server
from tests.e2e.trusted_cases import CASES
from tests.e2e.trusted_certificates import Shown
from tests.e2e.trusted_hosts import NEXT_HOP, PLAIN, SIGNED, Case, MailHosts, mail_hosts
from tests.fakes.ports import free_port, free_ports
from tests.peers.https_host import https_host
from tests.peers.postfix import Postfix, Service, postfix
from tests.peers.signed_dns import name_server, scratch_folder
from tests.peers.unbound import Unbound, unbound

pytestmark = [pytest.mark.peer(name) for name in ("postfix", "nsd", "unbound", "root")]


def unsigned(name: str, shown: Shown, grade: Grade | None) -> Case:
    return Case(name, shown, grade, domain_in=PLAIN, host_in=PLAIN)


STS_GOOD = unsigned("sts-good", Shown.GOOD, Grade.MTA_STS)
STS_BAD = unsigned("sts-bad", Shown.SELF_SIGNED, None)
STS = (STS_GOOD, STS_BAD)
"""Each names its host in a policy in force; the second one's certificate is signed by itself."""

KEY, OTHER_KEY = (
    unsigned("pinned-key", Shown.SELF_SIGNED, Grade.PINNED),
    unsigned("pinned-other-key", Shown.GOOD, None),
)
AUTHORITY, OTHER_AUTHORITY = (
    unsigned("pinned-authority", Shown.DEEP, Grade.VERIFIED),
    unsigned("pinned-other-authority", Shown.GOOD, None),
)
NAME, OTHER_NAME = (
    unsigned("pinned-name", Shown.ELSEWHERE, Grade.PINNED),
    unsigned("pinned-other-name", Shown.GOOD, None),
)
ALL = (*CASES, *STS, KEY, OTHER_KEY, AUTHORITY, OTHER_AUTHORITY, NAME, OTHER_NAME)

CHECKED, ENCRYPTED = f"none.{SIGNED}", f"none-without-tls.{SIGNED}"
PARTNERS = f"name,members,tls\nTrust,{CHECKED},verified\nOffice,{ENCRYPTED},encrypted\nRelay,{STS_GOOD.host},verified\n"
STRICTER = (CHECKED, ENCRYPTED)
"""Our partners, whose hosts do not give what the register demands."""

WAITS = "client TLS configuration problem"
"""What Postfix says of a table that gives no answer."""

STATUS = re.compile(r": to=<anna@([^>]+)>.* status=(\w+) \((.*)\)")


def policy_of(case: Case) -> str:
    return f"version: STSv1\nmode: enforce\nmax_age: 86400\nmx: {case.host}\n"


def published(hosts: MailHosts) -> list[str]:
    """The records of those who have a policy, each with a policy host of its own."""
    lines: list[str] = []
    for number, case in enumerate(STS, 20):
        lines.append(f'_mta-sts.{case.domain}. TXT "v=STSv1; id=1;"')
        lines.append(f"mta-sts.{case.domain}. A {hosts.network}.{number}")
    return lines


@contextmanager
def policy_hosts(hosts: MailHosts, folder: Path) -> Generator[None]:
    with contextlib.ExitStack() as stack:
        for number, case in enumerate(STS, 20):
            name = f"mta-sts.{case.domain}"
            certificate = folder / f"{name}.pem"
            shutil.copy(hosts.certificates.web(name), certificate)
            policies = {name: policy_of(case)}
            stack.enter_context(https_host(certificate, f"{hosts.network}.{number}", policies=policies))
        yield


@dataclass(frozen=True)
class Lab:
    """All that runs for this file but Postfix and the policy server."""

    hosts: MailHosts
    resolver: Unbound
    config: Path


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Generator[Lab]:
    folder: Path = tmp_path_factory.mktemp("policies")
    with (
        scratch_folder("authorities") as shared,
        mail_hosts(folder, ALL) as hosts,
        policy_hosts(hosts, folder),
        name_server(hosts.zones(ALL, published(hosts))) as server,
        unbound(server) as resolver,
    ):
        yield Lab(hosts, resolver, configured(folder / "data", shared, hosts, resolver))


def configured(folder: Path, shared: Path, hosts: MailHosts, resolver: Unbound) -> Path:
    """The sandbox's configuration, for these hosts and this resolver."""
    household = Household(folder)
    household.create()
    smtp, admin, unused = free_ports(3)
    ports = Ports(smtp=smtp, admin=admin, inbox=0, dns=unused, mx=hosts.port)
    household.furnish(ports, Credentials(household.certificates))
    (folder / "partners.csv").write_text(PARTNERS)
    replace_in(household.policy, "[organisation]", '[registers]\npartners = "partners.csv"\n\n[organisation]')
    trusting = f'nameservers = ["{resolver.nameserver}"]\ntrust_ad = true'
    replace_in(household.config, f'nameservers = ["127.0.0.1:{unused}"]', trusting)
    # Postfix reads it by itself, as a user who may not look into our folder.
    root = shared / "root.pem"
    root.write_bytes(hosts.certificates.root.certificate.public_bytes(Encoding.PEM))
    replace_in(household.config, "[mx]", f"{pins(hosts, root)}\n[mx]")
    replace_in(household.config, 'ca = "certs/ca.pem"', f'ca = "{hosts.certificates.ca}"')
    return household.config


def pins(hosts: MailHosts, root: Path) -> str:
    """What we demand of some of them; the first of each pair shows it, the second does not."""
    key = hosts.certificates.record("3 1 1 leaf", KEY.shown).split()[-1]
    parts = {
        (KEY, OTHER_KEY): f'grade = "pinned"\nfingerprints = ["sha256:{key}"]',
        (AUTHORITY, OTHER_AUTHORITY): f'grade = "verified"\nca = "{root}"',
        (NAME, OTHER_NAME): f'grade = "verified"\nmatch_names = ["{NEXT_HOP}"]',
    }
    return "\n".join(
        f'[[tls.pins]]\nname = "{case.name}"\ndomains = ["{case.domain}"]\n{part}'
        for pair, part in parts.items()
        for case in pair
    )


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@asynccontextmanager
async def server(lab: Lab, port: int) -> AsyncGenerator[PolicyServer]:
    async with policy_server(lab.config, f"127.0.0.1:{port}") as running:
        yield running


@contextmanager
def sender(lab: Lab, table: str, *extra: str) -> Generator[Postfix]:
    """A Postfix that delivers by itself. Its own level is the weakest, so that what protects is what we say."""
    settings = (
        f"smtp_tls_policy_maps = {table}",
        "smtp_tls_security_level = may",
        "smtp_dns_support_level = dnssec",
        f"smtp_tls_CAfile = {lab.hosts.certificates.ca}",
        f"smtp_tcp_port = {lab.hosts.port}",
        "smtp_tls_loglevel = 1",
        *extra,
    )
    with postfix(
        "out.council.example", [Service(port=free_port())], settings, resolver=lab.resolver.system
    ) as instance:
        yield instance


def submit(instance: Postfix, domains: Iterable[str]) -> None:
    with smtplib.SMTP("127.0.0.1", instance.services[0].port, timeout=30) as client:
        content = b"From: <a@council.example>\r\nSubject: x\r\n\r\ntext\r\n"
        assert client.sendmail("a@council.example", [f"anna@{domain}" for domain in domains], content) == {}


async def ended(instance: Postfix, domains: Sequence[str], *, status: str = "") -> Mapping[str, str]:
    """Waits until Postfix has said what came of each; what it said last, such as ``sent 250 2.0.0 Ok``."""
    async with asyncio.timeout(50):
        while True:
            found = {domain: f"{word} {text}" for domain, word, text in STATUS.findall(instance.log())}
            if all(found.get(domain, "").startswith(status or ("sent", "deferred", "bounced")) for domain in domains):
                return found
            await asyncio.sleep(0.05)


def is_told(case: Case) -> bool:
    """Whether Postfix can be told of the records of a host whose domain is not signed: only of whole SHA-256 keys."""
    return case.domain_in == SIGNED or not case.tlsa or case.tlsa[0].startswith("3")


async def test_postfix_sends_where_the_gateway_would_and_nowhere_else(lab: Lab) -> None:
    cases = {case.domain: case for case in ALL}
    async with server(lab, free_port()) as running:
        with sender(lab, running.map) as instance:
            await asyncio.to_thread(submit, instance, cases)
            said = await ended(instance, list(cases))
    sent = {domain for domain, text in said.items() if text.startswith("sent")}
    allowed = {domain for domain, case in cases.items() if case.grade is not None and domain not in STRICTER}
    assert sent - allowed == set()
    assert {domain: said[domain] for domain in allowed - sent if is_told(cases[domain])} == {}
    assert all(text.startswith(("sent", "deferred")) for text in said.values()), said
    arrived = b"".join(lab.hosts.postfix.mail())
    assert all((b"anna@%s" % domain.encode() in arrived) is (domain in sent) for domain in cases)


async def test_each_entry_is_what_postmap_finds(lab: Lab, tmp_path: Path) -> None:
    domains = {
        f"ee-key.{SIGNED}": "dane-only",
        STS_GOOD.domain: f"secure match={STS_GOOD.host} servername=hostname",
        CHECKED: f"secure match=mx.{CHECKED} servername=hostname",
        ENCRYPTED: "encrypt",
        f"unusable-usage.{SIGNED}": "encrypt",
    }
    async with policy_server(lab.config, f"unix:{tmp_path / 'tls-policy'}") as running:
        for domain, entry in domains.items():
            assert await postmap(running.map, domain) == (0, f"{entry} protocols=>=TLSv1.2\n", "")
        assert await postmap(running.map, f"unsigned-host.{SIGNED}") == (1, "", "")
        code, out, err = await postmap(running.map, f"forged-records.{SIGNED}")
        assert (code, out) == (1, "")
        assert "could not be looked up" in err


async def postmap(table: str, key: str) -> tuple[int, str, str]:
    done = await asyncio.to_thread(
        subprocess.run, ["/usr/sbin/postmap", "-q", key, table], capture_output=True, text=True, timeout=30, check=False
    )
    return done.returncode, done.stdout, done.stderr


async def test_without_its_answers_postfix_keeps_the_mail_and_sends_it_when_they_are_back(lab: Lab) -> None:
    """By a path below the queue's folder, which a process in its chroot finds too."""
    demanded, free, later = f"ee-certificate.{SIGNED}", f"unsigned-host.{SIGNED}", f"ee-key.{SIGNED}"
    before = len(lab.hosts.postfix.mail())
    with sender(lab, "socketmap:unix:sealpost/tls:tls") as instance:
        folder = instance.root / "queue" / "sealpost"
        folder.mkdir(mode=0o755)
        async with policy_server(lab.config, f"unix:{folder / 'tls'}"):
            await asyncio.to_thread(submit, instance, [later])
            await ended(instance, [later], status="sent")
        # It was killed, and left its socket.
        assert (folder / "tls").is_socket()
        await asyncio.to_thread(submit, instance, [demanded, free])
        said = await ended(instance, [demanded, free], status="deferred")
        assert WAITS in said[demanded]
        assert WAITS in said[free]
        assert len(lab.hosts.postfix.mail()) == before + 1
        async with policy_server(lab.config, f"unix:{folder / 'tls'}"):
            command = ["/usr/sbin/postqueue", "-c", instance.root / "etc", "-f"]
            await asyncio.to_thread(subprocess.run, command, check=True, timeout=30)
            await ended(instance, [demanded, free], status="sent")
    assert len(lab.hosts.postfix.mail()) == before + 3


@asynccontextmanager
async def listening_for_a_name(lab: Lab, address: str) -> AsyncGenerator[tuple[int, asyncio.Future[str | None]]]:
    """A host that goes as far as the handshake; its port, and the name that it is asked for there."""
    asked: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(lab.hosts.certificates.file(Shown.GOOD))
    context.sni_callback = lambda _socket, name, _context: asked.set_result(name) if not asked.done() else None

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            writer.write(b"220 mx ESMTP\r\n")
            await reader.readline()
            writer.write(b"250-mx\r\n250 STARTTLS\r\n")
            await reader.readline()
            writer.write(b"220 go\r\n")
            await writer.start_tls(context)
        writer.close()

    async with await asyncio.start_server(meet, address, 0) as running:
        yield running.sockets[0].getsockname()[1], asked


async def test_a_relay_in_brackets_has_an_entry_of_its_own_and_is_asked_for_its_name(lab: Lab) -> None:
    async with (
        listening_for_a_name(lab, lab.hosts.address(Shown.GOOD)) as (port, asked),
        server(lab, free_port()) as running,
    ):
        relay = f"[{STS_GOOD.host}]:{port}"
        with sender(lab, running.map, f"relayhost = {relay}") as instance:
            await asyncio.to_thread(submit, instance, ["anywhere.example"])
            assert await asyncio.wait_for(asked, 30) == STS_GOOD.host
        told = await running.heard("tls policy")
        assert told["next_hop"] == relay
        assert str(told["entry"]).startswith(f"secure match={STS_GOOD.host} ")
