"""A look at a connector's host: everything that a delivery would do but for the mail."""

from pathlib import Path

import pytest

from gateway.core.grade import Grade, grade_of_evidence
from gateway.core.outcome import Cause, Declined, Deferred, Proof
from gateway.core.route import Declared
from gateway.core.tls import Channel, Evidence
from gateway.transports.smarthost import Smarthost
from tests.fakes import certificates
from tests.fakes.dns import SERVFAIL
from tests.fakes.mail_world import World, a_route, world
from tests.fakes.mx import OFFERS, Script

HOST = "relay.example"


async def look(
    at: World, demands: Channel = Channel.PKIX, declared: Declared = Declared.SEALED, **more: object
) -> Evidence | Deferred | Declined:
    options = Smarthost.Options(host=f"{HOST}:{at.network.options.mx.port}", **more)  # pyright: ignore[reportArgumentType]
    route = a_route(demands, declared=declared, name="cjsm")
    return await Smarthost(route, options, at.network).look()


async def test_a_look_shows_our_certificate_checks_theirs_and_says_no_mail(tmp_path: Path) -> None:
    async with world(tmp_path, {HOST: Script(tls=certificates.asks_for_ours("pinned.example"))}) as at:
        ours = certificates.write_client(tmp_path, "gateway.council.example")
        seen = await look(at, client_certificate=ours, match_name="pinned.example")
        assert isinstance(seen, Evidence)
        assert grade_of_evidence(seen) is Grade.PINNED and seen.demanded_by == "route cjsm"
        (conversation,) = at.hosts[HOST].conversations
        assert [command.split(" ")[0] for command in conversation.commands] == ["EHLO", "STARTTLS", "EHLO", "QUIT"]
        assert at.hosts[HOST].received == []


async def test_a_login_is_part_of_it(tmp_path: Path) -> None:
    script = Script(tls=certificates.good(HOST), extensions=(*OFFERS, "AUTH PLAIN"))
    async with world(tmp_path, {HOST: script}) as at:
        assert isinstance(await look(at, Channel.PLAIN, username="user", password="secret"), Evidence)
        assert "AUTH PLAIN AHVzZXIAc2VjcmV0" in at.hosts[HOST].conversations[0].commands


async def test_a_certificate_for_another_name_or_none_of_ours_is_why_it_cannot_be_used(tmp_path: Path) -> None:
    async with world(tmp_path, {HOST: Script(tls=certificates.asks_for_ours(HOST))}) as at:
        refused = await look(at, match_name="pinned.example")
        assert isinstance(refused, Declined) and refused.proof is Proof.CERTIFICATE
        unknown = await look(at)
        assert isinstance(unknown, Deferred) and unknown.cause is Cause.PROTECTION


async def test_the_next_address_is_tried_where_one_is_silent(tmp_path: Path) -> None:
    zones = {HOST: {"A": ["127.255.255.1", "@there"]}}
    async with world(tmp_path, {"there": Script(tls=certificates.good(HOST))}, zones) as at:
        for _ in range(4):  # Their order changes with each.
            assert isinstance(await look(at), Evidence)


@pytest.mark.parametrize(
    ("zones", "words"),
    [
        ({HOST: {"A": SERVFAIL}}, HOST),
        ({HOST: {"A": []}}, "has no address"),
        ({HOST: {"A": ["192.0.2.1"]}}, "outside the organisation's own networks"),
    ],
)
async def test_a_host_without_a_usable_address_is_told(
    zones: dict[str, dict[str, list[str] | str]], words: str, tmp_path: Path
) -> None:
    async with world(tmp_path, {"there": Script()}, zones) as at:
        seen = await look(at, declared=Declared.INTERNAL)
        assert isinstance(seen, Deferred) and words in seen.detail


async def test_a_host_that_is_not_there_is_told(tmp_path: Path) -> None:
    async with world(tmp_path, {HOST: None}) as at:
        seen = await look(at)
        assert isinstance(seen, Deferred) and seen.cause is Cause.UNREACHABLE
