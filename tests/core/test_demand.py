"""What one host has to be: every fact against every wish, and what holds of all of them."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.dane import NoTlsa, Tlsa, TlsaFacts, TlsaFound, TlsaUnknown, TlsaUnusable
from gateway.core.demand import Demand, HostFacts, NotAuthentic, NotKnown, PassedOver, RequireTls, Wishes, need
from gateway.core.grade import DEMANDS
from gateway.core.pin import Pin
from gateway.core.sts import NoSts, StsFacts, StsFound, StsMode, StsPolicy, StsUnknown
from gateway.core.tls import NOTHING, Channel, MxAuth, Obtained, Requirement
from gateway.core.tlsrpt import Applied, PolicyType, Result

DOMAIN, HOST, BASE = "partner.example", "mx.partner.example", "mx.hoster.example"
KEY = "ab" * 32
RECORD = Tlsa(3, 1, 1, bytes(32))


def policy(mode: StsMode, *mx: str) -> StsFound:
    return StsFound(DOMAIN, "id1", StsPolicy(mode=mode, max_age=timedelta(days=7), mx=mx or ("*.partner.example",)))


def channel(channel: Channel, mx: MxAuth = MxAuth.NONE) -> Requirement:
    return Requirement(mx, channel)


FOUND = TlsaFound(BASE, (RECORD,))
TLSA: list[TlsaFacts] = [FOUND, TlsaUnusable(BASE), TlsaUnknown("no answer"), *NoTlsa]
OTHERS = ("mx.other.example",)
STS: list[StsFacts] = [
    *(policy(mode, *mx) for mode, mx in product(StsMode, ((), OTHERS))),
    StsUnknown("the policy could not be fetched"),
    NoSts.NONE,
]
OWN = [channel(Channel.PLAIN), channel(Channel.ENCRYPTED), channel(Channel.PKIX), channel(Channel.PKIX, MxAuth.MTA_STS)]
GIVEN_PIN = Pin(name="Partner", domains=(DOMAIN,), requirement=DEMANDS["verified"])
PINS = [
    None,
    *(replace(GIVEN_PIN, requirement=DEMANDS[word]) for word in ("encrypted", "verified", "authentic", "dane")),
    replace(GIVEN_PIN, requirement=DEMANDS["pinned"], fingerprints=frozenset({KEY})),
    replace(GIVEN_PIN, requirement=DEMANDS["encrypted"], fingerprints=frozenset({KEY})),
    replace(GIVEN_PIN, requirement=DEMANDS["authentic"], names=("mail.partner.example",)),
    replace(GIVEN_PIN, authorities="partner.pem"),
    replace(GIVEN_PIN, authorities="partner.pem", fingerprints=frozenset({KEY})),
]
WISHES = [
    Wishes(own=own, said_by="route r", pin=pin, require_tls=require_tls, tls_optional=tls_optional)
    for own, pin, require_tls, tls_optional in product(OWN, PINS, [None, *RequireTls], [False, True])
]
FACTS = [
    HostFacts(domain=DOMAIN, host=HOST, mx=mx, tlsa=tlsa, sts=sts)
    for mx, tlsa, sts in product([MxAuth.NONE, MxAuth.DNSSEC, MxAuth.LOCAL], TLSA, STS)
]
ANYTHING = st.sampled_from(WISHES), st.sampled_from(FACTS)


def wish(own: Requirement = NOTHING, **more: object) -> Wishes:
    return Wishes(own=own, said_by="route r", **more)  # pyright: ignore[reportArgumentType]


def facts(tlsa: TlsaFacts = NoTlsa.OFF, sts: StsFacts = NoSts.NONE, mx: MxAuth = MxAuth.NONE) -> HostFacts:
    return HostFacts(domain=DOMAIN, host=HOST, mx=mx, tlsa=tlsa, sts=sts)


def demanded(wishes: Wishes, about: HostFacts) -> Demand:
    found = need(wishes, about)
    assert isinstance(found, Demand), found
    return found


# What holds of everything.


def test_what_is_ours_is_never_lowered_and_what_is_checked_is_enough() -> None:
    for wishes, about in product(WISHES, FACTS):
        found = need(wishes, about)
        if not isinstance(found, Demand):
            continue
        assert found.own == wishes.all_own
        assert found.requirement == found.requirement | found.own
        assert found.own == found.own | wishes.own
        if wishes.pin is not None:
            assert found.own == found.own | wishes.pin.requirement
        assert found.check.gives >= found.requirement.channel
        assert Obtained(found.mx, found.check.gives).meets(found.requirement)
        assert found.rehearsal is None or found.rehearsal.gives > found.check.gives


def test_a_policy_in_force_that_does_not_name_the_host_never_leads_there_unless_its_name_is_signed() -> None:
    for wishes, about in product(WISHES, FACTS):
        sts = about.sts
        if not isinstance(sts, StsFound) or sts.policy.mode is not StsMode.ENFORCE or sts.policy.matches(HOST):
            continue
        by_dane = isinstance(about.tlsa, TlsaFound) and about.mx >= MxAuth.DNSSEC
        decided_elsewhere = by_dane or isinstance(about.tlsa, TlsaUnknown) or wishes.sets_remote_aside
        found = need(wishes, about)
        assert isinstance(found, PassedOver) is not decided_elsewhere
        if isinstance(found, PassedOver):
            # What it fails is the policy, also where its records are what the certificate would be checked by.
            assert found.applied == Applied(PolicyType.STS, DOMAIN, sts.policy.lines, OTHERS)


def test_what_could_not_be_looked_up_is_never_taken_for_a_no() -> None:
    for wishes, about in product(WISHES, FACTS):
        found = need(wishes, about)
        if isinstance(about.tlsa, TlsaUnknown) and not wishes.sets_remote_aside:
            assert isinstance(found, NotKnown)
        if isinstance(about.sts, StsUnknown) and isinstance(found, NotAuthentic):
            # The policy could vouch for the name, never for TLSA records that are not there.
            assert "TLSA" in found.reason


def test_records_are_matched_wherever_there_are_any() -> None:
    for wishes, about in product(WISHES, FACTS):
        found = need(wishes, about)
        if isinstance(about.tlsa, TlsaFound) and isinstance(found, Demand) and not wishes.sets_remote_aside:
            assert found.requirement.channel is Channel.DANE
            assert found.check.tlsa == (RECORD,)
            assert found.check.sni == BASE
            assert found.applied.type is PolicyType.TLSA


def test_tls_required_no_without_a_demand_of_ours_asks_for_just_what_is_ours() -> None:
    for wishes, about in product(WISHES, FACTS):
        if wishes.sets_remote_aside:
            assert demanded(wishes, about).requirement == wishes.all_own


@given(*ANYTHING)
def test_the_more_is_known_the_more_is_demanded(wishes: Wishes, about: HostFacts) -> None:
    """Leaving away what is remote never makes a host more strictly judged, and never more trusted."""
    bare = need(wishes, replace(about, tlsa=NoTlsa.OFF, sts=NoSts.NONE))
    found = need(wishes, about)
    if isinstance(bare, Demand) and isinstance(found, Demand):
        assert found.requirement == found.requirement | bare.requirement
        assert found.mx >= bare.mx
        assert bare.check.pins == found.check.pins


@given(*ANYTHING)
def test_the_sentences_name_the_host_or_the_domain(wishes: Wishes, about: HostFacts) -> None:
    found = need(wishes, about)
    if not isinstance(found, Demand):
        assert HOST in found.reason
        assert found.reason.endswith(".")


# One by one.


@pytest.mark.parametrize("own", OWN[:3])
def test_without_anything_remote_it_is_floor_and_route(own: Requirement) -> None:
    found = demanded(wish(own), facts())
    assert found.requirement == found.own == own
    assert found.check.names == ((HOST,) if own.channel is Channel.PKIX else ())
    assert (found.check.sni, found.mx, found.rehearsal) == (HOST, MxAuth.NONE, None)
    assert found.demanded_by == "route r"
    assert found.applied == Applied(PolicyType.NONE, DOMAIN)


@pytest.mark.parametrize(("mx", "names"), [(MxAuth.NONE, (BASE,)), (MxAuth.DNSSEC, (BASE, DOMAIN))])
def test_dane_wins_over_mta_sts_and_matches_the_domain_only_where_its_mx_is_signed(
    mx: MxAuth, names: tuple[str, ...]
) -> None:
    found = demanded(wish(channel(Channel.PKIX)), facts(FOUND, policy(StsMode.ENFORCE), mx))
    assert found.requirement == channel(Channel.DANE)
    assert found.own == channel(Channel.PKIX)
    assert found.check.names == ()
    assert found.check.tlsa_names == names
    assert found.demanded_by == f"route r; DANE, TLSA records of {BASE}"
    assert found.applied == Applied(PolicyType.TLSA, BASE, (str(RECORD),))


@pytest.mark.parametrize(
    ("sts", "mx", "expected"),
    [
        (policy(StsMode.ENFORCE, *OTHERS), MxAuth.NONE, PassedOver),
        (policy(StsMode.ENFORCE, *OTHERS), MxAuth.DNSSEC, Demand),
        (policy(StsMode.ENFORCE, *OTHERS), MxAuth.LOCAL, Demand),
        (policy(StsMode.ENFORCE, *OTHERS, HOST), MxAuth.NONE, Demand),
        (policy(StsMode.ENFORCE, *OTHERS, "*.partner.example"), MxAuth.NONE, Demand),
        (policy(StsMode.TESTING, *OTHERS), MxAuth.NONE, Demand),
        (policy(StsMode.NONE, *OTHERS), MxAuth.NONE, Demand),
        (StsUnknown("no answer"), MxAuth.NONE, Demand),
    ],
)
@pytest.mark.parametrize("own", OWN[:3])
def test_records_of_a_host_that_unsigned_dns_names_do_not_lead_past_a_policy(
    own: Requirement, sts: StsFacts, mx: MxAuth, expected: type
) -> None:
    assert isinstance(need(wish(own), facts(FOUND, sts, mx)), expected)


def test_unusable_records_make_tls_a_must_and_a_policy_still_adds_to_it() -> None:
    alone = demanded(wish(), facts(TlsaUnusable(BASE)))
    assert (alone.requirement, alone.own) == (channel(Channel.ENCRYPTED), NOTHING)
    assert alone.check.names == ()
    assert BASE in alone.demanded_by
    both = demanded(wish(), facts(TlsaUnusable(BASE), policy(StsMode.ENFORCE)))
    assert both.requirement == channel(Channel.PKIX, MxAuth.MTA_STS)


def test_an_enforced_policy_demands_the_hosts_own_name_and_vouches_for_it() -> None:
    found = demanded(wish(), facts(sts=policy(StsMode.ENFORCE)))
    assert (found.requirement, found.own) == (channel(Channel.PKIX, MxAuth.MTA_STS), NOTHING)
    assert (found.check.sni, found.check.names, found.mx) == (HOST, (HOST,), MxAuth.MTA_STS)
    assert found.demanded_by == f"route r; MTA-STS policy id1 of {DOMAIN}"
    assert found.applied.type is PolicyType.STS
    assert found.applied.mx_hosts == ("*.partner.example",)


def test_a_policy_that_is_tested_is_only_rehearsed_and_vouches_for_nothing() -> None:
    found = demanded(wish(), facts(sts=policy(StsMode.TESTING)))
    assert (found.requirement, found.mx, found.check.names) == (NOTHING, MxAuth.NONE, ())
    assert found.rehearsal is not None
    assert found.rehearsal.names == (HOST,)
    assert demanded(wish(channel(Channel.PKIX)), facts(sts=policy(StsMode.TESTING))).rehearsal is None
    assert demanded(wish(), facts(sts=policy(StsMode.NONE))).rehearsal is None


AUTHENTIC = wish(channel(Channel.PKIX, MxAuth.MTA_STS))


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        (facts(), NotAuthentic),
        (facts(sts=policy(StsMode.TESTING)), NotAuthentic),
        (facts(sts=policy(StsMode.ENFORCE)), Demand),
        (facts(sts=StsUnknown("no answer")), NotKnown),
        (facts(mx=MxAuth.DNSSEC), Demand),
        (facts(mx=MxAuth.LOCAL), Demand),
        # The records of a host say nothing of whether the domain means that host.
        (facts(FOUND), NotAuthentic),
        (facts(FOUND, policy(StsMode.ENFORCE)), Demand),
        (facts(FOUND, policy(StsMode.ENFORCE, *OTHERS)), PassedOver),
        (facts(FOUND, policy(StsMode.TESTING)), NotAuthentic),
        (facts(FOUND, StsUnknown("no answer")), NotKnown),
        (facts(FOUND, mx=MxAuth.DNSSEC), Demand),
    ],
)
@pytest.mark.parametrize("tls_optional", [False, True])
def test_a_name_has_to_be_vouched_for_where_that_is_demanded(
    tls_optional: bool, about: HostFacts, expected: type
) -> None:
    assert isinstance(need(replace(AUTHENTIC, tls_optional=tls_optional), about), expected)


def test_what_could_not_be_known_says_what_was_looked_for() -> None:
    records = need(wish(), facts(TlsaUnknown("no answer")))
    assert isinstance(records, NotKnown)
    assert (records.result, records.applied.type) == (Result.DNSSEC_INVALID, PolicyType.TLSA)
    fetched = need(AUTHENTIC, facts(sts=StsUnknown("no answer")))
    assert isinstance(fetched, NotKnown)
    assert fetched.result is Result.STS_FETCH


# Pins.


@pytest.mark.parametrize(
    ("pin", "names", "authorities", "keys", "known"),
    [
        (PINS[1], (), "", 0, MxAuth.NONE),
        (PINS[2], (HOST,), "", 0, MxAuth.NONE),
        (PINS[5], (), "", 1, MxAuth.LOCAL),
        (PINS[6], (), "", 1, MxAuth.LOCAL),
        (PINS[7], ("mail.partner.example",), "", 0, MxAuth.LOCAL),
        (PINS[8], (HOST,), "partner.pem", 0, MxAuth.NONE),
        (PINS[9], (HOST,), "partner.pem", 1, MxAuth.LOCAL),
    ],
)
def test_a_pin_says_how_the_certificate_is_checked(
    pin: Pin, names: tuple[str, ...], authorities: str, keys: int, known: MxAuth
) -> None:
    found = demanded(wish(pin=pin), facts())
    assert (found.check.names, found.check.authorities, len(found.check.pins)) == (names, authorities, keys)
    assert found.mx is known
    assert found.demanded_by == "route r; pin Partner"


def test_a_pin_holds_beside_dane() -> None:
    found = demanded(wish(pin=PINS[9]), facts(FOUND))
    assert (found.check.tlsa, found.check.names, found.check.pins) == ((RECORD,), (HOST,), frozenset({KEY}))


def test_a_partner_that_has_to_have_dane_and_has_none_is_certain() -> None:
    found = need(wish(pin=PINS[4]), facts(NoTlsa.ABSENT, mx=MxAuth.DNSSEC))
    assert isinstance(found, NotAuthentic)
    assert "TLSA" in found.reason
    assert isinstance(need(wish(pin=PINS[4]), facts(FOUND, mx=MxAuth.DNSSEC)), Demand)


# REQUIRETLS.


@pytest.mark.parametrize(
    ("level", "requirement", "offers"),
    [
        (RequireTls.ENFORCE, channel(Channel.PKIX, MxAuth.MTA_STS), True),
        (RequireTls.STARTTLS, channel(Channel.ENCRYPTED), False),
        (RequireTls.OPPORTUNISTIC, NOTHING, False),
    ],
)
@pytest.mark.parametrize("tls_optional", [False, True])
def test_requiretls_asks_as_much_as_its_level_and_wins_over_tls_required_no(
    tls_optional: bool, level: RequireTls, requirement: Requirement, offers: bool
) -> None:
    wishes = wish(require_tls=level, tls_optional=tls_optional)
    found = demanded(wishes, facts(sts=policy(StsMode.ENFORCE)))
    assert found.own == requirement
    assert found.requirement == channel(Channel.PKIX, MxAuth.MTA_STS)
    assert found.offers_require_tls is offers
    assert f"REQUIRETLS ({level})" in found.demanded_by


def test_requiretls_that_is_enforced_needs_a_name_that_is_vouched_for() -> None:
    assert isinstance(need(wish(require_tls=RequireTls.ENFORCE), facts()), NotAuthentic)


def test_a_pinned_key_is_enough_for_us_and_not_for_the_domains_own_policy() -> None:
    pin = Pin(name="P", domains=("a.example",), requirement=NOTHING, fingerprints=frozenset({"ab" * 32}))
    wishes = Wishes(own=Requirement(MxAuth.NONE, Channel.PKIX), said_by="route", pin=pin)
    facts = HostFacts(domain="a.example", host="mx.a.example", mx=MxAuth.NONE)
    ours = need(wishes, facts)
    assert isinstance(ours, Demand) and (ours.check.names, ours.check.gives) == ((), Channel.PINNED)
    policy = StsPolicy(mode=StsMode.ENFORCE, max_age=timedelta(days=1), mx=("mx.a.example",))
    theirs = need(wishes, replace(facts, sts=StsFound("a.example", "1", policy)))
    assert isinstance(theirs, Demand) and theirs.check.names == ("mx.a.example",)
    assert theirs.check.pins == pin.fingerprints
