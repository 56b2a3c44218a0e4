"""The transport `mx`: which host is asked, in which order, and what follows when none takes the message."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.core.envelope import BodyType
from gateway.core.outcome import Cause, Declined, Deferred, Delivered, Failed, Outcome, Proof
from gateway.core.reply import Status
from gateway.core.tls import Channel, Protection
from gateway.transports.mx import Mx
from tests.fakes import certificates
from tests.fakes.dns import SERVFAIL, SILENT
from tests.fakes.mail_world import BODY, HEADER, World, a_delivery, a_route, world
from tests.fakes.mx import OFFERS, Script

MX, SECOND, THIRD = "mx.example", "mx2.example", "mx3.example"


async def deliver(
    at: World,
    destination: str = f"{MX}.test",
    demands: Channel = Channel.ENCRYPTED,
    *,
    waited: timedelta | None = None,
    floor: Protection = Protection.NONE,
) -> Outcome:
    route = a_route(demands)
    delivery = a_delivery(route, destination, waited=waited, floor=floor)
    (outcome,) = (await Mx(route, Mx.Options(), at.network).deliver(delivery)).values()
    return outcome


def good(host: str = MX, **more: object) -> Script:
    return Script(tls=certificates.good(host), **more)  # pyright: ignore[reportArgumentType]


async def test_a_message_arrives_byte_for_byte_and_the_evidence_says_how(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: good()}) as at:
        outcome = await deliver(at, demands=Channel.PKIX, floor=Protection.ENCRYPTED)
        assert isinstance(outcome, Delivered)
        assert outcome.remote.host == MX
        assert outcome.remote.reply.lines == ("taken",)
        assert outcome.relayed_dsn
        evidence = outcome.evidence
        assert (evidence.mx_host, evidence.port) == (MX, at.network.options.mx.port)
        assert evidence.verified
        assert evidence.tls_version == "TLSv1.3"
        assert evidence.names == (MX,)
        assert evidence.how == f"certificate checked for the name {MX}"
        assert evidence.demanded_by == "route r, floor encrypted"
        (message,) = at.hosts[MX].received
        assert message.data == HEADER + BODY.replace(b"\r\n.", b"\r\n..")
        assert message.tls == "TLSv1.3"


async def test_an_unchecked_certificate_is_shown_as_such(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=certificates.expired(MX))}) as at:
        outcome = await deliver(at)
        assert isinstance(outcome, Delivered)
        assert not outcome.evidence.verified
        assert outcome.evidence.how == "certificate not checked"
        assert outcome.evidence.not_after == certificates.EXPIRED_ON


@pytest.mark.parametrize(
    ("script", "detail"),
    [
        (lambda: Script(tls=certificates.expired(MX)), f"The certificate of {MX} expired on 2024-01-02."),
        (
            lambda: Script(tls=certificates.good("a.example", "b.example")),
            f"The certificate of {MX} is for other names: a.example, b.example.",
        ),
        (
            lambda: Script(tls=certificates.untrusted(MX)),
            f"The certificate of {MX} is signed by an authority that is not trusted.",
        ),
        (lambda: Script(tls=certificates.self_signed(MX)), f"The certificate of {MX} is signed by itself only."),
    ],
)
async def test_a_refused_certificate_is_described_in_a_sentence(
    script: Callable[[], Script], detail: str, tmp_path: Path
) -> None:
    async with world(tmp_path, {MX: script()}) as at:
        outcome = await deliver(at, demands=Channel.PKIX)
        assert isinstance(outcome, Declined)
        assert outcome.detail == detail
        assert outcome.status == Status(5, 7, 5)
        assert outcome.evidence is not None
        assert outcome.evidence.how == f"refused: {detail}"
        assert not outcome.evidence.verified
        assert outcome.evidence.chain_digest


# Opportunistic TLS: floor none, route may.


async def test_may_uses_tls_where_it_is_offered_and_clear_text_where_not(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=certificates.expired(MX)), SECOND: Script()}) as at:
        secured = await deliver(at, demands=Channel.PLAIN)
        clear = await deliver(at, f"{SECOND}.test", Channel.PLAIN)
        assert isinstance(secured, Delivered)
        assert isinstance(clear, Delivered)
        assert secured.evidence.tls_version
        assert clear.evidence.tls_version is None
        assert clear.evidence.how == "no TLS"
        assert at.hosts[SECOND].received[0].tls is None


async def test_may_meets_a_broken_starttls_in_clear_only_after_five_minutes_and_only_then(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: good(replies={"STARTTLS": "454 not now"})}) as at:
        first = await deliver(at, demands=Channel.PLAIN)
        assert isinstance(first, Deferred)
        assert first.cause is Cause.PROTECTION
        assert first.handshake_failed
        early = await deliver(at, demands=Channel.PLAIN, waited=timedelta(minutes=4, seconds=59))
        assert isinstance(early, Deferred)
        assert at.hosts[MX].received == []
        later = await deliver(at, demands=Channel.PLAIN, waited=timedelta(minutes=5))
        assert isinstance(later, Delivered)
        assert later.evidence.tls_version is None
        # The session in clear was for that message alone.
        assert len(at.network.pool) == 0
        assert isinstance(await deliver(at, demands=Channel.PLAIN), Deferred)


async def test_one_recipient_that_has_not_waited_keeps_all_from_clear_text(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: good(replies={"STARTTLS": "454 not now"})}) as at:
        route = a_route(Channel.PLAIN)
        waited = a_delivery(route, f"{MX}.test", recipients=("a", "b"), waited=timedelta(hours=1))
        fresh = a_delivery(route, f"{MX}.test", recipients=("a", "b"))
        mixed = replace(fresh, targets=(waited.targets[0], fresh.targets[1]))
        outcomes = await Mx(route, Mx.Options(), at.network).deliver(mixed)
        assert [type(outcome) for outcome in outcomes.values()] == [Deferred, Deferred]
        assert at.hosts[MX].received == []


# Several hosts.


def hosts_in_order(*names: str) -> dict[str, dict[str, list[str] | str]]:
    return {"many.test": {"MX": [f"{n}0 {name}." for n, name in enumerate(names, start=1)]}}


async def test_the_best_host_is_asked_first_and_alone(tmp_path: Path) -> None:
    zones = hosts_in_order(SECOND, MX)
    async with world(tmp_path, {MX: good(), SECOND: good(SECOND)}, zones) as at:
        assert isinstance(await deliver(at, "many.test"), Delivered)
        assert len(at.hosts[SECOND].received) == 1
        assert at.hosts[MX].conversations == []


@pytest.mark.parametrize(
    "first",
    [
        None,
        Script(),
        Script(replies={"connect": "554 no"}),
        Script(silent_at="connect"),
        Script(replies={"MAIL": "421 busy"}, tls=certificates.good(MX)),
        Script(closes_at="MAIL", tls=certificates.good(MX)),
    ],
)
async def test_a_host_that_does_not_take_the_message_is_followed_by_the_next(
    first: Script | None, tmp_path: Path
) -> None:
    hosts = {SECOND: good(SECOND), MX: first}
    async with world(tmp_path, hosts, hosts_in_order(MX, SECOND)) as at:
        assert isinstance(await deliver(at, "many.test"), Delivered)
        assert at.hosts[SECOND].received[0].tls


async def test_a_refusal_of_the_recipient_is_final_and_no_other_host_is_asked(tmp_path: Path) -> None:
    hosts = {MX: good(replies={"RCPT": "550 5.1.1 no such user"}), SECOND: good(SECOND)}
    async with world(tmp_path, hosts, hosts_in_order(MX, SECOND)) as at:
        outcome = await deliver(at, "many.test")
        assert isinstance(outcome, Failed)
        assert outcome.status == Status(5, 1, 1)
        assert outcome.remote is not None
        assert outcome.remote.reply.lines == ("no such user",)
        assert at.hosts[SECOND].conversations == []


async def test_only_when_every_host_proved_it_is_the_message_declined(tmp_path: Path) -> None:
    scripts = {MX: Script(), SECOND: Script(tls=certificates.expired(SECOND))}
    async with world(tmp_path, scripts, hosts_in_order(MX, SECOND)) as at:
        outcome = await deliver(at, "many.test", Channel.PKIX)
        assert isinstance(outcome, Declined)
        assert outcome.proof is Proof.NO_STARTTLS
        assert outcome.status == Status(5, 7, 4)


@pytest.mark.parametrize("unknown", [None, Script(silent_at="connect"), Script(replies={"EHLO": "451 later"})])
async def test_one_host_that_could_not_be_asked_makes_it_wait(unknown: Script | None, tmp_path: Path) -> None:
    scripts = {MX: Script(), SECOND: unknown}
    async with world(tmp_path, scripts, hosts_in_order(MX, SECOND)) as at:
        outcome = await deliver(at, "many.test")
        assert isinstance(outcome, Deferred)
        assert outcome.cause is Cause.PROTECTION
        assert outcome.status == Status(4, 7, 4)
        assert b"MAIL" not in at.hosts[MX].said()


async def test_a_host_whose_address_is_unknown_makes_it_wait_too(tmp_path: Path) -> None:
    zones = hosts_in_order(MX, "lost.example") | {"lost.example": {"A": SERVFAIL, "AAAA": SERVFAIL}}
    async with world(tmp_path, {MX: Script()}, zones) as at:
        outcome = await deliver(at, "many.test")
        assert isinstance(outcome, Deferred)
        assert outcome.cause is Cause.PROTECTION


async def test_hosts_beyond_the_limit_are_not_asked_and_prove_nothing(tmp_path: Path) -> None:
    names = tuple(f"mx{number}.example" for number in range(9))
    scripts: dict[str, Script | None] = dict.fromkeys(names, Script())
    async with world(tmp_path, scripts, hosts_in_order(*names)) as at:
        outcome = await deliver(at, "many.test")
        assert isinstance(outcome, Deferred)
        assert outcome.cause is Cause.PROTECTION
        assert [len(at.hosts[name].conversations) for name in names] == [1] * 8 + [0]


async def test_nothing_listening_anywhere_is_unreachable(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: None, SECOND: None}, hosts_in_order(MX, SECOND)) as at:
        outcome = await deliver(at, "many.test")
        assert isinstance(outcome, Deferred)
        assert outcome.cause is Cause.UNREACHABLE
        assert outcome.status == Status(4, 4, 1)
        assert "connection refused" in outcome.detail


# DNS.


@pytest.mark.parametrize(
    ("zones", "expected"),
    [
        ({}, Status(5, 1, 2)),
        ({"x.test": {"MX": ["0 ."]}}, Status(5, 1, 10)),
        ({"x.test": {"MX": ["10 gateway.council.example."]}}, Status(5, 4, 6)),
        ({"x.test": {"MX": ["10 127.0.0.1."]}}, Status(5, 4, 4)),
        ({"x.test": {"MX": ["10 localhost."]}}, Status(5, 4, 4)),
        ({"x.test": {"MX": ["10 none.example."], "A": ["@mx.example"]}}, Status(5, 4, 4)),
        ({"x.test": {"MX": ["10 inside.example."]}, "inside.example": {"A": ["10.1.2.3"]}}, Status(5, 4, 4)),
        ({"x.test": {}}, Status(5, 4, 4)),
    ],
)
async def test_a_domain_that_can_get_no_mail_fails_at_once(
    zones: dict[str, dict[str, list[str] | str]], expected: Status, tmp_path: Path
) -> None:
    async with world(tmp_path, {MX: good()}, zones) as at:
        outcome = await deliver(at, "x.test")
        assert isinstance(outcome, Failed)
        assert outcome.status == expected
        assert outcome.detail.endswith(".")
        assert at.hosts[MX].conversations == []


@pytest.mark.parametrize("failure", [SERVFAIL, SILENT])
async def test_dns_that_does_not_answer_is_no_answer(failure: str, tmp_path: Path) -> None:
    zones: dict[str, dict[str, list[str] | str]] = {"x.test": {"MX": failure, "A": ["@mx.example"]}}
    async with world(tmp_path, {MX: good()}, zones) as at:
        outcome = await deliver(at, "x.test")
        assert isinstance(outcome, Deferred)
        assert outcome.cause is Cause.DNS
        assert outcome.status == Status(4, 4, 3)
        assert at.hosts[MX].conversations == []


async def test_without_mx_records_the_domain_is_its_own_host(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: good("x.test")}, {"x.test": {"A": [f"@{MX}"]}}) as at:
        outcome = await deliver(at, "x.test", Channel.PKIX)
        assert isinstance(outcome, Delivered)
        assert outcome.evidence.mx_host == "x.test"


async def test_an_address_literal_is_vetted_and_reached(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: good()}) as at:
        address = at.hosts[MX].host
        assert isinstance(await deliver(at, f"[{address}]"), Delivered)
        refused = await deliver(at, "[10.1.2.3]")
        assert isinstance(refused, Failed)
        assert refused.status == Status(5, 4, 4)


async def test_a_second_address_is_tried_when_the_first_is_dead(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: good(), SECOND: None}, {"x.test": {"A": [f"@{SECOND}", f"@{MX}"]}}) as at:
        outcomes = [await deliver(at, "x.test") for _ in range(3)]
        assert all(isinstance(outcome, Delivered) for outcome in outcomes)


# What a host cannot carry.


@pytest.mark.parametrize(("lacks", "status"), [("8BITMIME", Status(5, 6, 3)), ("SMTPUTF8", Status(5, 6, 7))])
async def test_a_host_that_cannot_carry_the_message_is_passed_over_and_then_it_fails(
    lacks: str, status: Status, tmp_path: Path
) -> None:
    offers = tuple(offer for offer in OFFERS if offer != lacks)
    scripts = {MX: good(extensions=offers), SECOND: good(SECOND, extensions=offers), THIRD: good(THIRD)}
    zones = hosts_in_order(MX, SECOND, THIRD) | {"two.test": {"MX": [f"10 {MX}.", f"20 {SECOND}."]}}
    async with world(tmp_path, scripts, zones) as at:
        route = a_route()
        carrier = Mx(route, Mx.Options(), at.network)
        for destination in ("many.test", "two.test"):
            delivery = a_delivery(
                route,
                destination,
                body_type=BodyType.EIGHT_BIT if lacks == "8BITMIME" else BodyType.SEVEN_BIT,
                recipients=("bob",) if lacks == "8BITMIME" else ("jürgen",),
            )
            (outcome,) = (await carrier.deliver(delivery)).values()
            if destination == "many.test":
                assert isinstance(outcome, Delivered)
            else:
                assert isinstance(outcome, Failed)
                assert outcome.status == status
        assert len(at.hosts[THIRD].received) == 1
        assert b"MAIL" not in at.hosts[MX].said()


async def test_a_message_over_the_announced_size_is_not_tried(tmp_path: Path) -> None:
    size = len(HEADER) + len(BODY)
    scripts = {MX: good(extensions=(f"SIZE {size - 1}",)), SECOND: good(SECOND, extensions=(f"SIZE {size}",))}
    async with world(tmp_path, scripts) as at:
        outcome = await deliver(at)
        assert isinstance(outcome, Failed)
        assert outcome.status == Status(5, 3, 4)
        assert isinstance(await deliver(at, f"{SECOND}.test"), Delivered)
        assert b"MAIL" not in at.hosts[MX].said()


async def test_a_route_that_cannot_give_the_floor_keeps_the_message(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: good()}) as at:
        outcome = await deliver(at, demands=Channel.PKIX, floor=Protection.SEALED)
        assert isinstance(outcome, Deferred)
        assert outcome.cause is Cause.LOCAL
        assert at.hosts[MX].conversations == []


async def test_the_next_hop_is_the_domain(tmp_path: Path) -> None:
    async with world(tmp_path, {}) as at:
        assert Mx(a_route(), Mx.Options(), at.network).next_hop("x.test") == "x.test"
