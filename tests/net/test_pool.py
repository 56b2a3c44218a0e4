"""Kept sessions: who gets them, and when they end."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from gateway.core.check import Check
from gateway.core.dane import Tlsa
from gateway.core.tls import Channel, MxAuth
from gateway.net.pool import Pool, PoolLimits
from gateway.net.smtp_session import MAX_USES, Endpoint, Session
from gateway.net.tls import ClientCertificate
from tests.fakes import certificates
from tests.fakes.mail_world import World, terms_of, world
from tests.fakes.mx import Script

MX = "mx.example"
LIMITS = PoolLimits(sessions=2, idle=timedelta(seconds=30))


async def session_at(at: World, opened_for: Channel = Channel.PLAIN, realm: str = "") -> Session:
    host = at.hosts[MX]
    endpoint = Endpoint(realm=realm, host=MX, port=host.port)
    session = await at.network.dialler.open(endpoint, ip_address(host.host), terms_of(opened_for))
    assert isinstance(session, Session)
    return session


@asynccontextmanager
async def a_pool(folder: Path, limits: PoolLimits = LIMITS, *, tls: bool = True) -> AsyncGenerator[tuple[Pool, World]]:
    async with world(folder, {MX: Script(tls=certificates.good(MX)) if tls else Script()}) as at:
        pool = Pool(limits)
        try:
            yield pool, at
        finally:
            await pool.aclose()


async def test_a_session_is_used_again_and_by_one_at_a_time(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (pool, at):
        session = await session_at(at)
        pool.give_back(session)
        assert pool.take(session.endpoint, terms_of(Channel.PLAIN)) is session
        assert pool.take(session.endpoint, terms_of(Channel.PLAIN)) is None
        session.end()


@pytest.mark.parametrize("opened_for", [Channel.PLAIN, Channel.PKIX])
@pytest.mark.parametrize("wanted", [Channel.PLAIN, Channel.ENCRYPTED, Channel.PKIX, Channel.DANE])
@pytest.mark.parametrize("tls", [True, False])
async def test_it_is_used_again_only_where_it_meets_the_terms(
    tls: bool, opened_for: Channel, wanted: Channel, tmp_path: Path
) -> None:
    if not tls and opened_for is not Channel.PLAIN:
        return
    async with a_pool(tmp_path, tls=tls) as (pool, at):
        session = await session_at(at, opened_for)
        pool.give_back(session)
        obtained = (Channel.PKIX if opened_for is Channel.PKIX else Channel.ENCRYPTED) if tls else Channel.PLAIN
        taken = pool.take(session.endpoint, terms_of(wanted))
        assert (taken is session) is (obtained >= wanted)
        # One that did not do stays for others.
        assert len(pool) == (0 if taken else 1)
        if taken:
            taken.end()


async def test_how_the_name_is_known_is_judged_for_each_domain(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (pool, at):
        session = await session_at(at)
        pool.give_back(session)
        assert pool.take(session.endpoint, terms_of(Channel.ENCRYPTED, wanted=MxAuth.DNSSEC)) is None
        known = terms_of(Channel.ENCRYPTED, wanted=MxAuth.DNSSEC, known=MxAuth.DNSSEC)
        assert pool.take(session.endpoint, known) is session
        session.end()


async def test_another_realm_port_host_or_client_certificate_never_gets_it(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (pool, at):
        session = await session_at(at)
        pool.give_back(session)
        ours = session.endpoint
        for other in (
            replace(ours, realm="r"),
            replace(ours, port=1),
            replace(ours, host="x"),
            replace(ours, own=ClientCertificate(certificate=Path("x.pem"))),
        ):
            assert pool.take(other, terms_of(Channel.PLAIN)) is None
        assert pool.take(ours, terms_of(Channel.PLAIN)) is session
        session.end()


async def test_beyond_the_limit_the_oldest_makes_room(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (pool, at):
        sessions = [await session_at(at, realm=str(number)) for number in range(3)]
        for session in sessions:
            pool.give_back(session)
        assert len(pool) == 2
        assert pool.take(sessions[0].endpoint, terms_of(Channel.PLAIN)) is None
        assert [pool.take(session.endpoint, terms_of(Channel.PLAIN)) for session in sessions[1:]] == sessions[1:]
        for session in sessions:
            session.end()


async def test_a_limit_of_none_keeps_none(tmp_path: Path) -> None:
    async with a_pool(tmp_path, PoolLimits(sessions=0)) as (pool, at):
        session = await session_at(at)
        pool.give_back(session)
        assert len(pool) == 0
        assert not session.connection.quiet


async def test_an_idle_session_ends_with_quit_when_its_time_is_over(tmp_path: Path) -> None:
    async with a_pool(tmp_path, PoolLimits(idle=timedelta(milliseconds=20))) as (pool, at):
        session = await session_at(at)
        pool.give_back(session)
        await session.connection.closed(timedelta(seconds=5))
        assert len(pool) == 0
        await at.hosts[MX].over()
        assert at.hosts[MX].said().endswith(b"QUIT\r\n")


@pytest.mark.parametrize("flaw", ["clean", "keep", "uses", "closed"])
async def test_one_that_nobody_may_use_is_ended(flaw: str, tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (pool, at):
        session = await session_at(at)
        if flaw == "clean":
            session.clean = False
        elif flaw == "keep":
            session.keep = False
        elif flaw == "uses":
            session.uses = MAX_USES
        else:
            session.connection.abort()
        pool.give_back(session)
        assert len(pool) == 0
        assert not session.connection.quiet


async def test_one_that_the_server_closed_meanwhile_is_not_handed_out(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (pool, at):
        session = await session_at(at)
        pool.give_back(session)
        server = at.hosts[MX].conversations[0].writer
        server.write(b"421 4.4.2 idle for too long\r\n")
        server.close()
        await session.connection.closed(timedelta(seconds=5))
        assert pool.take(session.endpoint, terms_of(Channel.PLAIN)) is None
        assert len(pool) == 0


async def test_closing_one_realm_leaves_the_others(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (pool, at):
        one, two = await session_at(at, realm="one"), await session_at(at, realm="two")
        pool.give_back(one)
        pool.give_back(two)
        await pool.aclose("one")
        assert not one.connection.quiet
        assert pool.take(two.endpoint, terms_of(Channel.PLAIN)) is two
        two.end()


OF_A_KIND = {
    "nothing": Check(sni=MX),
    "its name": Check(sni=MX, names=(MX,)),
    "another name": Check(sni=MX, names=("mail.partner.example",)),
    "another authority": Check(sni=MX, names=(MX,), authorities="partner.pem"),
    "a key": Check(sni=MX, pins=frozenset({"00" * 32})),
    "another key": Check(sni=MX, pins=frozenset({"11" * 32})),
    "records": Check(sni=MX, tlsa=(Tlsa(3, 1, 1, bytes(32)),), tlsa_names=(MX,)),
    "records for two names": Check(sni=MX, tlsa=(Tlsa(3, 1, 1, bytes(32)),), tlsa_names=(MX, "partner.example")),
    "newer records": Check(sni=MX, tlsa=(Tlsa(3, 1, 1, bytes(31) + b"1"),), tlsa_names=(MX,)),
}


@pytest.mark.parametrize("held", list(OF_A_KIND))
async def test_a_certificate_that_counts_was_judged_in_just_the_way_that_is_wanted(held: str, tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (pool, at):
        session = await session_at(at, Channel.PKIX)
        session.check = OF_A_KIND[held]
        for wanted, check in OF_A_KIND.items():
            pool.give_back(session)
            # What the terms demand is met by any of them; how it was come by is what tells them apart.
            taken = pool.take(session.endpoint, terms_of(Channel.ENCRYPTED, check=check))
            assert (taken is session) is (wanted in ("nothing", held))
            if taken is None:
                assert pool.take(session.endpoint, terms_of(Channel.ENCRYPTED, check=Check(sni=MX))) is session
        session.end()
