"""The transport `smarthost`: one host by name or address, with TLS, certificate and login as the route says."""

from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.core.outcome import Cause, Declined, Deferred, Delivered, Outcome, Proof
from gateway.core.reply import Status
from gateway.core.route import Declared
from gateway.core.tls import Channel, Protection
from gateway.transports.network import NetworkOptions
from gateway.transports.smarthost import Smarthost, parse_host
from tests.fakes import certificates
from tests.fakes.dns import SERVFAIL
from tests.fakes.mail_world import World, a_delivery, a_route, world
from tests.fakes.mx import OFFERS, Script

HOST = "relay.example"
LOGIN = (*OFFERS, "AUTH LOGIN PLAIN")


def nowhere_inside(options: NetworkOptions) -> NetworkOptions:
    return replace(options, internal=(ip_network("10.0.0.0/8"),))


async def deliver(
    at: World,
    options: Smarthost.Options | None = None,
    *,
    demands: Channel = Channel.ENCRYPTED,
    declared: Declared = Declared.CONNECTION,
    floor: Protection = Protection.NONE,
    name: str = "relay",
) -> Outcome:
    route = a_route(demands, declared=declared, name=name)
    options = options or Smarthost.Options(host=f"{HOST}:{at.network.options.mx.port}")
    delivery = a_delivery(route, "anywhere.test", floor=floor)
    (outcome,) = (await Smarthost(route, options, at.network).deliver(delivery)).values()
    return outcome


def options(at: World, **more: object) -> Smarthost.Options:
    host = f"{HOST}:{at.network.options.mx.port}"
    return Smarthost.Options(host=host, **more)  # pyright: ignore[reportArgumentType]


async def test_the_host_gets_mail_for_any_domain_and_no_mx_is_looked_up(tmp_path: Path) -> None:
    async with world(tmp_path, {HOST: Script(tls=certificates.good(HOST))}) as at:
        outcome = await deliver(at, demands=Channel.PKIX)
        assert isinstance(outcome, Delivered)
        assert outcome.evidence.verified
        assert outcome.evidence.mx_host == HOST
        assert at.hosts[HOST].received[0].rcpts == ("RCPT TO:<bob@anywhere.test>",)
        assert not any(kind == "MX" for _, kind in at.dns.questions)


async def test_a_pinned_name_is_what_the_certificate_must_be_for(tmp_path: Path) -> None:
    async with world(tmp_path, {HOST: Script(tls=certificates.good("cloud.example"))}) as at:
        assert isinstance(await deliver(at, options(at, match_name="cloud.example"), demands=Channel.PKIX), Delivered)
        refused = await deliver(at, demands=Channel.PKIX)
        assert isinstance(refused, Declined)
        assert refused.proof is Proof.CERTIFICATE


async def test_our_certificate_is_shown_to_a_host_that_asks(tmp_path: Path) -> None:
    async with world(tmp_path, {HOST: Script(tls=certificates.asks_for_ours(HOST))}) as at:
        ours = certificates.write_client(tmp_path, "gateway.council.example")
        shown = await deliver(at, options(at, client_certificate=ours), demands=Channel.PKIX)
        assert isinstance(shown, Delivered)
        without = await deliver(at, demands=Channel.PKIX, name="other")
        assert isinstance(without, Deferred)
        assert without.cause is Cause.PROTECTION


# Login.


@pytest.mark.parametrize(
    ("mechanisms", "expected"),
    [("AUTH PLAIN", ["AUTH PLAIN AHVzZXIAc2VjcmV0"]), ("AUTH LOGIN", ["AUTH LOGIN", "dXNlcg==", "c2VjcmV0"])],
)
async def test_a_login_is_said_inside_tls_only(mechanisms: str, expected: list[str], tmp_path: Path) -> None:
    script = Script(tls=certificates.good(HOST), extensions=(*OFFERS, mechanisms))
    async with world(tmp_path, {HOST: script}) as at:
        login = options(at, username="user", password="secret")
        assert isinstance(await deliver(at, login, demands=Channel.PLAIN), Delivered)
        (conversation,) = at.hosts[HOST].conversations
        commands = conversation.commands
        start = next(n for n, line in enumerate(commands) if line.startswith("AUTH"))
        assert commands[start : start + len(expected)] == expected
        assert b"AUTH" not in at.hosts[HOST].said(tls=False)


async def test_a_login_makes_tls_a_must_even_where_the_route_says_may(tmp_path: Path) -> None:
    async with world(tmp_path, {HOST: Script(extensions=LOGIN)}) as at:
        outcome = await deliver(at, options(at, username="user", password="secret"), demands=Channel.PLAIN)
        assert isinstance(outcome, Declined)
        said = at.hosts[HOST].said()
        assert b"AUTH" not in said
        assert b"MAIL" not in said


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ({"extensions": LOGIN, "replies": {"AUTH": "535 5.7.8 wrong"}}, Status(4, 7, 8)),
        ({"extensions": (*OFFERS, "AUTH GSSAPI")}, Status(4, 7, 0)),
        ({"extensions": OFFERS}, Status(4, 7, 0)),
    ],
)
async def test_a_login_that_fails_is_ours_to_repair(script: dict[str, object], status: Status, tmp_path: Path) -> None:
    host = Script(tls=certificates.good(HOST), **script)  # pyright: ignore[reportArgumentType]
    async with world(tmp_path, {HOST: host}) as at:
        outcome = await deliver(at, options(at, username="user", password="secret"))
        assert isinstance(outcome, Deferred)
        assert (outcome.cause, outcome.status) == (Cause.LOCAL, status)
        assert outcome.remote is None
        assert b"MAIL" not in at.hosts[HOST].said()


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
async def test_a_login_is_repeated_nowhere_though_the_host_repeats_it(mechanism: str, tmp_path: Path) -> None:
    echo = "535 5.7.8 wrong: user secret AHVzZXIAc2VjcmV0 c2VjcmV0"
    host = Script(tls=certificates.good(HOST), extensions=(*OFFERS, f"AUTH {mechanism}"), replies={"AUTH": echo})
    async with world(tmp_path, {HOST: host}) as at:
        outcome = await deliver(at, options(at, username="user", password="secret"))
        assert isinstance(outcome, Deferred)
        assert outcome.detail.endswith("refused our login with 535 5.7.8.")
        assert not any(word in repr(outcome).lower() for word in ("secret", "ahvz", "c2vj", "wrong"))
        assert echo.split()[-1].encode() in at.hosts[HOST].said() or mechanism == "PLAIN"


@pytest.mark.parametrize("replies", [{"AUTH": "334 more"}, {"AUTH LOGIN": "454 4.7.0 not now"}])
async def test_a_login_that_goes_another_way_than_login_does_is_refused(
    replies: dict[str, str], tmp_path: Path
) -> None:
    script = Script(tls=certificates.good(HOST), extensions=(*OFFERS, "AUTH LOGIN"), replies=replies)
    async with world(tmp_path, {HOST: script}) as at:
        outcome = await deliver(at, options(at, username="user", password="secret"))
        assert isinstance(outcome, Deferred)
        assert outcome.cause is Cause.LOCAL
        said = at.hosts[HOST].said()
        assert b"MAIL" not in said
        assert (b"dXNlcg==" in said) is ("AUTH" in replies)


async def test_a_host_that_is_not_declared_sealed_does_not_get_what_must_be(tmp_path: Path) -> None:
    async with world(tmp_path, {HOST: Script(tls=certificates.good(HOST))}) as at:
        kept = await deliver(at, demands=Channel.PKIX, floor=Protection.SEALED)
        assert isinstance(kept, Deferred)
        assert kept.cause is Cause.LOCAL
        assert at.hosts[HOST].conversations == []
        sent = await deliver(at, demands=Channel.PKIX, declared=Declared.SEALED, floor=Protection.SEALED)
        assert isinstance(sent, Delivered)
        assert sent.evidence.verified


def test_a_password_is_never_shown() -> None:
    assert "secret" not in repr(Smarthost.Options(host="h.example", username="user", password="secret"))


# Internal and sealed.


async def test_internal_mail_goes_to_an_address_inside_whatever_the_floor(tmp_path: Path) -> None:
    async with world(tmp_path, {HOST: Script()}) as at:
        outcome = await deliver(at, demands=Channel.PLAIN, declared=Declared.INTERNAL, floor=Protection.SEALED)
        assert isinstance(outcome, Delivered)


async def test_internal_mail_never_goes_outside(tmp_path: Path) -> None:
    async with world(tmp_path, {HOST: Script(tls=certificates.good(HOST))}, change=nowhere_inside) as at:
        for demands in (Channel.PLAIN, Channel.ENCRYPTED, Channel.PKIX):
            outcome = await deliver(at, demands=demands, declared=Declared.INTERNAL)
            assert isinstance(outcome, Deferred)
            assert (outcome.cause, outcome.status) == (Cause.LOCAL, Status(4, 3, 5))
        assert at.hosts[HOST].conversations == []


async def test_a_pinned_certificate_stands_for_being_inside_but_only_when_it_is_checked(tmp_path: Path) -> None:
    async with world(tmp_path, {HOST: Script(tls=certificates.good("cloud.example"))}, change=nowhere_inside) as at:
        pinned = options(at, match_name="cloud.example")
        unchecked = await deliver(at, pinned, demands=Channel.ENCRYPTED, declared=Declared.INTERNAL)
        assert isinstance(unchecked, Deferred)
        checked = await deliver(at, pinned, demands=Channel.PKIX, declared=Declared.INTERNAL, name="two")
        assert isinstance(checked, Delivered)


async def test_a_session_of_one_route_is_never_used_for_another(tmp_path: Path) -> None:
    async with world(tmp_path, {HOST: Script(tls=certificates.good(HOST))}) as at:
        for name in ("one", "one", "two"):
            assert isinstance(await deliver(at, name=name), Delivered)
        assert [len(conversation.received) for conversation in at.hosts[HOST].conversations] == [2, 1]


# The host.


async def test_an_address_needs_no_dns(tmp_path: Path) -> None:
    async with world(tmp_path, {HOST: Script()}) as at:
        there = Smarthost.Options(host=f"{at.hosts[HOST].host}:{at.hosts[HOST].port}")
        assert isinstance(await deliver(at, there, demands=Channel.PLAIN), Delivered)
        assert at.dns.questions == []


@pytest.mark.parametrize(
    ("host", "cause"), [("lost.example", Cause.DNS), ("none.example", Cause.LOCAL), ("down.example", Cause.UNREACHABLE)]
)
async def test_a_host_that_is_not_there_is_waited_for(host: str, cause: Cause, tmp_path: Path) -> None:
    zones: dict[str, dict[str, list[str] | str]] = {"lost.example": {"A": SERVFAIL, "AAAA": SERVFAIL}}
    async with world(tmp_path, {"down.example": None}, zones) as at:
        outcome = await deliver(at, Smarthost.Options(host=f"{host}:1"))
        assert isinstance(outcome, Deferred)
        assert outcome.cause is cause


async def test_the_next_hop_is_the_host(tmp_path: Path) -> None:
    async with world(tmp_path, {}) as at:
        carrier = Smarthost(a_route(), Smarthost.Options(host="[::1]:2525"), at.network)
        assert carrier.next_hop("x.test") == "::1:2525"
        with pytest.raises(TypeError):
            Smarthost(a_route(), object(), at.network)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("relay.example", ("relay.example", 25)),
        ("Relay.Example:587", ("relay.example", 587)),
        ("10.1.2.3", ("10.1.2.3", 25)),
        ("10.1.2.3:2525", ("10.1.2.3", 2525)),
        ("::1", ("::1", 25)),
        ("[::1]", ("::1", 25)),
        ("[::1]:26", ("::1", 26)),
    ],
)
def test_a_host_is_a_name_or_an_address_with_or_without_a_port(text: str, expected: tuple[str, int]) -> None:
    assert parse_host(text) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": ""},
        {"host": "two words"},
        {"host": "h.example:0"},
        {"host": "h.example:70000"},
        {"host": "h.example:x"},
        {"host": "h.example:"},
        {"host": "-h.example"},
        {"host": "[h.example"},
        {"host": "h", "private_key": Path("k")},
        {"host": "h", "username": "u"},
        {"host": "h", "password": "p"},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Smarthost.Options(**wrong)  # pyright: ignore[reportArgumentType]
