"""Connectors with a real Postfix in their part: one that encrypts and hands mail back to us, and one that is CJSM."""

import contextlib
import json
import subprocess
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path

import pytest

from gateway.core.outcome import Deferred
from gateway.core.record import EventKind, QueueId, State
from gateway.flow.returned import ALERT
from tests.e2e.asking import ask
from tests.e2e.postfix_hosts import content_of, header_of, received, relay
from tests.e2e.stage import EVERYBODY, POLICIES, Setting, Stage, letter, scenario_cast, stage, wire
from tests.fakes.ports import free_port, free_ports
from tests.fixtures.council import change
from tests.peers.postfix import Postfix, Service, postfix

pytestmark = [pytest.mark.peer("postfix"), pytest.mark.peer("root")]

HOST = "connector.encrypted.example"
LAWYER = "lawyer@plain.example"
CLERK = "clerk@court.example"
REGISTERED = "youth.justice@derbyshire.gov.uk"

RETURNS = """
[[listen.smtp]]
address     = "127.0.0.1:{port}"
certificate = "gateway.pem"
client_ca   = "ca.pem"
[[listen.smtp.allow]]
client_name    = "connector.encrypted.example"
require_header = {{ "X-OriginatorOrg" = ["derbyshire.gov.uk"], "X-Council-Relay" = ["file:relay-secret"] }}
"""

# What a transport rule of Microsoft 365 does: who asks for it by its header gets the message encrypted, and the tenant
# says that the message is its own. Without the file "mended" the rule is broken.
SEAL = """\
#!/usr/bin/python3
import pathlib, re, smtplib, subprocess, sys

root = pathlib.Path(sys.argv[0]).parent
header, _, body = sys.stdin.buffer.read().partition(b"\\n\\n")
(root / "mail" / "seen").write_bytes(header)
fields = re.split(rb"\\n(?![ \\t])", header)
about = [field for field in fields if field.lower().startswith((b"content-", b"mime-version:"))]
others = [field for field in fields if field not in about]
content = b"\\n".join(about) + b"\\n\\n" + body
if (root / "mended").exists() and any(field.lower() == b"x-council-encrypt: yes" for field in fields):
    command = ["openssl", "cms", "-encrypt", "-aes256", str(root / "reader.pem")]
    content = subprocess.run(command, input=content, capture_output=True, check=True).stdout
proof = [b"X-OriginatorOrg: derbyshire.gov.uk", b"X-Council-Relay: " + (root / "secret").read_bytes()]
with smtplib.SMTP("127.0.0.1", {port}) as back:
    back.sendmail(sys.argv[1], sys.argv[2:], b"\\n".join(proof + others) + b"\\n" + content)
"""


@dataclass(slots=True)
class Tenant:
    """A stage whose connector hands mail back; ``reader`` has the key of the one who reads it in the end."""

    on: Stage
    connector: Postfix
    reader: Path

    def mend(self) -> None:
        """From now on the connector encrypts."""
        (self.connector.root / "mended").touch()

    async def arrived(self, count: int = 1) -> bytes:
        """The newest message at its recipient's own host."""
        await self.on.until(lambda: len(self.on.world.inbox.to(LAWYER)) >= count)
        return self.on.world.inbox.to(LAWYER)[0].content

    def second(self, first: QueueId) -> QueueId:
        """What a message is called since it came back."""
        (told,) = self.on.events(first, EventKind.RETURNED)
        return QueueId(told.text.split()[-2])


@contextlib.contextmanager
def sealing(on: Stage, port: int, gateway: int, reader: Path) -> Generator[Postfix]:
    again = free_port()
    own = on.world.credentials.issue("sealing.pem", (HOST,))
    tls = (f"smtpd_tls_cert_file={own}", f"smtpd_tls_key_file={own}", "smtpd_tls_security_level=encrypt")
    settings = (
        f"relayhost = [127.0.0.1]:{gateway}",
        "smtp_tls_security_level = encrypt",
        f"smtp_tls_cert_file = {own}",
        f"smtp_tls_key_file = {own}",
    )
    services = (Service(port=port, options=(*tls, "content_filter=seal:dummy")), Service(port=again))
    with postfix(HOST, services, settings, {"seal": SEAL.replace("{port}", str(again))}) as instance:
        (instance.root / "secret").write_bytes((on.folder / "relay-secret").read_bytes())
        (instance.root / "reader.pem").write_bytes(reader.read_bytes())
        yield instance


@contextlib.asynccontextmanager
async def tenant(folder: Path) -> AsyncGenerator[Tenant]:
    port, gateway = free_ports(2)
    further = RETURNS.format(port=gateway)
    setting = Setting(cast=scenario_cast(), connector=f"127.0.0.1:{port}", partners=EVERYBODY, further=further)
    (folder / "relay-secret").write_bytes(b"a secret of the tenant")
    (folder / "relay-secret").chmod(0o600)
    async with stage(folder, setting, start=False) as on:
        change(on.config, ('add_header      = { "X-Council', 'returns = true\nadd_header      = { "X-Council'))
        reader = on.world.credentials.issue("reader.pem", ("lawyer.plain.example",))
        with sealing(on, port, gateway, reader) as connector:
            await on.start()
            yield Tenant(on, connector, reader)


def opened(mail: bytes, reader: Path) -> bytes:
    command = ["openssl", "cms", "-decrypt", "-recip", str(reader), "-inkey", str(reader)]
    return subprocess.run(command, input=mail, capture_output=True, check=True).stdout


async def test_what_the_connector_encrypts_comes_back_and_goes_on_even_where_there_is_no_tls(tmp_path: Path) -> None:
    message = letter(classification="restricted", intent="encrypted", to=LAWYER, attach=[100_000])
    async with tenant(tmp_path) as here:
        here.mend()
        first = await here.on.submit(message, LAWYER)
        assert (await here.on.ended(first))[LAWYER].route == "encrypted"
        mail = await here.arrived()
        second = here.second(first)
        assert (await here.on.ended(second))[LAWYER].route == "opportunistic"
        (decided,) = here.on.events(second, EventKind.DECIDED)
        assert decided.decision is not None and decided.decision.rule == "sealed by encrypted"
        assert first in here.on.events(second, EventKind.ACCEPTED)[0].text
        assert here.on.metric("sealpost_unprotected_total") == 0

    assert b"MARKER" not in mail and b"X-Sealpost-Marker" not in mail
    # Nobody but the tenant and the gateway learns the tenant's secret.
    assert b"a secret of the tenant" not in mail and b"X-OriginatorOrg" not in mail
    assert mail.count(b"\r\nX-Sealpost-Hop:") + mail.startswith(b"X-Sealpost-Hop:") == 1
    original, inside = message_from_bytes(wire(message)), message_from_bytes(opened(mail, here.reader))
    for before, after in zip(original.walk(), inside.walk(), strict=True):
        assert before.get_content_type() == after.get_content_type()
        if not before.is_multipart():
            assert before.get_payload(decode=True) == after.get_payload(decode=True)


async def test_what_comes_back_unencrypted_is_held_until_the_rule_is_mended_and_it_is_released(tmp_path: Path) -> None:
    async with tenant(tmp_path) as here:
        first = await here.on.submit(letter(intent="encrypted", to=LAWYER), LAWYER)
        await here.on.until(lambda: bool(here.on.events(first, EventKind.RETURNED)))
        second = here.second(first)
        (waiting,) = (await ask(tmp_path, "queue", "list", "--state", "held", "--json")).json
        assert (waiting["queue_id"], waiting["decision"]["rule"]) == (second, "not sealed by encrypted")
        assert here.on.metric(f'sealpost_alerts_total{{name="{ALERT}"}}') == 1
        assert here.on.world.inbox.to(LAWYER) == ()

        here.mend()
        released = await ask(tmp_path, "queue", "release", second, "--reason", "the rule is mended")
        assert released.code == 0, released.err
        mail = await here.arrived()
    assert b"MARKER" not in mail
    assert b"MARKER" in opened(mail, here.reader)


async def test_a_marker_that_somebody_copied_gets_nothing_past_the_policy(tmp_path: Path) -> None:
    async with tenant(tmp_path) as here:
        here.mend()
        message = letter(classification="restricted", intent="encrypted", to=LAWYER)
        first = await here.on.submit(message, LAWYER)
        await here.arrived()
        # Whoever sees what the connector got knows the whole marker; it has been used by now.
        (copied,) = message_from_bytes((here.connector.root / "mail/seen").read_bytes()).get_all(
            "X-Sealpost-Marker", []
        )
        del message["X-Sealpost-Intent"]
        message["X-Sealpost-Marker"] = " ".join(str(copied).split())
        again = await here.on.submit(message, LAWYER)
        (decided,) = here.on.events(again, EventKind.DECIDED)
        assert decided.decision is not None and not decided.decision.rule.startswith("sealed by")
        assert len(here.on.events(first, EventKind.RETURNED)) == 1


async def test_the_hosts_of_routes_are_looked_at_and_shown(tmp_path: Path) -> None:
    async with tenant(tmp_path) as here:
        await here.on.until(lambda: bool(here.on.shared("health/")))
        shown = {each["name"]: each for each in json.loads((await ask(tmp_path, "routes", "--json")).out)}
        assert shown["encrypted"]["health"]["grade"] == "pinned" and shown["encrypted"]["returns"]
        assert shown["secure"]["health"] is None
        assert here.on.metric('sealpost_route_up{route="encrypted"}') == 1
        assert "MAIL" not in here.connector.log() and here.connector.mail() == []


@contextlib.asynccontextmanager
async def court(folder: Path, port: int) -> AsyncGenerator[Stage]:
    """The council, for which a court is one of the criminal justice addresses."""
    shipped = (POLICIES / "derbyshire.toml").read_text()
    policy = shipped.replace('domains = ["cjsm.net", "*.cjsm.net"]', 'domains = ["cjsm.net", "court.example"]')
    setting = Setting(cast=scenario_cast(), cjsm=f"127.0.0.1:{port}", partners=EVERYBODY, policy=policy)
    async with stage(folder, setting, start=False) as on:
        suffixes = (
            'match_name         = "relay.cjsm.example"\nsender_suffix = ".cjsm.net"\nrecipient_suffix = ".cjsm.net"'
        )
        change(on.config, ('match_name         = "relay.cjsm.example"', suffixes))
        await on.start()
        yield on


async def test_cjsm_gets_both_addresses_in_its_form_from_whom_it_knows(tmp_path: Path) -> None:
    port = free_port()
    message = letter(classification="restricted", to=f"Clerk <{CLERK}>, gp@tls.example")
    message.replace_header("From", f"Youth Justice <{REGISTERED}>")
    async with court(tmp_path, port) as on:
        with relay(on.world.credentials, "relay.cjsm.example", port, clients_of=on.world.credentials.ca) as cjsm:
            queue_id = await on.submit(message, CLERK, sender=REGISTERED)
            (end,) = (await on.ended(queue_id)).values()
            assert (end.state, end.route, end.address) == (State.DELIVERED, "cjsm", CLERK)
            await on.until(lambda: bool(cjsm.mail()))
            (mail,) = cjsm.mail()
    came, fields = received(mail), message_from_bytes(mail)
    assert (came.protocol, came.client) == ("ESMTPS", "gateway.derbyshire.gov.uk")
    assert fields["Return-Path"] == f"<{REGISTERED}.cjsm.net>"
    assert fields["Delivered-To"] == f"{CLERK}.cjsm.net"
    assert fields["From"] == f"Youth Justice <{REGISTERED}.cjsm.net>"
    assert fields["To"] == f"Clerk <{CLERK}.cjsm.net>, gp@tls.example"
    assert b"DKIM-Signature" not in header_of(mail)
    assert content_of(mail) == wire(message).partition(b"\r\n\r\n")[2]


async def test_cjsm_that_is_down_is_waited_for_and_nothing_stands_in(tmp_path: Path) -> None:
    port = free_port()
    async with court(tmp_path, port) as on:
        queue_id = await on.submit(letter(to=CLERK), CLERK, sender=REGISTERED)
        await on.until(lambda: len(on.events(queue_id, EventKind.ATTEMPT)) >= 2)
        assert all(isinstance(event.outcome, Deferred) for event in on.events(queue_id, EventKind.ATTEMPT))
        assert on.events(queue_id, EventKind.MOVED, EventKind.ENDED) == []
        with relay(on.world.credentials, "relay.cjsm.example", port, clients_of=on.world.credentials.ca) as cjsm:
            (end,) = (await on.ended(queue_id)).values()
            assert (end.state, end.route) == (State.DELIVERED, "cjsm")
            await on.until(lambda: len(cjsm.mail()) == 1)
        assert on.events(queue_id, EventKind.MOVED) == []


async def test_another_host_in_its_place_gets_nothing_and_the_sender_hears_of_it(tmp_path: Path) -> None:
    port = free_port()
    async with court(tmp_path, port) as on:
        with relay(on.world.credentials, "impostor.example", port, clients_of=on.world.credentials.ca) as other:
            queue_id = await on.submit(letter(to=CLERK), CLERK, sender=REGISTERED)
            (end,) = (await on.ended(queue_id)).values()
            assert (end.state, end.route, other.mail()) == (State.REPORTED, "cjsm", [])
        assert on.events(queue_id, EventKind.MOVED) == []


async def test_who_has_no_account_is_told_so_and_nothing_reaches_cjsm(tmp_path: Path) -> None:
    port = free_port()
    async with court(tmp_path, port) as on:
        with relay(on.world.credentials, "relay.cjsm.example", port, clients_of=on.world.credentials.ca) as cjsm:
            (end,) = (await on.ended(await on.submit(letter(to=CLERK), CLERK))).values()
            assert end.state is State.REPORTED and cjsm.mail() == []
