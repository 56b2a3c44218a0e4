"""The witness against every combination of route, floor and evidence; its table is written anew here."""

from dataclasses import replace
from itertools import product

import pytest

from gateway.core.outcome import Sealed
from gateway.core.route import Declared, Route
from gateway.core.sealing import Method, Sealing, Unlock
from gateway.core.tls import Channel, Evidence, MxAuth, Protection
from gateway.core.witness import fell_short
from tests.core.queued import DELIVERED, EVIDENCE

VERIFIED = EVIDENCE
ENCRYPTED = replace(EVIDENCE, channel=Channel.ENCRYPTED)
PLAIN = replace(EVIDENCE, tls_version=None, cipher=None, chain_digest=None, channel=Channel.PLAIN)

N, E, V, S = Protection.NONE, Protection.ENCRYPTED, Protection.VERIFIED, Protection.SEALED


def short(evidence: Evidence, way: Route, floor: Protection) -> bool:
    return fell_short(replace(DELIVERED, evidence=evidence), way, floor)


def route(demands: Channel, declared: Declared = Declared.CONNECTION, *, authentic: bool = False) -> Route:
    return Route(name="r", transport="mx", demands=demands, declared=declared, authentic=authentic)


def seen(mx: MxAuth, channel: Channel) -> Evidence:
    return PLAIN if channel is Channel.PLAIN else replace(EVIDENCE, mx=mx, channel=channel)


@pytest.mark.parametrize(
    ("evidence", "enough_for"),
    [(PLAIN, {N}), (ENCRYPTED, {N, E}), (VERIFIED, {N, E, V})],
)
def test_connection_is_enough_for_its_floors_and_short_of_all_others(
    evidence: Evidence, enough_for: set[Protection]
) -> None:
    for floor in Protection:
        assert short(evidence, route(Channel.PLAIN), floor) is (floor not in enough_for)


@pytest.mark.parametrize("channel", [Channel.PKIX, Channel.PINNED, Channel.DANE])
def test_route_that_demands_more_than_the_floor_is_held_to_its_own_demand(channel: Channel) -> None:
    assert short(ENCRYPTED, route(channel), N)
    assert not short(VERIFIED, route(channel), N)
    assert short(PLAIN, route(Channel.ENCRYPTED), N)
    assert not short(ENCRYPTED, route(Channel.ENCRYPTED), N)


@pytest.mark.parametrize("floor", list(Protection))
def test_sealed_route_meets_every_floor_only_over_verified_tls(floor: Protection) -> None:
    sealed = route(Channel.PLAIN, Declared.SEALED)
    assert short(PLAIN, sealed, floor)
    assert short(ENCRYPTED, sealed, floor)
    assert not short(VERIFIED, sealed, floor)


@pytest.mark.parametrize("floor", list(Protection))
def test_internal_route_meets_every_floor_once_its_own_level_is_met(floor: Protection) -> None:
    assert not short(PLAIN, route(Channel.PLAIN, Declared.INTERNAL), floor)
    assert short(PLAIN, route(Channel.ENCRYPTED, Declared.INTERNAL), floor)
    assert not short(ENCRYPTED, route(Channel.ENCRYPTED, Declared.INTERNAL), floor)


@pytest.mark.parametrize(
    "doubtful",
    [
        replace(EVIDENCE, tls_version="TLSv1"),
        replace(EVIDENCE, tls_version="TLSv1.1"),
        replace(EVIDENCE, tls_version=""),
        replace(EVIDENCE, cipher=None),
        replace(EVIDENCE, chain_digest=None),
        replace(EVIDENCE, chain_digest=""),
    ],
)
def test_doubtful_evidence_is_short_of_verified(doubtful: Evidence) -> None:
    assert short(doubtful, route(Channel.PLAIN), V)
    assert not short(EVIDENCE, route(Channel.PLAIN), V)


CHECKED = frozenset({Channel.PKIX, Channel.PINNED, Channel.DANE})
ANY_TLS = CHECKED | {Channel.ENCRYPTED}
ANYTHING = frozenset(Channel)
ENOUGH_FOR_ROUTE = dict.fromkeys(CHECKED, CHECKED) | {Channel.ENCRYPTED: ANY_TLS, Channel.PLAIN: ANYTHING}
ENOUGH_FOR_FLOOR = {N: ANYTHING, E: ANY_TLS, V: CHECKED, S: frozenset[Channel]()}


def enough(channel: Channel, demands: Channel, declared: Declared, floor: Protection) -> bool:
    by_declaration = {
        Declared.CONNECTION: ENOUGH_FOR_FLOOR[floor],
        Declared.SEALED: CHECKED,
        Declared.SEALING: frozenset[Channel](),
        Declared.INTERNAL: ANYTHING,
    }
    return channel in ENOUGH_FOR_ROUTE[demands] and channel in by_declaration[declared]


@pytest.mark.parametrize(("channel", "mx"), list(product(Channel, MxAuth)))
def test_every_combination_of_route_floor_and_connection(channel: Channel, mx: MxAuth) -> None:
    evidence = seen(mx, channel)
    for demands, declared, floor, authentic in product(Channel, Declared, Protection, (False, True)):
        vouched_for = not authentic or evidence.mx is not MxAuth.NONE
        fine = enough(channel, demands, declared, floor) and vouched_for
        found = short(evidence, route(demands, declared, authentic=authentic), floor)
        assert found is not fine, (demands, declared, floor, authentic)


@pytest.mark.parametrize("mx", list(MxAuth))
def test_unchecked_certificate_is_never_verified_however_well_the_name_is_known(mx: MxAuth) -> None:
    assert short(seen(mx, Channel.ENCRYPTED), route(Channel.PLAIN), V)
    for channel in (Channel.PKIX, Channel.PINNED, Channel.DANE):
        assert not short(seen(mx, channel), route(Channel.PLAIN), V)


def test_authentic_route_wants_somebody_to_vouch_for_the_name() -> None:
    strict = route(Channel.PKIX, authentic=True)
    assert short(seen(MxAuth.NONE, Channel.DANE), strict, N)
    for mx in (MxAuth.MTA_STS, MxAuth.DNSSEC, MxAuth.LOCAL):
        assert not short(seen(mx, Channel.PKIX), strict, V)
        assert short(seen(mx, Channel.ENCRYPTED), strict, N)


@pytest.mark.parametrize("channel", [Channel.PKIX, Channel.PINNED, Channel.DANE])
@pytest.mark.parametrize("lacks", [{"tls_version": None}, {"cipher": None}, {"chain_digest": None}])
def test_claim_of_a_check_without_what_was_checked_is_not_believed(channel: Channel, lacks: dict[str, None]) -> None:
    claimed = replace(seen(MxAuth.LOCAL, channel), **lacks)  # pyright: ignore[reportArgumentType]
    assert short(claimed, route(Channel.PLAIN), V)


SMIME = Sealing(method=Method.SMIME, detail="to a certificate")
PORTAL = Sealing(method=Method.PORTAL, detail="in the portal", package="p", unlock=Unlock.MAIL)


def sealing(transport: str, demands: Channel = Channel.PLAIN) -> Route:
    return Route(name="r", transport=transport, demands=demands, declared=Declared.SEALING)


@pytest.mark.parametrize("floor", list(Protection))
def test_what_we_sealed_meets_every_floor_over_any_connection_that_its_route_allows(floor: Protection) -> None:
    sealed = replace(DELIVERED, evidence=PLAIN, sealing=SMIME)
    assert not fell_short(sealed, sealing("smime"), floor)
    assert fell_short(sealed, sealing("smime", Channel.ENCRYPTED), floor)
    assert not fell_short(replace(sealed, evidence=ENCRYPTED), sealing("smime", Channel.ENCRYPTED), floor)
    assert fell_short(sealed, sealing("openpgp"), floor), "another method than the route's"
    assert fell_short(replace(sealed, sealing=None), sealing("smime"), floor)


@pytest.mark.parametrize("floor", list(Protection))
def test_what_lies_in_the_portal_is_protected_only_as_a_package_of_a_route_that_seals(floor: Protection) -> None:
    assert not fell_short(Sealed(sealing=PORTAL), sealing("portal"), floor)
    assert fell_short(Sealed(sealing=replace(PORTAL, package="")), sealing("portal"), floor)
    assert fell_short(Sealed(sealing=PORTAL), route(Channel.PKIX), floor)
    assert fell_short(Sealed(sealing=PORTAL), route(Channel.PKIX, Declared.INTERNAL), floor)
