"""The count of open connections, without sockets."""

from datetime import timedelta

from gateway.core.reply import Reply
from gateway.listeners import smtp_replies as replies
from gateway.listeners.admission import Standing, peer_address
from gateway.listeners.connections import Busy, Connections


class Guest:
    """A session that remembers what it was told."""

    def __init__(self, standing: Standing = Standing.ADMITTED, busy: Busy = Busy.IDLE) -> None:
        self.standing = standing
        self.busy = busy
        self.told: list[tuple[str, Reply | None]] = []

    def end(self, farewell: Reply) -> None:
        self.told.append(("end", farewell))

    def retire(self, farewell: Reply) -> None:
        self.told.append(("retire", farewell))

    def cut(self) -> None:
        self.told.append(("cut", None))


GAVE_WAY = [("end", replies.PLACE_NEEDED)]


def filled(connections: Connections, *guests: Guest, per_address: int = 1) -> None:
    """Lets them in, in order, so many from each address."""
    for number, guest in enumerate(guests):
        assert connections.enter(guest, peer_address(f"10.1.0.{number // per_address}")) is None


async def test_limits_count_each_address_and_all_together() -> None:
    connections = Connections(limit=4, per_address=2)
    one, two, three = (peer_address(f"10.0.0.{number}") for number in (1, 2, 3))
    guests = [Guest() for _ in range(4)]
    assert connections.enter(guests[0], one) is None
    assert connections.enter(guests[1], one) is None
    assert connections.enter(Guest(), one) is replies.TOO_MANY_CONNECTIONS
    assert connections.enter(guests[2], two) is None
    assert connections.enter(guests[3], two) is None
    assert connections.enter(Guest(Standing.STRANGER), three) is replies.TOO_MANY_CONNECTIONS
    assert len(connections) == 4
    connections.leave(guests[1])
    assert connections.enter(guests[1], three) is None
    assert connections.enter(Guest(), one) is replies.TOO_MANY_CONNECTIONS


async def test_network_of_64_bits_is_one_address() -> None:
    connections = Connections(limit=10, per_address=1)
    assert connections.enter(Guest(), peer_address("2001:db8:0:1::1")) is None
    assert connections.enter(Guest(), peer_address("2001:db8:0:1:ffff::2")) is replies.TOO_MANY_CONNECTIONS
    assert connections.enter(Guest(), peer_address("2001:db8:0:2::1")) is None
    # An IPv4 address is no number of a /64, and the mapped form is the address itself.
    assert connections.enter(Guest(), peer_address("0.0.0.1")) is None
    assert connections.enter(Guest(), peer_address("::1")) is None
    assert connections.enter(Guest(), peer_address("::ffff:0.0.0.1")) is replies.TOO_MANY_CONNECTIONS


async def test_closing_tells_everybody_and_lets_nobody_in() -> None:
    connections = Connections(limit=10, per_address=10)
    address, guest = peer_address("10.0.0.1"), Guest()
    assert await connections.gone(timedelta(seconds=10))
    connections.enter(guest, address)
    assert not await connections.gone(timedelta(seconds=0.01))
    connections.retire()
    connections.end()
    assert guest.told == [("retire", replies.CLOSING), ("end", replies.CLOSING)]
    assert connections.enter(Guest(), address) is replies.CLOSING
    connections.leave(guest)
    assert await connections.gone(timedelta(seconds=10))


async def test_whoever_may_relay_takes_the_place_of_who_may_not() -> None:
    connections = Connections(limit=4, per_address=4)
    admitted, unproven = Guest(), Guest(Standing.UNPROVEN)
    first, second = Guest(Standing.STRANGER), Guest(Standing.STRANGER)
    filled(connections, admitted, unproven, first, second)
    newcomer = peer_address("10.2.0.1")
    assert connections.enter(Guest(Standing.STRANGER), newcomer) is replies.TOO_MANY_CONNECTIONS
    assert connections.enter(Guest(), newcomer) is None
    assert (first.told, second.told, unproven.told) == (GAVE_WAY, [], [])
    assert connections.enter(Guest(), newcomer) is None
    assert (second.told, unproven.told) == (GAVE_WAY, [])
    assert connections.enter(Guest(), newcomer) is None
    assert (unproven.told, admitted.told) == (GAVE_WAY, [])
    assert len(connections) == 4


async def test_who_has_not_shown_its_certificate_yet_takes_the_oldest_place_of_such_and_none_of_the_admitted() -> None:
    connections = Connections(limit=3, per_address=3)
    admitted, older, newer = Guest(), Guest(Standing.UNPROVEN), Guest(Standing.UNPROVEN)
    filled(connections, admitted, older, newer)
    assert connections.enter(Guest(Standing.UNPROVEN), peer_address("10.2.0.1")) is None
    assert (older.told, newer.told) == (GAVE_WAY, [])
    newer.standing = Standing.ADMITTED
    assert connections.enter(Guest(Standing.UNPROVEN), peer_address("10.2.0.2")) is None
    assert (newer.told, admitted.told) == ([], [])


async def test_among_admitted_clients_the_one_with_most_places_gives_way_until_it_has_no_more_than_others() -> None:
    connections = Connections(limit=6, per_address=5)
    committing, receiving, older, newer = (
        Guest(busy=busy) for busy in (Busy.COMMITTING, Busy.RECEIVING, Busy.IDLE, Busy.IDLE)
    )
    poor = Guest(), Guest()
    filled(connections, committing, receiving, older, newer, *poor, per_address=4)
    second, third = peer_address("10.2.0.1"), peer_address("10.3.0.1")
    assert connections.enter(Guest(), second) is None
    assert (older.told, newer.told) == (GAVE_WAY, [])
    assert connections.enter(Guest(), second) is None
    assert (newer.told, receiving.told) == (GAVE_WAY, [])
    # Now everybody has two: a third of the same would only turn the inequality round.
    assert connections.enter(Guest(), second) is replies.TOO_MANY_CONNECTIONS
    assert connections.enter(Guest(), third) is None
    assert [guest.told for guest in (committing, receiving, *poor)] == [[], [], GAVE_WAY, []]


async def test_content_is_broken_off_only_if_nothing_is_idle_and_a_commit_never() -> None:
    connections = Connections(limit=3, per_address=3)
    committing, older, newer = Guest(busy=Busy.COMMITTING), Guest(busy=Busy.RECEIVING), Guest(busy=Busy.RECEIVING)
    filled(connections, committing, older, newer, per_address=3)
    assert connections.enter(Guest(), peer_address("10.2.0.1")) is None
    assert (committing.told, older.told, newer.told) == ([], GAVE_WAY, [])
    connections = Connections(limit=2, per_address=2)
    filled(connections, Guest(busy=Busy.COMMITTING), Guest(busy=Busy.COMMITTING), per_address=2)
    assert connections.enter(Guest(), peer_address("10.2.0.1")) is replies.TOO_MANY_CONNECTIONS


async def test_one_that_was_ended_is_awaited_but_has_no_place() -> None:
    connections = Connections(limit=1, per_address=1)
    stranger, admitted = Guest(Standing.STRANGER), Guest()
    filled(connections, stranger)
    assert connections.enter(admitted, peer_address("10.2.0.1")) is None
    connections.leave(admitted)
    assert not await connections.gone(timedelta(seconds=0.01))
    connections.leave(stranger)
    assert await connections.gone(timedelta(seconds=10))


async def test_those_that_do_not_take_their_leave_are_cut_off() -> None:
    connections = Connections(limit=1, per_address=1)
    guests = [Guest(Standing.UNPROVEN) for _ in range(70)]
    filled(connections, *guests)
    assert [("cut", None) in guest.told for guest in guests] == [True] * 5 + [False] * 65
    for guest in guests:
        connections.leave(guest)
    assert await connections.gone(timedelta(seconds=10))
