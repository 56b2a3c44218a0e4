"""REQUIRETLS on its way out (RFC 8689 section 4.2.1), at each level that the machine may be set to."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core.demand import RequireTls
from gateway.core.outcome import Declined, Delivered, Outcome, Proof
from gateway.core.reply import Status
from gateway.core.tls import Channel, Protection
from gateway.transports.network import NetworkOptions
from gateway.transports.smarthost import Smarthost
from tests.fakes import certificates
from tests.fakes.mail_world import World, a_delivery, a_route, world
from tests.fakes.mx import OFFERS, Script
from tests.transports.trusting import DOMAIN, MX, SECOND, deliver, heard_no_mail, policy, waits_for_protection

TAKES_IT = (*OFFERS, "REQUIRETLS")
BOTH = {"many.test": {"MX": [f"10 {MX}.", f"20 {SECOND}."]}}


def level(value: RequireTls) -> Callable[[NetworkOptions], NetworkOptions]:
    return lambda options: replace(options, require_tls=value)


ENFORCE, STARTTLS, OPPORTUNISTIC = map(level, RequireTls)


def good(host: str = MX, *, takes: bool = True) -> Script:
    return Script(tls=certificates.good(host), extensions=TAKES_IT if takes else OFFERS)


def was_asked(at: World, host: str = MX) -> list[bool]:
    return [message.mail.endswith(" REQUIRETLS") for message in at.hosts[host].received]


@pytest.mark.parametrize("takes", [True, False])
@pytest.mark.parametrize("change", [STARTTLS, OPPORTUNISTIC])
async def test_it_is_said_where_it_is_offered_and_no_must_elsewhere(
    change: Callable[[NetworkOptions], NetworkOptions], takes: bool, tmp_path: Path
) -> None:
    async with world(tmp_path, {MX: good(takes=takes)}, change=change) as at:
        assert isinstance(await deliver(at, require_tls=True), Delivered)
        assert isinstance(await deliver(at), Delivered)
        assert was_asked(at) == [takes, False]


async def test_tls_is_a_must_with_a_status_of_its_own_unless_it_is_only_wished_for(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(extensions=TAKES_IT)}, change=STARTTLS) as at:
        outcome = await deliver(at, require_tls=True, tls_optional=True)
        assert isinstance(outcome, Declined)
        assert (outcome.proof, outcome.status) == (Proof.NO_STARTTLS, Status(5, 7, 10))
        assert heard_no_mail(at.hosts[MX])
        assert isinstance(await deliver(at), Delivered)
    async with world(tmp_path, {MX: Script(extensions=TAKES_IT)}, change=OPPORTUNISTIC) as at:
        assert isinstance(await deliver(at, require_tls=True), Delivered)
        # Outside TLS an offer is none.
        assert was_asked(at) == [False]
        refused = await deliver(at, require_tls=True, floor=Protection.ENCRYPTED)
        assert isinstance(refused, Declined)
        assert refused.status == Status(5, 7, 4)


async def test_enforced_it_goes_to_the_host_that_offers_it(tmp_path: Path) -> None:
    hosts = {MX: good(takes=False), SECOND: good(SECOND)}
    async with world(tmp_path, hosts, BOTH, ENFORCE) as at:
        at.sts.domains["many.test"] = policy(MX, SECOND, domain="many.test")
        assert isinstance(await deliver(at, "many.test", require_tls=True), Delivered)
        assert heard_no_mail(at.hosts[MX])
        assert was_asked(at, SECOND) == [True]
        at.hosts[SECOND].script = good(SECOND, takes=False)
        await at.network.pool.aclose()
        outcome = await deliver(at, "many.test", require_tls=True)
        assert isinstance(outcome, Declined)
        assert (outcome.proof, outcome.status) == (Proof.NO_REQUIRETLS, Status(5, 7, 30))
        # A session kept from other mail is no way around it.
        assert isinstance(await deliver(at, "many.test"), Delivered)
        assert isinstance(await deliver(at, "many.test", require_tls=True), Declined)
        assert len(at.hosts[SECOND].received) == 1


async def test_enforced_it_needs_a_name_that_is_vouched_for_and_a_good_certificate(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: good()}, change=ENFORCE) as at:
        nobody = await deliver(at, require_tls=True)
        assert isinstance(nobody, Declined)
        assert nobody.proof is Proof.NOT_AUTHENTIC
        assert at.hosts[MX].conversations == []
        at.sts.domains[DOMAIN] = policy("mx.other.example")
        waits_for_protection(await deliver(at, require_tls=True))
        at.sts.domains[DOMAIN] = policy()
        at.hosts[MX].script = Script(tls=certificates.expired(MX), extensions=TAKES_IT)
        refused = await deliver(at, require_tls=True)
        assert isinstance(refused, Declined)
        assert refused.proof is Proof.CERTIFICATE
        assert heard_no_mail(at.hosts[MX])


async def to_relay(at: World, demands: Channel = Channel.PLAIN) -> Outcome:
    route = a_route(demands, name="relay")
    carrier = Smarthost(route, Smarthost.Options(host=f"{MX}:{at.network.options.mx.port}"), at.network)
    delivery = a_delivery(route, "anywhere.test", require_tls=True)
    (outcome,) = (await carrier.deliver(delivery)).values()
    return outcome


async def test_a_host_of_our_own_has_to_keep_it_too(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: good()}, change=ENFORCE) as at:
        assert isinstance(await to_relay(at), Delivered)
        assert was_asked(at) == [True]
        at.hosts[MX].script = good(takes=False)
        await at.network.pool.aclose()
        without = await to_relay(at)
        assert isinstance(without, Declined)
        assert without.proof is Proof.NO_REQUIRETLS
        at.hosts[MX].script = Script()
        assert not isinstance(await to_relay(at), Delivered)
        assert len(at.hosts[MX].received) == 1
        assert (at.tlsa.asked, at.sts.asked) == ([], [])
