from dataclasses import replace

import pytest

from gateway.core.route import Declared, Route
from gateway.core.tls import Channel, Evidence, Protection
from gateway.core.witness import fell_short
from tests.core.queued import EVIDENCE

VERIFIED = EVIDENCE
ENCRYPTED = replace(EVIDENCE, channel=Channel.ENCRYPTED)
PLAIN = replace(EVIDENCE, tls_version=None, cipher=None, chain_digest=None, channel=Channel.PLAIN)

N, E, V, S = Protection.NONE, Protection.ENCRYPTED, Protection.VERIFIED, Protection.SEALED


def route(demands: Channel, declared: Declared = Declared.CONNECTION) -> Route:
    return Route(name="r", transport="mx", demands=demands, declared=declared)


@pytest.mark.parametrize(
    ("evidence", "enough_for"),
    [(PLAIN, {N}), (ENCRYPTED, {N, E}), (VERIFIED, {N, E, V})],
)
def test_connection_is_enough_for_its_floors_and_short_of_all_others(
    evidence: Evidence, enough_for: set[Protection]
) -> None:
    for floor in Protection:
        assert fell_short(evidence, route(Channel.PLAIN), floor) is (floor not in enough_for)


@pytest.mark.parametrize("channel", [Channel.PKIX, Channel.PINNED, Channel.DANE])
def test_route_that_demands_more_than_the_floor_is_held_to_its_own_demand(channel: Channel) -> None:
    assert fell_short(ENCRYPTED, route(channel), N)
    assert not fell_short(VERIFIED, route(channel), N)
    assert fell_short(PLAIN, route(Channel.ENCRYPTED), N)
    assert not fell_short(ENCRYPTED, route(Channel.ENCRYPTED), N)


@pytest.mark.parametrize("floor", list(Protection))
def test_sealed_route_meets_every_floor_only_over_verified_tls(floor: Protection) -> None:
    sealed = route(Channel.PLAIN, Declared.SEALED)
    assert fell_short(PLAIN, sealed, floor)
    assert fell_short(ENCRYPTED, sealed, floor)
    assert not fell_short(VERIFIED, sealed, floor)


@pytest.mark.parametrize("floor", list(Protection))
def test_internal_route_meets_every_floor_once_its_own_level_is_met(floor: Protection) -> None:
    assert not fell_short(PLAIN, route(Channel.PLAIN, Declared.INTERNAL), floor)
    assert fell_short(PLAIN, route(Channel.ENCRYPTED, Declared.INTERNAL), floor)
    assert not fell_short(ENCRYPTED, route(Channel.ENCRYPTED, Declared.INTERNAL), floor)


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
    assert fell_short(doubtful, route(Channel.PLAIN), V)
    assert not fell_short(EVIDENCE, route(Channel.PLAIN), V)
