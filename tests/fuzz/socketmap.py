"""Fuzz target: what a Postfix asks a socketmap, as our policy server reads it."""

from collections.abc import Iterable
from typing import Final

from gateway.core.next_hop import BadNextHop, parse_next_hop
from gateway.wire.errors import RemoteProtocolError
from gateway.wire.socketmap import MAX_REQUEST, Request, RequestReader
from tests.fuzz.target import Target, pieces


def one(data: bytes) -> None:
    """The same lookups come out and the same error ends them, however the bytes are cut; a key is a next hop or not."""
    found, trouble = _read([data])
    assert (found, trouble) == _read(pieces(data))
    for request in found:
        assert request.map
        assert " " not in request.map
        _check_key(request.key)


def _check_key(key: str) -> None:
    try:
        hop = parse_next_hop(key)
    except BadNextHop:
        return
    assert hop.port is None or 0 < hop.port < 65536
    # What was read means the same when it is read again.
    assert parse_next_hop(str(hop)) == hop


def _read(blocks: Iterable[bytes]) -> tuple[list[Request], str]:
    reader, found = RequestReader(), list[Request]()
    try:
        for block in blocks:
            reader.feed(block)
            while (request := reader.next()) is not None:
                found.append(request)
            assert reader.waiting <= len(f"{MAX_REQUEST}:") + MAX_REQUEST
    except RemoteProtocolError as error:
        return found, str(error)
    return found, ""


TARGET: Final = Target(name="socketmap", one=one)
