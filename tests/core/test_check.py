"""What a check gives where all of it holds."""

from itertools import product

import pytest

from gateway.core.check import Check
from gateway.core.dane import Tlsa
from gateway.core.tls import Channel

NAMES, PINS, RECORDS = ("mx.example",), frozenset({"ab" * 32}), (Tlsa(3, 1, 1, bytes(32)),)


@pytest.mark.parametrize(("name", "pin", "record"), list(product([False, True], repeat=3)))
def test_it_gives_the_strongest_of_its_parts(name: bool, pin: bool, record: bool) -> None:
    check = Check(
        sni="mx.example",
        names=NAMES if name else (),
        pins=PINS if pin else frozenset(),
        tlsa=RECORDS if record else (),
    )
    parts = [Channel.ENCRYPTED, *([Channel.PKIX] * name), *([Channel.PINNED] * pin), *([Channel.DANE] * record)]
    assert check.gives is max(parts)


def test_equal_checks_are_one_and_every_part_tells_them_apart() -> None:
    ways = [
        Check(sni="a"),
        Check(sni="b"),
        Check(sni="a", names=NAMES),
        Check(sni="a", names=NAMES, authorities="ca.pem"),
        Check(sni="a", pins=PINS),
        Check(sni="a", tlsa=RECORDS),
        Check(sni="a", tlsa=RECORDS, tlsa_names=NAMES),
    ]
    assert len(set(ways)) == len(ways)
    assert hash(Check(sni="a", pins=PINS)) == hash(Check(sni="a", pins=frozenset(PINS)))
