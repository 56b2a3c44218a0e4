"""Fuzz target: an OpenPGP key that somebody's domain publishes, up to whether a message can be encrypted for it."""

from typing import Final

from gateway.core.address import Address
from gateway.sealed.pgp.keys import NoKey, Usable, choose, read_keys
from tests.fixtures.build import NOON
from tests.fuzz.target import Target

_BOB: Final = Address("bob", "partner.example")


def one(data: bytes) -> None:
    """A key that can be used, or one sentence that says why there is none."""
    match choose(read_keys(data, _BOB), _BOB, NOON):
        case Usable(key, fingerprint, until):
            assert key and fingerprint
            assert until is None or until > NOON
        case NoKey(reason):
            assert reason.isprintable() and reason.endswith(".")


TARGET: Final = Target(name="keys", one=one)
