"""STARTTLS, who is admitted by what, and that nothing said in clear counts inside TLS."""

import ssl
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
import trustme
import uvloop

from gateway.core.envelope import Admission
from gateway.flow.profile import HeaderProof
from gateway.listeners.options import Allow, SmtpOptions
from gateway.listeners.server_tls import server_context
from tests.listeners.smtp_rig import LOOPBACK, Client, Rig, rig, with_options


class Authority:
    """A certificate authority with the gateway's own certificate, as files."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.folder = folder
        self.file = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(self.file)
        self.server = folder / "gateway.pem"
        self.ca.issue_cert("gw.council.example").private_key_and_cert_chain_pem.write_to_path(self.server)

    def client_context(self, *names: str, issuer: trustme.CA | None = None) -> ssl.SSLContext:
        """A client that trusts the gateway and shows a certificate if names are given."""
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        if names:
            (issuer or self.ca).issue_cert(*names).configure_cert(context)
        return context

    def options(self, *allow: Allow, **changes: object) -> SmtpOptions:
        return with_options(certificate=self.server, client_ca=self.file, allow=allow or LOOPBACK, **changes)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


async def protected(running: Rig, context: ssl.SSLContext) -> Client:
    client = await running.greeted()
    await client.start_tls(context)
    return client


async def test_message_inside_tls_is_taken_with_version_and_cipher(authority: Authority) -> None:
    async with rig(authority.options()) as running:
        client = await running.connect()
        await client.reply()
        assert "250-STARTTLS" in (await client.ask(b"EHLO before")).split("|")
        await client.ask(b"MAIL FROM:<a@council.example>")
        await client.start_tls(authority.client_context())
        # What was said before is forgotten: the name, and the transaction.
        assert (await client.ask(b"MAIL FROM:<a@council.example>")).startswith("503 5.5.1 ")
        assert "STARTTLS" not in await client.ask(b"EHLO after")
        assert (await client.ask(b"STARTTLS")).startswith("503 5.5.1 ")
        assert (await client.message(b"A: b\r\n\r\n" + b"x" * 600_000 + b"\r\n.\r\n")).startswith("250 ")
        seen = running.accept.last.envelope.client
        assert seen.helo == "after"
        assert seen.how is Admission.NETWORK
        assert seen.tls is not None
        assert seen.tls.version == "TLSv1.3"
        assert seen.tls.cipher.startswith("TLS_")
        assert seen.tls.bits >= 128
        assert await client.ask(b"QUIT") == "221 2.0.0 bye"
        assert await client.rest() == ""


async def test_requiretls_is_offered_inside_tls_alone_and_travels_with_its_message(authority: Authority) -> None:
    async with rig(authority.options()) as running:
        client = await running.connect()
        await client.reply()
        assert "REQUIRETLS" not in await client.ask(b"EHLO before")
        await client.start_tls(authority.client_context())
        assert "250 REQUIRETLS" in (await client.ask(b"EHLO after")).split("|")
        for mail in (b"MAIL FROM:<a@council.example> REQUIRETLS", b"MAIL FROM:<a@council.example>"):
            assert await client.ask(mail) == "250 2.1.0 OK"
            assert await client.ask(b"RCPT TO:<b@x.example>") == "250 2.1.5 OK"
            assert (await client.data(b"TLS-Required: no\r\n\r\n.\r\n")).startswith("250 ")
        assert [one.envelope.require_tls for one in running.accept.submissions] == [True, False]


async def test_requiretls_in_the_clear_is_refused_and_reported_and_leaves_no_transaction(authority: Authority) -> None:
    async with rig(authority.options()) as running:
        client = await running.greeted()
        answer = await client.ask(b"MAIL FROM:<a@council.example> REQUIRETLS")
        assert answer == "530 5.7.0 REQUIRETLS needs a session inside TLS"
        assert (await client.ask(b"RCPT TO:<b@x.example>")).startswith("503 ")
        assert [code for _, _, code in running.events.refusals] == [530]
        assert (await client.message()).startswith("250 ")
        assert not running.accept.last.envelope.require_tls


async def test_requiretls_inside_tls_needs_ehlo_and_no_value(authority: Authority) -> None:
    async with rig(authority.options()) as running:
        client = await protected(running, authority.client_context())
        await client.ask(b"HELO x")
        assert (await client.ask(b"MAIL FROM:<a@council.example> REQUIRETLS")).startswith("555 5.5.4 ")
        await client.ask(b"EHLO x")
        assert (await client.ask(b"MAIL FROM:<a@council.example> REQUIRETLS=now")).startswith("501 5.5.4 ")
        assert (await client.message()).startswith("250 ")


async def test_starttls_takes_no_argument(authority: Authority) -> None:
    async with rig(authority.options()) as running:
        client = await running.greeted()
        assert (await client.ask(b"STARTTLS now")).startswith("501 5.5.4 ")
        await client.start_tls(authority.client_context())
        assert (await client.ask(b"EHLO x")).startswith("250-")


async def test_command_injected_behind_starttls_is_never_heard(authority: Authority) -> None:
    async with rig(authority.options()) as running:
        client = await running.greeted()
        await client.send(b"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@council.example>\r\n")
        assert (await client.reply()).startswith("503 5.5.1 ")
        assert (await client.reply()).startswith("421 4.7.0 ")
        assert await client.rest() == ""
        assert [code for _, _, code in running.events.refusals] == [503]


async def test_failed_handshake_ends_the_connection_and_is_reported(authority: Authority) -> None:
    async with rig(authority.options(max_per_address=1)) as running:
        client = await running.greeted()
        assert (await client.ask(b"STARTTLS")).startswith("220 ")
        await client.send(b"MAIL FROM:<a@council.example>\r\n")
        assert "250" not in await client.rest()
        await running.events.refusing.wait()
        assert [code for _, _, code in running.events.refusals] == [454]
        while (await (other := await running.connect()).reply()).startswith("421 "):
            await other.close()
        assert (await other.ask(b"EHLO x")).startswith("250-")


async def test_handshake_that_never_comes_is_not_waited_for(authority: Authority) -> None:
    async with rig(authority.options(timeout=timedelta(seconds=0.2))) as running:
        client = await running.greeted()
        assert (await client.ask(b"STARTTLS")).startswith("220 ")
        assert await client.rest() == ""


async def test_old_tls_is_not_spoken(authority: Authority) -> None:
    context = server_context(authority.options())
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION


def test_context_checks_clients_against_the_systems_authorities(authority: Authority) -> None:
    context = server_context(with_options(certificate=authority.server, client_ca="system"))
    assert context is not None
    assert context.verify_mode is ssl.CERT_OPTIONAL
    without = server_context(with_options(certificate=authority.server))
    assert without is not None
    assert without.verify_mode is ssl.CERT_NONE


def test_missing_certificate_file_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        server_context(with_options(certificate=tmp_path / "none.pem"))


# Admission over the wire; `test_admission` has the tables.

CERTIFIED = Allow(client_name="relay.tenant.example")


async def test_client_that_could_show_a_certificate_is_told_to_begin_tls(authority: Authority) -> None:
    async with rig(authority.options(CERTIFIED)) as running:
        client = await running.greeted()
        answer = await client.ask(b"MAIL FROM:<a@council.example>")
        assert answer == "530 5.7.0 Must issue a STARTTLS command first"
        await client.start_tls(authority.client_context("RELAY.tenant.example"))
        await client.ask(b"EHLO x")
        assert (await client.message()).startswith("250 ")
        seen = running.accept.last.envelope.client
        assert (seen.identity, seen.how) == ("relay.tenant.example", Admission.CERTIFICATE)
        assert seen.address == "127.0.0.1"


@pytest.mark.parametrize("names", [(), ("other.tenant.example",), ("*.tenant.example",)])
async def test_client_without_the_right_certificate_is_turned_away(
    authority: Authority, names: tuple[str, ...]
) -> None:
    async with rig(authority.options(CERTIFIED)) as running:
        client = await protected(running, authority.client_context(*names))
        await client.ask(b"EHLO x")
        assert (await client.ask(b"MAIL FROM:<a@council.example>")).startswith("550 5.7.1 ")
        assert [code for _, _, code in running.events.refusals] == [550]


async def test_certificate_of_a_foreign_authority_fails_the_handshake(authority: Authority) -> None:
    async with rig(authority.options(CERTIFIED)) as running:
        client = await running.greeted()
        await client.ask(b"STARTTLS")
        context = authority.client_context("relay.tenant.example", issuer=trustme.CA())
        # TLS 1.3 tells a client that its certificate was refused only with the first bytes it reads.
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await client.writer.start_tls(context, server_hostname="gw.council.example")
            await client.send(b"EHLO x\r\n")
            if not await client.reply():
                raise ConnectionError
        await running.events.refusing.wait()
        assert [code for _, _, code in running.events.refusals] == [454]


async def test_client_with_a_certificate_finds_a_place_where_idle_and_half_shaken_hands_have_taken_all(
    authority: Authority,
) -> None:
    async with rig(authority.options(CERTIFIED, max_connections=3)) as running:
        half, uncertain = await running.greeted(), await running.greeted()
        assert (await half.ask(b"STARTTLS")).startswith("220 ")
        stranger = await protected(running, authority.client_context())
        assert (await stranger.ask(b"EHLO x")).startswith("250-")
        # Who has shown no certificate inside TLS never will, so it goes before those that may.
        client = await protected(running, authority.client_context("relay.tenant.example"))
        assert (await stranger.reply()).startswith("421 4.3.2 ")
        second = await running.greeted()
        # A clear word in the middle of a handshake would be none.
        assert await half.rest() == ""
        third = await running.greeted()
        assert (await uncertain.reply()).startswith("421 4.3.2 ")
        await client.ask(b"EHLO x")
        assert (await client.message()).startswith("250 ")
        assert await second.ask(b"NOOP") == await third.ask(b"NOOP") == "250 2.0.0 OK"


async def test_required_header_travels_with_the_message(authority: Authority) -> None:
    shared = Allow(client_name="relay.tenant.example", require_header={"X-Relay": (b"one", b"two"), "X-Org": (b"c",)})
    async with rig(authority.options(shared)) as running:
        client = await protected(running, authority.client_context("relay.tenant.example"))
        await client.ask(b"EHLO x")
        assert (await client.message()).startswith("250 ")
        proof = (HeaderProof("X-Relay", (b"one", b"two")), HeaderProof("X-Org", (b"c",)))
        assert running.accept.last.profile.proofs == (proof,)
        assert running.accept.last.envelope.client.how is Admission.HEADER


async def test_stranger_is_turned_away_and_nothing_of_the_message_is_taken() -> None:
    stranger = Allow(networks=(ip_network("192.0.2.0/24"),))
    async with rig(with_options(allow=(stranger,))) as running:
        client = await running.greeted()
        assert (await client.ask(b"MAIL FROM:<a@council.example>")).startswith("550 5.7.1 ")
        assert (await client.ask(b"RCPT TO:<b@x.example>")).startswith("503 ")
        assert (await client.ask(b"DATA")).startswith("503 ")
        assert running.accept.submissions == []


async def test_listener_without_entries_admits_nobody() -> None:
    async with rig(with_options(allow=())) as running:
        client = await running.greeted()
        assert (await client.ask(b"MAIL FROM:<a@council.example>")).startswith("550 5.7.1 ")


def test_all_of_it_works_on_uvloop(authority: Authority) -> None:
    async def story() -> None:
        async with rig(authority.options(), open_gate=False) as running:
            client = await protected(running, authority.client_context())
            await client.ask(b"EHLO x")
            await client.envelope()
            await client.ask(b"DATA")
            await client.send(b"A: b\r\n\r\n" + b"x" * 600_000 + b"\r\n.\r\n")
            plain = await running.greeted()
            await plain.envelope()
            await plain.ask(b"DATA")
            await plain.send(b"A: b\r\n\r\n.\r\n")
            plain.writer.write_eof()
            for submission in running.accept.submissions:
                await submission.finishing.wait()
            running.accept.gate.set()
            assert (await client.reply()).startswith("250 ")
            assert (await plain.reply()).startswith("250 ")
            assert await plain.rest() == ""
            assert sorted(len(message) for message in running.accept.messages) == [8, 600_010]
            assert await client.ask(b"QUIT") == "221 2.0.0 bye"

    uvloop.run(story())
