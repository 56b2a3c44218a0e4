"""Which pin is a domain's."""

from dataclasses import replace

import pytest

from gateway.core.grade import DEMANDS
from gateway.core.pin import NO_PINS, Pin, Pins


def pin(name: str, *domains: str) -> Pin:
    return Pin(name=name, domains=domains, requirement=DEMANDS["verified"])


PINS = Pins(
    (
        pin("exact", "trust.example"),
        pin("below", "*.trust.example"),
        pin("deeper", "*.north.trust.example", "x.example"),
        pin("other", "y.example"),
    )
)


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ("trust.example", "exact"),
        ("a.trust.example", "below"),
        ("a.b.trust.example", "below"),
        ("north.trust.example", "below"),
        ("a.north.trust.example", "deeper"),
        ("x.example", "deeper"),
        ("y.example", "other"),
        ("a.x.example", None),
        ("nottrust.example", None),
        ("example", None),
        ("", None),
    ],
)
def test_an_exact_domain_comes_before_the_longest_wildcard(domain: str, name: str | None) -> None:
    found = PINS.of(domain)
    assert (found.name if found else None) == name
    assert NO_PINS.of(domain) is None


def test_names_are_ours_where_a_key_or_a_name_is_set() -> None:
    made = pin("p", "p.example")
    assert not made.names_are_ours
    assert replace(made, names=("mail.p.example",)).names_are_ours
    assert replace(made, fingerprints=frozenset({"ab" * 32})).names_are_ours
