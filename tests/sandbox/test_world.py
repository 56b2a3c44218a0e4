"""Each host of the sandbox's world does what its name says, and remembers what came in and how."""

import asyncio
import smtplib
import ssl
import warnings
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.sandbox.behaviour import Act, Behaviour, Fault, Stage, Starttls
from gateway.sandbox.mx_host import HostSpec
from gateway.sandbox.sockets import PortTaken
from gateway.sandbox.world import World, WorldOptions
from tests.sandbox.conftest import MESSAGE, send, trusting, unchecked, visit


async def test_a_message_over_tls_is_kept_as_received_with_the_session_that_brought_it(world: World) -> None:
    def talk(client: smtplib.SMTP) -> tuple[int, bytes]:
        client.starttls(context=trusting(world))
        client.ehlo()
        client.mail("officer@council.example", ["SIZE=100", "BODY=8BITMIME"])
        client.rcpt("alice@tls.example", ["NOTIFY=NEVER"])
        return client.data(MESSAGE + b".dots\r\n..\r\n")

    code, _ = await visit(world, "mx.tls.example", talk)
    assert code == 250
    (arrival,) = world.inbox.newest()
    assert arrival.content == MESSAGE + b".dots\r\n..\r\n"
    assert (arrival.mx, arrival.ehlo, arrival.mail_from) == (
        "mx.tls.example",
        "client.example",
        "officer@council.example",
    )
    assert arrival.mail_params == ("SIZE=100", "BODY=8BITMIME")
    assert arrival.rcpt_to == ("alice@tls.example",)
    assert arrival.recipients[0].params == ("NOTIFY=NEVER",)
    assert arrival.tls is not None
    assert arrival.tls.version == "TLSv1.3"
    assert arrival.tls.cipher.startswith("TLS_")
    assert arrival.tls.client_name is None


async def test_the_tape_tells_what_came_in_clear_from_what_came_inside_tls(world: World) -> None:
    def talk(client: smtplib.SMTP) -> None:
        client.ehlo("clear.example")
        client.starttls(context=trusting(world))
        client.ehlo("hidden.example")
        send(client, "alice@tls.example")

    await visit(world, "mx.tls.example", talk)
    (seen,) = world.hosts["mx.tls.example"].visits
    assert seen.tape.complete
    assert seen.tape.clear == b"ehlo clear.example\r\nSTARTTLS\r\n"
    assert b"ehlo hidden.example" in seen.tape.secured
    assert b"A body." in seen.tape.secured
    assert seen.ehlo == ["clear.example", "hidden.example"]


async def test_plain_host_offers_no_starttls_and_takes_mail_in_the_clear(world: World) -> None:
    def talk(client: smtplib.SMTP) -> tuple[bool, int, tuple[int, bytes]]:
        client.ehlo()
        return client.has_extn("starttls"), client.docmd("STARTTLS")[0], send(client, "bob@plain.example")

    offered, starttls_code, (code, _) = await visit(world, "mx.plain.example", talk)
    assert (offered, starttls_code, code) == (False, 503, 250)
    (arrival,) = world.inbox.to("bob@plain.example")
    assert arrival.tls is None
    (seen,) = world.hosts["mx.plain.example"].visits
    assert b"A body." in seen.tape.clear
    assert seen.tape.secured == b""


@pytest.mark.parametrize(
    ("domain", "reason"),
    [
        ("selfsigned.example", "self-signed"),
        ("expired.example", "expired"),
        ("wronghost.example", "Hostname mismatch"),
    ],
)
async def test_a_bad_certificate_fails_for_its_own_reason_only(world: World, domain: str, reason: str) -> None:
    def strict(client: smtplib.SMTP) -> str:
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            client.starttls(context=trusting(world))
        return caught.value.verify_message

    assert reason.lower() in (await visit(world, f"mx.{domain}", strict)).lower()

    def lax(client: smtplib.SMTP) -> tuple[int, bytes]:
        client.starttls(context=unchecked())
        client.ehlo()
        return send(client, f"x@{domain}")

    assert (await visit(world, f"mx.{domain}", lax))[0] == 250


async def test_tls10_host_speaks_nothing_newer(world: World) -> None:
    def modern(client: smtplib.SMTP) -> None:
        with pytest.raises(ssl.SSLError, match=r"(?i)version"):
            client.starttls(context=unchecked())

    await visit(world, "mx.tls10.example", modern)

    def old(client: smtplib.SMTP) -> tuple[int, bytes]:
        context = unchecked()
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
        client.starttls(context=context)
        client.ehlo()
        return send(client, "x@tls10.example")

    assert (await visit(world, "mx.tls10.example", old))[0] == 250
    assert [arrival.tls.version for arrival in world.inbox.newest() if arrival.tls] == ["TLSv1"]


async def test_flaky_host_defers_each_message_twice_and_then_takes_it(world: World) -> None:
    other = MESSAGE.replace(b"<1@", b"<2@")

    def talk(client: smtplib.SMTP) -> list[int]:
        client.ehlo()
        sent = (MESSAGE, MESSAGE, other, MESSAGE, other, other)
        return [send(client, "x@flaky.example", message)[0] for message in sent]

    assert await visit(world, "mx.flaky.example", talk) == [451, 451, 451, 250, 451, 250]
    assert [arrival.message_id for arrival in world.inbox.newest()] == ["<2@council.example>", "<1@council.example>"]


async def test_refusing_host_refuses_every_recipient_and_never_sees_content(world: World) -> None:
    def talk(client: smtplib.SMTP) -> tuple[tuple[int, bytes], int]:
        client.ehlo()
        return send(client, "x@refuses.example"), client.docmd("DATA")[0]

    (code, _), data = await visit(world, "mx.refuses.example", talk)
    assert (code, data) == (550, 503)
    assert world.inbox.newest() == ()


async def test_cjsm_relay_wants_tls_and_then_a_client_certificate_that_it_can_check(world: World) -> None:
    good = world.credentials.issue("client.pem", ("gateway.council.example",))

    def talk(client: smtplib.SMTP, certificate: Path | None) -> list[int]:
        client.ehlo()
        replies = [send(client, "x@cjsm.net")[0]]
        context = trusting(world)
        if certificate is not None:
            context.load_cert_chain(certificate)
        client.starttls(context=context)
        client.ehlo()
        return [*replies, send(client, "x@cjsm.net")[0]]

    assert await visit(world, "relay.cjsm.example", lambda client: talk(client, None)) == [530, 550]
    assert await visit(world, "relay.cjsm.example", lambda client: talk(client, good)) == [530, 250]
    (arrival,) = world.inbox.newest()
    assert arrival.tls is not None
    assert arrival.tls.client_name == "gateway.council.example"


async def test_nothing_listens_at_the_host_that_is_down(world: World) -> None:
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.25.99", world.mx_port)


async def test_two_worlds_live_side_by_side_and_a_fixed_port_that_is_taken_is_named(
    world: World, tmp_path: Path
) -> None:
    async with World(WorldOptions(directory=tmp_path / "second")) as second:
        assert second.mx_port != world.mx_port
        assert second.dns_port != world.dns_port
    with pytest.raises(PortTaken, match=rf"port {world.mx_port} on 127\.0\.25\.1, wanted for the MX hosts"):
        async with World(WorldOptions(directory=tmp_path / "third", mx_port=world.mx_port)):
            pass
    with pytest.raises(PortTaken, match=rf"port {world.dns_port} .* wanted for DNS"):
        async with World(WorldOptions(directory=tmp_path / "fourth", dns_port=world.dns_port)):
            pass


async def test_leaving_the_world_cuts_connections_and_frees_its_ports(tmp_path: Path) -> None:
    async with World(WorldOptions(directory=tmp_path)) as world:
        reader, writer = await asyncio.open_connection("127.0.25.10", world.mx_port)
        await reader.readline()
    with pytest.raises(ConnectionError):
        assert await reader.read() == b""
        raise ConnectionResetError
    writer.close()
    async with World(WorldOptions(directory=tmp_path, mx_port=world.mx_port, dns_port=world.dns_port)) as again:
        assert again.mx_port == world.mx_port


def _one_host(tmp_path: Path, *faults: Fault, timeout: timedelta = timedelta(seconds=10)) -> World:
    spec = HostSpec(
        name="mx.one.example", address="127.0.25.50", domains=("one.example",), behaviour=Behaviour(faults=faults)
    )
    return World(WorldOptions(directory=tmp_path, cast=(spec,), timeout=timeout, tape_limit=20))


async def test_faults_stand_at_every_stage_and_end_after_their_times(tmp_path: Path) -> None:
    faults = (
        Fault(stage=Stage.MAIL, answer="450 4.1.7 not yet", times=1),
        Fault(stage=Stage.RCPT, answer="450 4.2.1 greylisted", times=2),
        Fault(stage=Stage.RCPT, answer="550 5.1.1 unknown", recipient="nobody@one.example"),
        Fault(stage=Stage.DATA, answer="451 4.3.0 no room", times=1),
    )

    def talk(client: smtplib.SMTP) -> list[int]:
        client.ehlo()
        mails = [client.mail("a@council.example")[0] for _ in range(2)]
        recipients = ["x@one.example"] * 3 + ["y@one.example"] + ["nobody@one.example"] * 3
        rcpts = [client.rcpt(recipient)[0] for recipient in recipients]
        return [*mails, *rcpts, client.docmd("DATA")[0], client.data(MESSAGE)[0]]

    async with _one_host(tmp_path, *faults) as world:
        codes = await visit(world, "mx.one.example", talk)
        assert codes == [450, 250, 450, 450, 250, 450, 450, 450, 550, 451, 250]
        assert world.inbox.newest()[0].rcpt_to == ("x@one.example",)


async def test_421_amid_the_content_ends_the_connection_and_keeps_nothing(tmp_path: Path) -> None:
    async with _one_host(tmp_path, Fault(stage=Stage.CONTENT, answer="421 4.3.2 going down")) as world:
        reader, writer = await asyncio.open_connection("127.0.25.50", world.mx_port)
        writer.write(b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
        await reader.readuntil(b"354 end with a dot\r\n")
        writer.write(b"Subject: half")
        assert await reader.readline() == b"421 4.3.2 going down\r\n"
        assert await reader.read() == b""
        writer.close()
        assert world.inbox.newest() == ()


async def test_a_host_that_accepts_and_closes_has_the_message_but_never_says_so(tmp_path: Path) -> None:
    def talk(client: smtplib.SMTP) -> None:
        client.ehlo()
        with pytest.raises(smtplib.SMTPServerDisconnected):
            send(client, "x@one.example")

    async with _one_host(tmp_path, Fault(stage=Stage.DOT, answer=Act.ACCEPT_AND_CLOSE)) as world:
        await visit(world, "mx.one.example", talk)
        assert len(world.inbox.to("x@one.example")) == 1
        assert world.inbox.to("y@one.example") == ()


async def test_a_silent_host_says_nothing_until_its_patience_ends(tmp_path: Path) -> None:
    fault = Fault(stage=Stage.GREETING, answer=Act.SILENCE)
    async with _one_host(tmp_path, fault, timeout=timedelta(milliseconds=50)) as world:
        reader, writer = await asyncio.open_connection("127.0.25.50", world.mx_port)
        assert await reader.read() == b""
        writer.close()


async def test_a_silent_host_leaves_when_its_client_does(tmp_path: Path) -> None:
    async with _one_host(tmp_path, Fault(stage=Stage.GREETING, answer=Act.SILENCE)) as world:
        reader, writer = await asyncio.open_connection("127.0.25.50", world.mx_port)
        writer.write(b"EHLO c\r\n")
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()


async def test_a_changed_behaviour_holds_from_the_next_connection_on(tmp_path: Path) -> None:
    def offers(client: smtplib.SMTP) -> bool:
        client.ehlo()
        return client.has_extn("starttls")

    async with _one_host(tmp_path) as world:
        assert await visit(world, "mx.one.example", offers)
        world.hosts["mx.one.example"].behave(Behaviour(starttls=Starttls.NONE))
        assert not await visit(world, "mx.one.example", offers)
        world.hosts["mx.one.example"].behave(Behaviour(starttls=Starttls.REFUSED))
        assert await visit(world, "mx.one.example", offers)
        assert (await visit(world, "mx.one.example", lambda client: client.docmd("STARTTLS")))[0] == 454


async def test_a_tape_says_when_it_could_not_keep_everything(tmp_path: Path) -> None:
    async with _one_host(tmp_path) as world:
        await visit(world, "mx.one.example", lambda client: client.docmd("NOOP", "x" * 16))
        await visit(world, "mx.one.example", lambda client: client.docmd("NOOP", "x" * 10))
        long, short = world.hosts["mx.one.example"].visits
    assert (long.tape.clear, long.tape.complete) == (b"NOOP " + b"x" * 15, False)
    assert (short.tape.clear, short.tape.complete) == (b"NOOP " + b"x" * 10 + b"\r\n", True)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("MAIL FROM:a@b", 501),
        ("RCPT TO:<a@b>", 503),
        ("DATA", 503),
        ("FROB", 500),
        ("NOOP " + "x" * 5000, 500),
        ("RSET", 250),
        ("QUIT", 221),
    ],
)
async def test_commands_out_of_place_are_refused(world: World, command: str, code: int) -> None:
    assert (await visit(world, "mx.tls.example", lambda client: client.docmd(command)))[0] == code


async def test_paths_keep_quoted_brackets_and_the_null_path(world: World) -> None:
    def talk(client: smtplib.SMTP) -> list[int]:
        client.docmd("HELO c")
        replies = [client.docmd(line)[0] for line in ("MAIL FROM:<>", "MAIL FROM:<>", 'RCPT TO:<"a>b"@tls.example>')]
        return [*replies, client.docmd("RCPT TO:")[0], client.data(MESSAGE)[0]]

    assert await visit(world, "mx.tls.example", talk) == [250, 503, 250, 501, 250]
    (arrival,) = world.inbox.newest()
    assert (arrival.mail_from, arrival.rcpt_to, arrival.ehlo) == ("", ('"a>b"@tls.example',), "c")


async def test_pipelined_commands_are_answered_in_order(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.25.10", world.mx_port)
    writer.write(b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
    await reader.readuntil(b"354 end with a dot\r\n")
    writer.write(b"..leading dot\r\n.\r\nQUIT\r\n")
    assert (await reader.readline()).startswith(b"250 2.0.0 kept")
    assert (await reader.readline()).startswith(b"221")
    writer.close()
    assert world.inbox.newest()[0].content == b".leading dot\r\n"
