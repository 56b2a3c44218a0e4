"""What a route gives, and what a connection for it must be."""

from itertools import product

from gateway.core.route import Declared, Route, demand
from gateway.core.tls import CHANNEL_FOR, Channel, MxAuth, Protection, Requirement


def route(demands: Channel, declared: Declared = Declared.CONNECTION) -> Route:
    return Route(name="r", transport="mx", demands=demands, declared=declared)


def test_a_route_gives_what_its_connection_gives() -> None:
    given = [route(channel).gives for channel in Channel]
    verified = Protection.VERIFIED
    assert given == [Protection.NONE, Protection.ENCRYPTED, verified, verified, verified]


def test_a_declared_route_gives_the_highest_protection() -> None:
    for channel, declared in product(Channel, (Declared.SEALED, Declared.INTERNAL)):
        assert route(channel, declared).gives is Protection.SEALED


def test_the_demand_is_the_higher_of_route_and_floor() -> None:
    for channel, floor in product(Channel, (Protection.NONE, Protection.ENCRYPTED, Protection.VERIFIED)):
        expected = Requirement(MxAuth.NONE, max(channel, CHANNEL_FOR[floor]))
        assert demand(route(channel), floor) == expected


def test_no_connection_alone_is_sealed() -> None:
    assert [demand(route(channel), Protection.SEALED) for channel in Channel] == [None] * len(Channel)


def test_a_declared_route_owes_its_own_level_whatever_the_floor() -> None:
    for floor in Protection:
        sealed = demand(route(Channel.PKIX, Declared.SEALED), floor)
        assert sealed == Requirement(MxAuth.NONE, Channel.PKIX)
