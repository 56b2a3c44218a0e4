"""The promise: no byte of MAIL or later on a connection that is less than the message demands, whatever a host does."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.core.outcome import Cause, Declined, Deferred, Delivered, Outcome, Proof
from gateway.core.tls import Channel, Protection
from gateway.transports import TRANSPORTS
from gateway.transports.base import RouteTransport
from gateway.transports.smarthost import Smarthost
from tests.fakes import certificates
from tests.fakes.mail_world import World, a_delivery, a_route, world
from tests.fakes.mx import NO_COMMON_CIPHER, OLD_TLS, OLDEST_TLS, Script

MX = "mx.example"

DELIVERED = "delivered"
NO_STARTTLS, TLS_VERSION, CERTIFICATE = Proof.NO_STARTTLS, Proof.TLS_VERSION, Proof.CERTIFICATE
PROTECTION, UNREACHABLE, REPLY_4XX = Cause.PROTECTION, Cause.UNREACHABLE, Cause.REPLY_4XX


def tls(**more: object) -> Script:
    return Script(tls=certificates.good(MX), **more)  # pyright: ignore[reportArgumentType]


# What each host shows, and what comes of a message that demands ENCRYPTED, and of one that demands VERIFIED.
HOSTS: dict[str, tuple[Callable[[], Script], object, object]] = {
    "good": (tls, DELIVERED, DELIVERED),
    "no STARTTLS": (Script, NO_STARTTLS, NO_STARTTLS),
    # Whoever stands in the way can refuse it too.
    "no EHLO": (lambda: tls(replies={"EHLO": "502 no"}), PROTECTION, PROTECTION),
    "no EHLO, no TLS": (lambda: Script(replies={"EHLO": "502 no"}), PROTECTION, PROTECTION),
    "offer overwritten": (lambda: tls(offers=("XXXXXXXA",)), PROTECTION, PROTECTION),
    "untrusted": (lambda: Script(tls=certificates.untrusted(MX)), DELIVERED, CERTIFICATE),
    "expired": (lambda: Script(tls=certificates.expired(MX)), DELIVERED, CERTIFICATE),
    "other name": (lambda: Script(tls=certificates.good("mx.other.example")), DELIVERED, CERTIFICATE),
    "self-signed": (lambda: Script(tls=certificates.self_signed(MX)), DELIVERED, CERTIFICATE),
    "TLS 1.0": (lambda: tls(answers_hello=OLD_TLS), TLS_VERSION, TLS_VERSION),
    "only ever TLS 1.0": (lambda: tls(answers_hello=OLDEST_TLS), TLS_VERSION, TLS_VERSION),
    "no common cipher": (lambda: tls(answers_hello=NO_COMMON_CIPHER), PROTECTION, PROTECTION),
    "nonsense for a hello": (lambda: tls(answers_hello=b"250 mx\r\n"), PROTECTION, PROTECTION),
    "wants our certificate": (lambda: Script(tls=certificates.asks_for_ours(MX)), PROTECTION, PROTECTION),
    "injected reply": (lambda: tls(after_220=b"250 mx\r\n"), PROTECTION, PROTECTION),
    "injected session": (lambda: tls(after_220=b"250 mx\r\n" * 4 + b"354 go\r\n250 ok\r\n"), PROTECTION, PROTECTION),
    "injected half a line": (lambda: tls(after_220=b"2"), PROTECTION, PROTECTION),
    "454": (lambda: tls(replies={"STARTTLS": "454 4.7.0 not now"}), PROTECTION, PROTECTION),
    "502 to STARTTLS": (lambda: tls(replies={"STARTTLS": "502 5.5.1 what"}), PROTECTION, PROTECTION),
    "250 to STARTTLS": (lambda: tls(replies={"STARTTLS": "250 fine"}), PROTECTION, PROTECTION),
    "EHLO refused in TLS": (lambda: tls(replies={"EHLO in TLS": "554 no", "HELO": "554 no"}), PROTECTION, PROTECTION),
    "421 in TLS": (lambda: tls(replies={"EHLO in TLS": "421 busy"}), PROTECTION, PROTECTION),
    "greeting 421": (lambda: tls(replies={"connect": "421 busy"}), REPLY_4XX, REPLY_4XX),
    "greeting 554": (lambda: tls(replies={"connect": "554 go away"}), UNREACHABLE, UNREACHABLE),
    "greeting in riddles": (lambda: tls(replies={"connect": "hello"}), UNREACHABLE, UNREACHABLE),
    "EHLO 451": (lambda: tls(replies={"EHLO": "451 later"}), REPLY_4XX, REPLY_4XX),
    **{f"silent at {step}": (lambda step=step: tls(silent_at=step), cause, cause) for step, cause in (
        ("connect", UNREACHABLE), ("EHLO", UNREACHABLE),
        ("STARTTLS", PROTECTION), ("handshake", PROTECTION), ("EHLO in TLS", PROTECTION),
    )},
    **{f"hangs up at {step}": (lambda step=step: tls(closes_at=step), cause, cause) for step, cause in (
        ("connect", UNREACHABLE), ("EHLO", UNREACHABLE),
        ("STARTTLS", PROTECTION), ("handshake", PROTECTION), ("EHLO in TLS", PROTECTION),
    )},
}  # fmt: skip


def carriers(at: World, demands: Channel) -> dict[str, RouteTransport]:
    """Each transport of the table, set up for the one host."""
    options: dict[str, object] = {
        "mx": TRANSPORTS["mx"].Options(),
        "smarthost": Smarthost.Options(host=f"{MX}:{at.network.options.mx.port}"),
    }
    return {name: TRANSPORTS[name](a_route(demands), options[name], at.network) for name in options}


def nature(outcome: Outcome) -> object:
    match outcome:
        case Delivered():
            return DELIVERED
        case Deferred():
            return outcome.cause
        case Declined():
            return outcome.proof
        case _:
            return outcome


@pytest.mark.parametrize(("transport", "by"), [("mx", "floor"), ("smarthost", "route")])
@pytest.mark.parametrize("demand", [Protection.ENCRYPTED, Protection.VERIFIED])
@pytest.mark.parametrize("name", list(HOSTS))
async def test_no_mail_below_the_demand(name: str, demand: Protection, by: str, transport: str, tmp_path: Path) -> None:
    script, when_encrypted, when_verified = HOSTS[name]
    channel = {Protection.ENCRYPTED: Channel.ENCRYPTED, Protection.VERIFIED: Channel.PKIX}[demand]
    async with world(tmp_path, {MX: script()}) as at:
        carrier = carriers(at, channel if by == "route" else Channel.PLAIN)[transport]
        delivery = a_delivery(a_route(), f"{MX}.test", floor=demand if by == "floor" else Protection.NONE)
        outcomes = await carrier.deliver(delivery)
        expected = when_encrypted if demand is Protection.ENCRYPTED else when_verified
        assert {number: nature(outcome) for number, outcome in outcomes.items()} == {3: expected}
        host = at.hosts[MX]
        in_clear = host.said(tls=False)
        assert not any(verb in in_clear for verb in (b"MAIL", b"RCPT", b"DATA", b"AUTH", b"anna@", b"bob@", b"Hello"))
        if expected is not DELIVERED:
            assert b"MAIL" not in host.said()
            assert host.received == []
        else:
            assert b"MAIL" in host.said(tls=True)
            assert len(host.received) == 1


async def test_a_host_that_showed_tls_is_not_believed_when_it_no_longer_offers_it(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: tls()}) as at:
        carrier = carriers(at, Channel.ENCRYPTED)["mx"]
        delivery = a_delivery(a_route(), f"{MX}.test")
        assert isinstance((await carrier.deliver(delivery))[3], Delivered)
        await at.network.pool.aclose()
        at.hosts[MX].script = Script()
        after = (await carrier.deliver(delivery))[3]
        assert isinstance(after, Deferred)
        assert after.cause is PROTECTION
        assert "before" in after.detail
        await at.clock.advance(timedelta(days=8))
        assert nature((await carrier.deliver(delivery))[3]) is NO_STARTTLS
        assert b"MAIL" not in at.hosts[MX].said(tls=False)
