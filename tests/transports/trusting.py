"""What the tests of DANE, MTA-STS and pins have in common: certificates, records and policies made to order."""

from datetime import timedelta
from hashlib import sha256

from gateway.core.dane import Tlsa, TlsaFound
from gateway.core.outcome import Cause, Deferred, Outcome
from gateway.core.sts import StsFound, StsMode, StsPolicy
from gateway.core.tls import Channel, Protection
from gateway.transports.mx import Mx
from tests.fakes.certificates import Made, make
from tests.fakes.mail_world import World, a_delivery, a_route
from tests.fakes.mx import FakeMx

MX, SECOND = "mx.example", "mx2.example"
DOMAIN = f"{MX}.test"


def alone(*names: str) -> Made:
    """A certificate that nobody signed but itself."""
    return make("it", names=names)


def record_of(made: Made) -> Tlsa:
    """3 1 1: the digest of its public key."""
    return Tlsa(3, 1, 1, sha256(made.spki).digest())


def published(*made: Made, base: str = MX) -> TlsaFound:
    """The records of a host that shows one of these."""
    return TlsaFound(base, tuple(record_of(each) for each in made))


def key_of(made: Made) -> str:
    """As a pin has it."""
    return sha256(made.spki).hexdigest()


def policy(*mx: str, mode: StsMode = StsMode.ENFORCE, domain: str = DOMAIN) -> StsFound:
    """A policy with these hosts."""
    return StsFound(domain, "id1", StsPolicy(mode=mode, max_age=timedelta(days=7), mx=mx or (MX,)))


async def deliver(
    at: World,
    domain: str = DOMAIN,
    *,
    demands: Channel = Channel.PLAIN,
    floor: Protection = Protection.NONE,
    authentic: bool = False,
    **more: object,
) -> Outcome:
    """What comes of a message by a route of that level."""
    route = a_route(demands, authentic=authentic)
    delivery = a_delivery(route, domain, floor=floor, **more)  # pyright: ignore[reportArgumentType]
    (outcome,) = (await Mx(route, Mx.Options(), at.network).deliver(delivery)).values()
    return outcome


def heard_no_mail(host: FakeMx) -> bool:
    """Whether nothing of a message was said to the host, in TLS or in the clear."""
    said = host.said()
    return not any(word in said for word in (b"MAIL", b"RCPT", b"DATA", b"anna@", b"bob@", b"Hello"))


def waits_for_protection(outcome: Outcome) -> Deferred:
    """The outcome, which has to be a deferral that leads to no clear text later."""
    assert isinstance(outcome, Deferred), outcome
    assert outcome.cause is Cause.PROTECTION
    assert outcome.status.klass == 4
    assert not outcome.handshake_failed
    return outcome
