"""Hosts whose STARTTLS somebody on the way tampers with, or whose certificate is nobody's or of other names."""

import asyncio
import smtplib
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.sandbox.behaviour import Behaviour, Shown, Starttls
from gateway.sandbox.dialogue import INJECTED
from gateway.sandbox.mx_host import HostSpec
from gateway.sandbox.world import World, WorldOptions
from gateway.sandbox.zone import Zone
from tests.sandbox.conftest import send, trusting, unchecked, visit

NAME = "mx.bad.example"


@asynccontextmanager
async def having(
    folder: Path, behaviour: Behaviour, certified: tuple[str, ...] = (), visits: int = 256
) -> AsyncGenerator[World]:
    spec = HostSpec(name=NAME, address="127.0.25.201", behaviour=behaviour, certified=certified)
    async with World(WorldOptions(directory=folder, cast=(spec,), extras=Zone(records={}), visits=visits)) as world:
        yield world


async def test_a_mangled_offer_is_none(tmp_path: Path) -> None:
    def talk(client: smtplib.SMTP) -> tuple[bool, bool, int]:
        client.ehlo()
        return client.has_extn("starttls"), client.has_extn("xxxxxxxa"), client.docmd("STARTTLS")[0]

    async with having(tmp_path, Behaviour(starttls=Starttls.MANGLED)) as world:
        assert await visit(world, NAME, talk) == (False, True, 503)


async def test_an_injected_reply_stands_in_the_clear_before_a_handshake_that_works(tmp_path: Path) -> None:
    async with having(tmp_path, Behaviour(starttls=Starttls.INJECTED)) as world:
        spec = world.hosts[NAME].spec
        reader, writer = await asyncio.open_connection(spec.address, world.mx_port)
        await reader.readuntil(b"sandbox\r\n")
        writer.write(b"STARTTLS\r\n")
        assert await reader.readline() == b"220 2.0.0 go ahead\r\n"
        assert await reader.readline() == f"{INJECTED}\r\n".encode()
        await writer.start_tls(trusting(world), server_hostname=NAME)
        writer.write(b"NOOP\r\n")
        assert await reader.readline() == b"250 2.0.0 fine\r\n"
        writer.close()
        await writer.wait_closed()


async def test_a_220_with_no_tls_behind_it_leaves_a_dialogue_in_the_clear(tmp_path: Path) -> None:
    async with having(tmp_path, Behaviour(starttls=Starttls.BROKEN)) as world:
        reader, writer = await asyncio.open_connection(world.hosts[NAME].spec.address, world.mx_port)
        await reader.readuntil(b"sandbox\r\n")
        writer.write(b"STARTTLS\r\n")
        assert await reader.readline() == b"220 2.0.0 go ahead\r\n"
        writer.write(b"no TLS either")
        assert await reader.readline() == b"502 5.5.1 there is no TLS here\r\n"
        writer.write(b"NOOP\r\n")
        assert await reader.readline() == b"250 2.0.0 fine\r\n"
        writer.close()
        await writer.wait_closed()
        assert world.hosts[NAME].visits[0].tape.clear == b"STARTTLS\r\nno TLS eitherNOOP\r\n"


async def test_an_unknown_authority_fails_for_that_reason_only(tmp_path: Path) -> None:
    def strict(client: smtplib.SMTP) -> str:
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            client.starttls(context=trusting(world))
        return caught.value.verify_message

    def lax(client: smtplib.SMTP) -> tuple[int, bytes]:
        client.starttls(context=unchecked())
        client.ehlo()
        return send(client, "x@bad.example")

    async with having(tmp_path, Behaviour(shown=Shown.UNTRUSTED)) as world:
        assert "unable to get local issuer" in await visit(world, NAME, strict)
        assert (await visit(world, NAME, lax))[0] == 250


async def test_a_certificate_can_be_for_other_names_than_the_hosts(tmp_path: Path) -> None:
    async def shown(world: World, name: str) -> str:
        reader, writer = await asyncio.open_connection(world.hosts[NAME].spec.address, world.mx_port)
        await reader.readuntil(b"sandbox\r\n")
        writer.write(b"STARTTLS\r\n")
        await reader.readline()
        try:
            await writer.start_tls(trusting(world), server_hostname=name)
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
        finally:
            writer.transport.abort()
        return "good"

    async with having(tmp_path, Behaviour(), certified=("relay.example", "127.0.25.201")) as world:
        assert [await shown(world, name) for name in ("relay.example", "127.0.25.201")] == ["good", "good"]
        assert "Hostname mismatch" in await shown(world, NAME)


async def test_the_key_of_a_host_is_that_of_the_certificate_it_shows_now(tmp_path: Path) -> None:
    async with having(tmp_path, Behaviour()) as world:
        first = world.credentials.key_of(NAME)
        assert len(bytes.fromhex(first)) == 32
        world.hosts[NAME].behave(Behaviour(shown=Shown.SELF_SIGNED))
        assert world.credentials.key_of(NAME) != first


async def test_a_host_keeps_so_many_visits(tmp_path: Path) -> None:
    async with having(tmp_path, Behaviour(), visits=2) as world:
        for name in ("one.example", "two.example", "three.example"):
            await visit(world, NAME, lambda client, name=name: client.ehlo(name))
        assert [seen.ehlo for seen in world.hosts[NAME].visits] == [["two.example"], ["three.example"]]
