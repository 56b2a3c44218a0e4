"""Addresses that lenient parsers turn into something else, over the wire: refused, or kept to the letter."""

import pytest

from tests.listeners.smtp_rig import rig

REFUSED = [
    b"<a@=?utf-8?q?evil.com=2C?=>",
    b'<"a\x00b"@council.example>',
    b"<a@council.example",
    b"<a(x)@council.example>",
    b"<a@council.example(x)>",
    b"<a..b@council.example>",
    b"<.a@council.example>",
    b"<a@council..example>",
    b"<a@-council.example>",
    b"<a@council.example.>",
    b"<a@[1.2.3.4\x00]>",
    b"<a@[1.2.3]>",
    b"<a@[IPv6:::1%eth0]>",
    b"<a b@council.example>",
    b"<a@b@council.example>",
    b"<@relay.example:a@council.example>",
    b"<@relay.example,@b.example:a@council.example>",
    b"<a>",
    b"<a@>",
    b"<@council.example>",
    b"a@council.example",
    b"Ann <a@council.example>",
    b"<<a@council.example>>",
    b"<a\xff@council.example>",
    b"<" + b"a" * 65 + b"@council.example>",
    b"<a@" + b"b" * 64 + b".example>",
    b"<a@council.example>x",
    b"<a@council.example>\tSIZE=1",
    b"<a@council.example> SIZE",
    b"<a@council.example> SIZE=1\x00",
]


@pytest.mark.parametrize("path", REFUSED)
@pytest.mark.parametrize("command", [b"MAIL FROM:", b"RCPT TO:"])
async def test_what_two_servers_could_read_differently_is_refused(command: bytes, path: bytes) -> None:
    async with rig() as running:
        client = await running.greeted()
        if command.startswith(b"RCPT"):
            await client.ask(b"MAIL FROM:<a@council.example>")
        assert (await client.ask(command + path))[:3] in ("501", "553", "555")
        assert running.events.faults == []


async def test_encoded_word_in_an_address_stays_what_it_is() -> None:
    local = "=?utf-8?q?a=0D=0ARCPT_TO=3A=3Cz=40z=3E?="
    async with rig() as running:
        client = await running.greeted()
        await client.envelope(f"{local}@trusted.example".encode())
        assert (await client.data(b"x: y\r\n\r\n.\r\n")).startswith("250 ")
        assert str(running.accept.last.envelope.recipients[0].address) == f"{local}@trusted.example"


@pytest.mark.parametrize(
    "path", [b"<a%b.example@council.example>", b"<b.example!a@council.example>", b'<"a@b"@x.example>']
)
async def test_routed_recipient_is_not_relayed(path: bytes) -> None:
    async with rig() as running:
        client = await running.greeted()
        await client.ask(b"MAIL FROM:<a@council.example>")
        assert (await client.ask(b"RCPT TO:" + path)).startswith("550 5.7.1 ")
        assert await client.ask(b"RCPT TO:<b@x.example>") == "250 2.1.5 OK"
