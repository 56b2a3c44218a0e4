"""Real mail servers and a real client around the gateway: what they saw, and what they make of it."""

import asyncio
import contextlib
import secrets
import smtplib
import subprocess
from collections.abc import AsyncGenerator, Generator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import Message
from pathlib import Path

import pytest
from flufl.bounce import all_failures

from gateway.core.outcome import Declined, Deferred, Proof
from gateway.core.record import EventKind, State
from gateway.sandbox.arrival import Arrival
from gateway.sandbox.authority import Credential, Validity, issue, make_authority, self_signed, write_secret
from gateway.sandbox.behaviour import EXTENSIONS
from tests.e2e.postfix_hosts import content_of, header_of, mail_server, received, relay
from tests.e2e.stage import EVERYBODY, OFFICER, Setting, Stage, letter, scenario_cast, stage, wire
from tests.fakes.ports import free_port, free_ports
from tests.peers.postfix import Postfix, Service, postfix

pytestmark = [pytest.mark.peer("postfix"), pytest.mark.peer("root")]

CJSM = "dc@police.cjsm.net"
LAWYER = "lawyer@plain.example"
REGISTERED = "youth.justice@derbyshire.gov.uk"
LIMIT = 13 * 1024 * 1024
GATEWAY = "gateway.derbyshire.gov.uk"


def body_of(content: bytes) -> bytes:
    """The body of a message with CRLF lines."""
    return content.partition(b"\r\n\r\n")[2]


@dataclass(slots=True)
class Council:
    """A stage whose connector and CJSM relay are real; the relay can be stopped and started again on its port."""

    on: Stage
    connector: Postfix
    cjsm_port: int

    @contextlib.contextmanager
    def cjsm(self, clients_of: Path | None = None) -> Generator[Postfix]:
        """The relay, for clients whose certificate is signed by the world's authority or by another one."""
        credentials = self.on.world.credentials
        known = clients_of or credentials.ca
        with relay(credentials, "relay.cjsm.example", self.cjsm_port, clients_of=known) as instance:
            yield instance

    async def taken(self, by: Postfix, count: int = 1) -> list[bytes]:
        """Waits until a host has recorded so many messages."""
        await self.on.until(lambda: len(by.mail()) >= count)
        return by.mail()


@contextlib.asynccontextmanager
async def council(folder: Path) -> AsyncGenerator[Council]:
    cjsm, connector = free_ports(2)
    setting = Setting(
        cast=scenario_cast(), cjsm=f"127.0.0.1:{cjsm}", connector=f"127.0.0.1:{connector}", partners=EVERYBODY
    )
    async with stage(folder, setting) as on:
        with relay(on.world.credentials, "connector.encrypted.example", connector) as instance:
            yield Council(on, instance, cjsm)


async def test_s4_the_connector_gets_the_very_bytes_inside_tls_with_its_header(tmp_path: Path) -> None:
    async with council(tmp_path) as here:
        at_limit = letter(intent="encrypted", attach=[LIMIT - 5, 5], to=LAWYER)
        (end,) = (await here.on.ended(await here.on.submit(at_limit, LAWYER))).values()
        assert (end.state, end.route) == (State.DELIVERED, "encrypted")
        (mail,) = await here.taken(here.connector)
        assert content_of(mail) == body_of(wire(at_limit))
        came = received(mail)
        assert (came.by, came.protocol, came.tls_version) == ("connector.encrypted.example", "ESMTPS", "TLSv1.3")
        assert header_of(mail).count(b"\nX-Council-Encrypt: yes") == 1

        over = letter(intent="encrypted", attach=[LIMIT - 5, 6], to=LAWYER)
        (end,) = (await here.on.ended(await here.on.submit(over, LAWYER))).values()
        assert end.state is State.REPORTED
        await here.on.until(lambda: bool(here.on.world.inbox.to(OFFICER)))
        assert len(here.connector.mail()) == 1
        assert here.on.world.inbox.to(LAWYER) == ()


async def test_s5_the_relay_verifies_our_certificate_and_bcc_stays_unseen(tmp_path: Path) -> None:
    message = letter(classification="restricted", intent="encrypted", attach=[5 * 1024 * 1024], to=CJSM)
    message["Bcc"] = "boss@derbyshire.gov.uk"
    async with council(tmp_path) as here:
        with here.cjsm() as relay:
            recipients = (CJSM, "sol@tls.example", "boss@derbyshire.gov.uk")
            await here.on.ended(await here.on.submit(message, *recipients, sender=REGISTERED), 3)
            (at_relay,) = await here.taken(relay)
            (at_connector,) = await here.taken(here.connector)

        came = received(at_relay)
        assert (came.protocol, came.tls_version, came.client) == ("ESMTPS", "TLSv1.3", GATEWAY)
        # The connector did not ask who we are, so no certificate was shown there.
        assert received(at_connector).client is None
        assert b"X-Council-Encrypt" not in header_of(at_relay)
        assert b"X-Council-Encrypt" in header_of(at_connector)
        for mail, others in ((at_relay, recipients[1:]), (at_connector, recipients[2:])):
            assert content_of(mail) == body_of(wire(message))
            assert b"\nbcc" not in header_of(mail).lower()
            assert not any(other.encode() in mail for other in others)


async def test_s5_with_the_relay_stopped_it_waits_takes_no_other_route_and_goes_when_it_is_back(tmp_path: Path) -> None:
    message = letter(classification="restricted", to=CJSM)
    async with council(tmp_path) as here:
        with here.cjsm() as relay:
            await here.on.ended(await here.on.submit(letter(to=CJSM), CJSM, sender=REGISTERED))
            await here.taken(relay)
        queue_id = await here.on.submit(message, CJSM, sender=REGISTERED)
        await here.on.until(lambda: len(here.on.events(queue_id, EventKind.ATTEMPT)) >= 2)
        assert here.on.events(queue_id, EventKind.ENDED, EventKind.MOVED) == []
        assert here.connector.mail() == []
        with here.cjsm() as relay:
            (end,) = (await here.on.ended(queue_id)).values()
            assert (end.state, end.route) == (State.DELIVERED, "cjsm")
            (mail,) = await here.taken(relay)
            assert content_of(mail) == body_of(wire(message))
        assert here.connector.mail() == []
        assert here.on.world.inbox.to(CJSM) == ()


async def test_a_relay_that_does_not_know_our_certificate_is_told_as_it_said_it(tmp_path: Path) -> None:
    other = make_authority("Another authority", Validity.lasting(datetime.now(UTC), timedelta(days=1)))
    (tmp_path / "other.pem").write_bytes(other.certificate_pem)
    async with council(tmp_path) as here:
        with here.cjsm(clients_of=tmp_path / "other.pem") as relay:
            queue_id = await here.on.submit(letter(classification="restricted", to=CJSM), CJSM, sender=REGISTERED)
            await here.on.until(lambda: len(here.on.events(queue_id, EventKind.ATTEMPT)) >= 1)
            outcome = here.on.events(queue_id, EventKind.ATTEMPT)[0].outcome
            assert isinstance(outcome, Deferred)
            assert "Client certificate not trusted" in outcome.detail
            assert here.on.events(queue_id, EventKind.ENDED, EventKind.MOVED) == []
            assert relay.mail() == []
        assert here.connector.mail() == []


@dataclass(frozen=True, slots=True, kw_only=True)
class BadHost:
    """An MX host played by Postfix that cannot be trusted with restricted mail, and the proof that says so."""

    domain: str
    proof: Proof
    options: Sequence[str] = ()
    certificate: Credential | None = field(default=None, repr=False)


def bad_hosts() -> list[BadHost]:
    now = datetime.now(UTC)
    lasting = Validity.lasting(now, timedelta(days=1))
    return [
        BadHost(domain="pf-none.example", proof=Proof.NO_STARTTLS),
        BadHost(
            domain="pf-self.example", proof=Proof.CERTIFICATE, certificate=self_signed(("pf-self.example",), lasting)
        ),
        BadHost(
            domain="pf-unknown.example",
            proof=Proof.CERTIFICATE,
            certificate=issue(make_authority("Nobody's authority", lasting), ("pf-unknown.example",), lasting),
        ),
        BadHost(
            domain="pf-tls10.example",
            proof=Proof.TLS_VERSION,
            options=(
                "smtpd_tls_protocols=TLSv1",
                "smtpd_tls_mandatory_protocols=TLSv1",
                "tls_medium_cipherlist=ALL:@SECLEVEL=0",
            ),
            certificate=self_signed(("pf-tls10.example",), lasting),
        ),
    ]


def service_of(host: BadHost, folder: Path, address: str, port: int) -> Service:
    if host.certificate is None:
        return Service(port=port, address=address, options=("smtpd_tls_security_level=none",))
    path = folder / f"{host.domain}.pem"
    write_secret(path, host.certificate.pem)
    tls = ("smtpd_tls_security_level=may", f"smtpd_tls_cert_file={path}", f"smtpd_tls_key_file={path}")
    return Service(port=port, address=address, options=(*tls, *host.options))


async def test_restricted_mail_leaves_a_postfix_that_cannot_be_trusted_for_the_next_route(tmp_path: Path) -> None:
    hosts = bad_hosts()
    async with stage(tmp_path, Setting(cast=scenario_cast(), partners=EVERYBODY)) as on:
        services = [
            service_of(host, tmp_path, f"127.0.25.{40 + number}", on.world.mx_port) for number, host in enumerate(hosts)
        ]
        records = dict(on.world.dns.zone.records)
        for host, service in zip(hosts, services, strict=True):
            records |= {host.domain: (f"MX 10 {host.domain}.", f"A {service.address}")}
        on.world.dns.zone = replace(on.world.dns.zone, records=records)
        with postfix("mx.partner.example", services, ["default_transport = record:"]) as instance:
            recipients = [f"x@{host.domain}" for host in hosts]
            queue_id = await on.submit(letter(classification="restricted"), *recipients)
            ends = await on.ended(queue_id, len(hosts))
            assert instance.mail() == []
        assert {(end.state, end.route) for end in ends.values()} == {(State.DELIVERED, "encrypted")}
        attempts = on.events(queue_id, EventKind.ATTEMPT)
        declined = {event.address: event.outcome for event in attempts if isinstance(event.outcome, Declined)}
        assert {address: outcome.proof for address, outcome in declined.items()} == {
            f"x@{host.domain}": host.proof for host in hosts
        }


def through(server: Postfix, recipients: Sequence[str], options: Sequence[str], content: bytes) -> None:
    """A mail program at the organisation's mail server, which passes the wishes of RFC 3461 on."""
    with smtplib.SMTP("127.0.0.1", server.services[0].port, timeout=30) as client:
        client.ehlo("desk.derbyshire.gov.uk")
        assert client.mail(OFFICER, ["ENVID=desk-4711", "RET=HDRS"])[0] == 250
        for recipient in recipients:
            assert client.rcpt(recipient, [f"ORCPT=rfc822;{recipient}", *options])[0] == 250
        assert client.data(content)[0] == 250


async def report_to_the_officer(on: Stage) -> Arrival:
    await on.until(lambda: bool(on.world.inbox.to(OFFICER)))
    (arrival,) = on.world.inbox.to(OFFICER)
    return arrival


def status_of(report: Arrival) -> list[Message]:
    """The groups of the delivery status: the message's own and one per recipient."""
    parts = message_from_bytes(report.content, policy=policy.default)
    (status,) = [part for part in parts.walk() if part.get_content_type() == "message/delivery-status"]
    groups = status.get_payload()
    assert isinstance(groups, list)
    return [group for group in groups if isinstance(group, Message)]


async def test_mail_from_postfix_comes_inside_checked_tls_and_keeps_its_bytes(tmp_path: Path) -> None:
    message = letter(classification="restricted", attach=[1024 * 1024], to="gp@tls.example")
    async with stage(tmp_path) as on:
        with mail_server(on, free_port()) as server:
            through(server, ["gp@tls.example"], [], wire(message))
            await on.until(lambda: bool(on.world.inbox.to("gp@tls.example")))
            assert "Verified TLS connection established to 127.0.0.1" in server.log()
    (arrival,) = on.world.inbox.to("gp@tls.example")
    assert body_of(arrival.content) == body_of(wire(message))
    ours = message_from_bytes(arrival.content).get_all("Received", [])
    assert len(ours) == 2
    assert "from mail.derbyshire.gov.uk" in ours[0]
    assert "with ESMTPS id" in ours[0]
    assert "TLSv1.3" in ours[0]
    assert OFFICER not in {to for arrival in on.world.inbox.newest() for to in arrival.rcpt_to}


async def test_a_refused_recipient_comes_back_to_postfix_users_in_a_report_that_programs_understand(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as on:
        with mail_server(on, free_port()) as server:
            recipients = ["gone@refuses.example", "gp@tls.example"]
            through(server, recipients, ["NOTIFY=FAILURE"], wire(letter(classification="public")))
            report = await report_to_the_officer(on)
    assert report.mail_from == ""
    assert all_failures(message_from_bytes(report.content)) == (set(), {b"gone@refuses.example"})
    message, recipient = status_of(report)
    assert message["Original-Envelope-Id"] == "desk-4711"
    assert message["Reporting-MTA"] == f"dns; {GATEWAY}"
    assert recipient["Original-Recipient"] == "rfc822;gone@refuses.example"
    assert (recipient["Action"], recipient["Status"]) == ("failed", "5.1.1")
    assert "550 5.1.1" in recipient["Diagnostic-Code"]


async def test_who_asks_postfix_for_success_hears_of_it_where_the_next_host_will_not_tell(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        silent = tuple(extension for extension in EXTENSIONS if extension != "DSN")
        on.world.hosts["mx.selfsigned.example"].behave(
            replace(on.world.hosts["mx.selfsigned.example"].spec.behaviour, extensions=silent)
        )
        with mail_server(on, free_port()) as server:
            recipients = ["gp@tls.example", "resident@selfsigned.example"]
            through(server, recipients, ["NOTIFY=SUCCESS,FAILURE"], wire(letter()))
            report = await report_to_the_officer(on)
    # One host takes the wish over; for the other, we say how far it went.
    (arrival,) = on.world.inbox.to("gp@tls.example")
    assert arrival.recipients[0].params == ("NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;gp@tls.example")
    assert {"RET=HDRS", "ENVID=desk-4711"} < set(arrival.mail_params)
    _, recipient = status_of(report)
    assert recipient["Final-Recipient"] == "rfc822; resident@selfsigned.example"
    assert recipient["Action"] == "relayed"
    assert recipient["Status"].startswith("2.")
    assert all_failures(message_from_bytes(report.content)) == (set(), set())


async def test_who_wants_to_hear_nothing_hears_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        with mail_server(on, free_port()) as server:
            through(server, ["gone@refuses.example"], ["NOTIFY=NEVER"], wire(letter(classification="public")))
            await on.until(lambda: bool(on.events(None, EventKind.ENDED)))
        (end,) = on.events(None, EventKind.ENDED)
        assert end.state is State.UNREPORTABLE
        assert on.world.inbox.newest() == ()


def swaks(on: Stage, *words: str) -> str:
    """One submission by swaks; returns its transcript. Raises AssertionError unless it succeeded."""
    command = ["swaks", "--server", "127.0.0.1", "--port", str(on.smtp_port), "--from", OFFICER]
    done = subprocess.run(
        [*command, "--helo", "desk.derbyshire.gov.uk", *words], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.peer("swaks")
@pytest.mark.parametrize("way", [("--tls",), ("--pipeline",), ("--tls", "--pipeline")], ids=" ".join)
async def test_swaks_hands_over_a_message_as_it_is(tmp_path: Path, way: tuple[str, ...]) -> None:
    content = letter(classification="restricted", attach=[12 * 1024 * 1024], to="a@tls.example, b@plain.example")
    (tmp_path / "message").write_bytes(content.as_bytes())
    async with stage(tmp_path) as on:
        words = (*way, "--to", "a@tls.example,b@plain.example", "--data", f"@{tmp_path / 'message'}")
        said = await asyncio.to_thread(swaks, on, *words)
        assert ("TLS started with cipher TLSv1.3" in said) is ("--tls" in way)
        await on.until(lambda: len(on.events(None, EventKind.ENDED)) == 2)
        for address in ("a@tls.example", "b@plain.example"):
            (arrival,) = on.world.inbox.to(address)
            # swaks ends what it sends with an empty line of its own.
            assert body_of(arrival.content) == body_of(wire(content)) + b"\r\n"
            protocol = "ESMTPS" if "--tls" in way else "ESMTP"
            assert f"with {protocol} id".encode() in arrival.header
        assert on.metric("sealpost_unprotected_total") == 0


@pytest.mark.peer("swaks")
async def test_swaks_attaches_a_file_that_arrives_whole(tmp_path: Path) -> None:
    file = tmp_path / "scan.pdf"
    file.write_bytes(secrets.token_bytes(3 * 1024 * 1024))
    async with stage(tmp_path) as on:
        words = ("--tls", "--to", "gp@tls.example", "--header", "X-Classification: restricted", "--attach", f"@{file}")
        await asyncio.to_thread(swaks, on, *words)
        await on.until(lambda: bool(on.world.inbox.to("gp@tls.example")))
    (arrival,) = on.world.inbox.to("gp@tls.example")
    parts = message_from_bytes(arrival.content, policy=policy.default).iter_attachments()
    assert [(part.get_filename(), part.get_payload(decode=True)) for part in parts] == [("scan.pdf", file.read_bytes())]
