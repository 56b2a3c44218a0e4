"""The count of open connections, without sockets."""

from datetime import timedelta

from gateway.core.reply import Reply
from gateway.listeners import smtp_replies as replies
from gateway.listeners.admission import peer_address
from gateway.listeners.connections import Connections


class Guest:
    """A session that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Reply]] = []

    def end(self, farewell: Reply) -> None:
        self.told.append(("end", farewell))

    def retire(self, farewell: Reply) -> None:
        self.told.append(("retire", farewell))


async def test_limits_count_each_address_and_all_together() -> None:
    connections = Connections(limit=4, per_address=2)
    one, two, three = (peer_address(f"10.0.0.{number}") for number in (1, 2, 3))
    guests = [Guest() for _ in range(4)]
    assert connections.enter(guests[0], one) is None
    assert connections.enter(guests[1], one) is None
    assert connections.enter(Guest(), one) is replies.TOO_MANY_CONNECTIONS
    assert connections.enter(guests[2], two) is None
    assert connections.enter(guests[3], two) is None
    assert connections.enter(Guest(), three) is replies.TOO_MANY_CONNECTIONS
    assert len(connections) == 4
    connections.leave(guests[1], one)
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
    connections.leave(guest, address)
    assert await connections.gone(timedelta(seconds=10))
