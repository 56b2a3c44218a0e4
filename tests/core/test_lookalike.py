"""Look-alike domains: what is noticed, and what must be left alone."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.address import parse_domain
from gateway.core.confusable import skeleton, to_unicode
from gateway.core.domains import DomainSet
from gateway.core.lookalike import LookAlikes, is_slip

TRUSTED = frozenset(
    {
        "derbyshire.gov.uk",
        "citizens-advice.org.uk",
        "nhs.net",
        "bbc.com",
        "kent.gov.uk",
        "acorns.org",
        "mail.hartington.org",
        "castle.derbyshire.sch.uk",
        "[10.1.2.3]",
    }
)
KNOWN = LookAlikes(
    DomainSet(
        TRUSTED
        | {
            "gmail.com",
            "hotmail.com",
            "bolton.example",
            "boston.example",
            "school12.example",
            "xn--bcher-kva.example",
            "surrey.sch.uk",
        },
        frozenset({"cjsm.net", "pool.example"}),
    ),
    TRUSTED,
)


@pytest.mark.parametrize(
    ("domain", "known"),
    [
        # Letters that look alike, in Latin and in other scripts.
        ("derbyshlre.gov.uk", "derbyshire.gov.uk"),
        ("acoms.org", "acorns.org"),
        ("gmai1.com", "gmail.com"),
        ("h0tmail.com", "hotmail.com"),
        ("gmаil.com", "gmail.com"),
        ("derbyshıre.gov.uk", "derbyshire.gov.uk"),
        ("gmáil.com", "gmail.com"),
        ("bucher.example", "xn--bcher-kva.example"),
        ("mail.derbyshlre.gov.uk", "derbyshire.gov.uk"),
        # One slip of the hand.
        ("derbyshre.gov.uk", "derbyshire.gov.uk"),
        ("derbyshiire.gov.uk", "derbyshire.gov.uk"),
        ("derbyshyre.gov.uk", "derbyshire.gov.uk"),
        ("debryshire.gov.uk", "derbyshire.gov.uk"),
        ("hotmal.com", "hotmail.com"),
        ("hotmail2.com", "hotmail.com"),
        ("gmial.com", "gmail.com"),
        ("mail.debryshire.gov.uk", "derbyshire.gov.uk"),
        ("cast1es.derbyshire.sch.uk", None),
        ("castles.derbyshire.sch.uk", "castle.derbyshire.sch.uk"),
        # Hyphens and dots.
        ("citizensadvice.org.uk", "citizens-advice.org.uk"),
        ("derby-shire.gov.uk", "derbyshire.gov.uk"),
        ("derbyshire-gov.uk", "derbyshire.gov.uk"),
        ("mailhartington.org", "mail.hartington.org"),
        # Another ending.
        ("derbyshire.org", "derbyshire.gov.uk"),
        ("kent.com", "kent.gov.uk"),
        ("citizens-advice.co.uk", "citizens-advice.org.uk"),
    ],
)
def test_what_resembles_a_known_domain(domain: str, known: str | None) -> None:
    assert KNOWN.resembled(parse_domain(domain)) == known


@pytest.mark.parametrize(
    "domain",
    [
        "derbyshire.gov.uk",
        "mail.derbyshire.gov.uk",
        "hartington.org",
        "cjsm.net",
        "x.cjsm.net",
        "any.pool.example",
        "nhs.uk",
        "gov.uk",
        "uk",
        "[10.1.2.4]",
        "derby.gov.uk",
        "derbys.gov.uk",
        "nottinghamshire.gov.uk",
        "derbyshire.police.uk",
        "derbyshire.nhs.uk",
        "kent.ac.uk",
        "kent.police.uk",
        "gwent.gov.uk",
        "bbc.co.uk",
        "bbd.com",
        "ymail.com",
        "hotmail.co.uk",
        "bolton.example",
        "boston.example",
        "school13.example",
        "hall.derbyshire.sch.uk",
        "hall.surrey.sch.uk",
        "castle.nottinghamshire.sch.uk",
        "example.org",
        "xn--zzzzzzzzzz999.example",
    ],
)
def test_what_must_be_left_alone(domain: str) -> None:
    assert KNOWN.resembled(domain) is None


def test_the_ending_matters_only_for_domains_that_are_trusted() -> None:
    known = DomainSet(frozenset({"partner.org", "other.org"}))
    ours = LookAlikes(known, frozenset({"partner.org"}))
    assert (ours.resembled("partner.com"), ours.resembled("other.com")) == ("partner.org", None)


def test_of_two_names_that_share_a_deletion_the_right_one_is_named() -> None:
    ours = LookAlikes(DomainSet(frozenset({"abcdefg.example", "bcdefgh.example"})))
    assert ours.resembled("bcdefg.example") in ("abcdefg.example", "bcdefgh.example")
    assert ours.resembled("xbcdefgh.example") == "bcdefgh.example"
    assert ours.resembled("bcdefghx.example") == "bcdefgh.example"
    assert ours.resembled("abcdexg.example") == "abcdefg.example"


def test_without_known_domains_nothing_is_like_them() -> None:
    assert LookAlikes(DomainSet()).resembled("partner.example") is None


def test_two_of_the_same_domains_are_equal() -> None:
    known = DomainSet(frozenset({"partner.example"}))
    assert LookAlikes(known) == LookAlikes(known) != LookAlikes(DomainSet())


_LETTERS = st.text("abcdefghijk", min_size=6, max_size=12)


@given(_LETTERS, st.integers(0, 11), st.sampled_from("lmnopqrs"))
def test_every_single_slip_is_found(name: str, at: int, letter: str) -> None:
    ours = LookAlikes(DomainSet(frozenset({f"{name}.example"})))
    at %= len(name)
    slips = {name[:at] + letter + name[at:], name[:at] + letter + name[at + 1 :], name[:at] + name[at + 1 :]}
    slips.add(name[:at] + name[at : at + 2][::-1] + name[at + 2 :])
    for slip in slips - {name}:
        assert ours.resembled(f"{slip}.example") == f"{name}.example"


@given(_LETTERS, _LETTERS)
def test_a_slip_is_one_whichever_name_is_the_known_one(one: str, other: str) -> None:
    assert is_slip(one, other) == is_slip(other, one)


@given(st.text(max_size=30))
def test_a_skeleton_is_its_own_skeleton_and_nothing_breaks_it(text: str) -> None:
    assert isinstance(skeleton(text), str)
    assert to_unicode("xn--" + "".join(c for c in text if c.isascii()))


def test_fifty_thousand_known_domains_are_not_gone_through() -> None:
    ours = LookAlikes(DomainSet(frozenset(f"organisation-{number:x}-of.example" for number in range(50_000))))
    few = LookAlikes(DomainSet(frozenset(f"organisation-{number:x}-of.example" for number in range(50))))

    def best(of: LookAlikes) -> float:
        return min(_timed(of) for _ in range(20))

    # A thousand times as many names; anything that looks at each of them would take a thousand times as long.
    assert best(ours) < 50 * best(few)


def _timed(of: LookAlikes) -> float:
    began = time.perf_counter()
    for _ in range(20):
        assert of.resembled("unrelated-organisation.example") is None
    return time.perf_counter() - began
