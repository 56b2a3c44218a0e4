"""Entries for Postfix: whatever a host shows, Postfix sends there only if it is what the host has to be."""

from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import product

import pytest

from gateway.core.dane import NoTlsa, Tlsa, TlsaFound, TlsaUnknown, TlsaUnusable
from gateway.core.demand import Demand, HostFacts, Need, Wishes, need
from gateway.core.grade import DEMANDS
from gateway.core.pin import Pin
from gateway.core.postfix_tls import NoEntry, PolicyEntry, PostfixTls, Wait, postfix_tls
from gateway.core.sts import StsMode
from gateway.core.tls import NOTHING, Channel, MxAuth, Requirement
from tests.core.test_demand import BASE, DOMAIN, FACTS, FOUND, HOST, KEY, OTHERS, RECORD, WISHES, channel, facts, policy

NEW = "protocols=>=TLSv1.2"
ZEROS = ":".join(["00"] * 32)
ABS = ":".join(["AB"] * 32)
PINNED = Pin(name="Partner", domains=(DOMAIN,), requirement=DEMANDS["pinned"], fingerprints=frozenset({KEY}))


# What a host may show, what we make of it, and what Postfix makes of it by its manual.


@dataclass(frozen=True)
class Shown:
    """A session with the host; ``name`` is what its certificate is for, ``chain`` whether an authority signed it."""

    encrypted: bool
    chain: bool = False
    name: str = ""
    key: str = ""


SHOWN = [
    Shown(False),
    *(
        Shown(True, chain, name, key)
        for chain, name, key in product(
            (False, True), (HOST, "mail.partner.example", "other.example"), (KEY, RECORD.data.hex(), "cd" * 32)
        )
    ),
]


def is_enough(demand: Demand, shown: Shown) -> bool:
    check = demand.check
    if not shown.encrypted:
        return demand.requirement.channel is Channel.PLAIN and check.gives is Channel.ENCRYPTED
    return (
        (not check.tlsa or any(record.data.hex() == shown.key for record in check.tlsa))
        and (not check.pins or shown.key in check.pins)
        and (not check.names or (shown.chain and shown.name in check.names))
    )


def postfix_sends(entry: PostfixTls, shown: Shown, about: HostFacts) -> bool:
    match entry:
        case NoEntry():
            return True
        case Wait():
            return False
        case PolicyEntry(text):
            level, *attributes = text.split()
    if not shown.encrypted:
        return False
    matching = next((each.removeprefix("match=") for each in attributes if each.startswith("match=")), "")
    match level:
        case "encrypt":
            return True
        case "secure":
            return shown.chain and shown.name in matching.split(":")
        case "fingerprint":
            return shown.key in matching.lower().replace(":", "").split("|")
        case "dane-only":
            signed = about.mx is not MxAuth.NONE
            return signed and isinstance(about.tlsa, TlsaFound) and shown.key == RECORD.data.hex()
        case _:
            raise AssertionError(text)


def test_postfix_sends_nowhere_that_we_would_not() -> None:
    sent = 0
    for wishes, about in product(WISHES, FACTS):
        wanted = need(wishes, about)
        entry = postfix_tls([wanted], signed=about.mx >= MxAuth.DNSSEC)
        for shown in SHOWN:
            if postfix_sends(entry, shown, about):
                assert isinstance(wanted, Demand), (wanted, entry)
                assert is_enough(wanted, shown), (wanted, entry, shown)
                sent += 1
    assert sent


def test_every_entry_keeps_old_versions_of_tls_out_and_is_printable() -> None:
    for wishes, about in product(WISHES, FACTS):
        entry = postfix_tls([need(wishes, about)], signed=about.mx >= MxAuth.DNSSEC)
        if isinstance(entry, PolicyEntry):
            assert entry.text.endswith(f" {NEW}")
            assert entry.text.isascii() and entry.text.isprintable()
        if isinstance(entry, Wait):
            assert entry.reason.endswith(".")


# The table of what is said.

ENFORCED = policy(StsMode.ENFORCE)


def wanted(about: HostFacts, own: Requirement = NOTHING, pin: Pin | None = None) -> Need:
    return need(Wishes(own=own, said_by="floor", pin=pin), about)


def other(about: HostFacts) -> HostFacts:
    return replace(about, host="mx2.partner.example")


def told(*needs: Need, signed: bool = False) -> str:
    """The entry's text; what else it may be by its first word."""
    found = postfix_tls(needs, signed=signed)
    match found:
        case PolicyEntry(text):
            assert text.endswith(f" {NEW}")
            return text.removesuffix(f" {NEW}")
        case NoEntry():
            return "nothing"
        case Wait(reason):
            return f"wait: {reason}"


SIGNED_FOUND = facts(FOUND, mx=MxAuth.DNSSEC)
SIGNED = facts(NoTlsa.ABSENT, mx=MxAuth.DNSSEC)
ENCRYPTED, CHECKED = channel(Channel.ENCRYPTED), channel(Channel.PKIX)


@pytest.mark.parametrize(
    ("needs", "signed", "entry"),
    [
        ([wanted(facts())], False, "nothing"),
        ([wanted(facts(), ENCRYPTED)], False, "encrypt"),
        ([wanted(facts(TlsaUnusable(BASE)))], False, "encrypt"),
        ([wanted(facts(TlsaUnusable(BASE))), wanted(other(facts()))], False, "encrypt"),
        ([wanted(facts(), CHECKED)], False, f"secure match={HOST} servername=hostname"),
        (
            [wanted(facts(), CHECKED), wanted(other(facts()), CHECKED)],
            False,
            f"secure match={HOST}:mx2.partner.example servername=hostname",
        ),
        ([wanted(facts(sts=ENFORCED))], False, f"secure match={HOST} servername=hostname"),
        ([wanted(facts(sts=policy(StsMode.TESTING)))], False, "nothing"),
        ([wanted(SIGNED_FOUND)], True, "dane-only"),
        ([wanted(SIGNED_FOUND), wanted(other(SIGNED))], True, "dane-only"),
        ([wanted(SIGNED_FOUND), wanted(other(facts(TlsaUnknown("no"), mx=MxAuth.DNSSEC)))], True, "dane-only"),
        ([wanted(facts(FOUND))], False, f"fingerprint match={ZEROS} servername=hostname"),
        ([wanted(facts(FOUND)), wanted(other(facts()))], False, f"fingerprint match={ZEROS} servername=hostname"),
        ([wanted(facts(), pin=PINNED)], False, f"fingerprint match={ABS} servername=hostname"),
        (
            [wanted(facts(), pin=replace(PINNED, fingerprints=frozenset({KEY, "00" * 32})))],
            False,
            f"fingerprint match={ZEROS}|{ABS} servername=hostname",
        ),
        (
            [wanted(facts(), pin=Pin(name="P", domains=(), requirement=CHECKED, authorities="/etc/p/ca.pem"))],
            False,
            f"secure match={HOST} tafile=/etc/p/ca.pem servername=hostname",
        ),
    ],
)
def test_the_entry_is_the_least_that_protects_enough(needs: list[Need], signed: bool, entry: str) -> None:
    assert told(*needs, signed=signed) == entry


def test_a_host_that_the_policy_does_not_name_has_no_name_in_the_entry() -> None:
    first = facts(sts=policy(StsMode.ENFORCE, HOST))
    assert told(wanted(first), wanted(other(first))) == f"secure match={HOST} servername=hostname"


@pytest.mark.parametrize(
    ("needs", "reason"),
    [
        ([wanted(facts(sts=policy(StsMode.ENFORCE, *OTHERS)))], "does not name the host"),
        ([wanted(facts(TlsaUnknown("no answer")))], "could not be looked up"),
        ([wanted(facts()), wanted(other(facts(TlsaUnknown("no answer"))))], "could not be looked up"),
        ([wanted(facts(), ENCRYPTED), wanted(other(facts(TlsaUnknown("no answer"))))], "could not be looked up"),
        ([wanted(facts(), channel(Channel.PKIX, MxAuth.MTA_STS))], "Nothing vouches"),
        ([wanted(facts(TlsaFound(BASE, (Tlsa(2, 1, 1, bytes(32)),))))], "not signed"),
        ([wanted(facts(TlsaFound(BASE, (Tlsa(3, 1, 2, bytes(64)),))))], "not signed"),
        ([wanted(SIGNED_FOUND, pin=PINNED)], "cannot check all"),
        ([wanted(facts(sts=ENFORCED), pin=PINNED)], "cannot check all"),
        ([wanted(facts(), pin=replace(PINNED, names=("mail.partner.example",)))], "cannot check all"),
        ([wanted(HostFacts(domain=DOMAIN, host="192.0.2.1", mx=MxAuth.LOCAL), CHECKED)], "the address 192.0.2.1"),
        (
            [wanted(facts(), pin=Pin(name="P", domains=(), requirement=CHECKED, authorities="/a b/ca.pem"))],
            "such a name",
        ),
    ],
)
def test_what_postfix_cannot_check_waits(needs: list[Need], reason: str) -> None:
    found = told(*needs, signed=any(isinstance(each, Demand) and each.mx is MxAuth.DNSSEC for each in needs))
    assert found.startswith("wait: ")
    assert reason in found


def test_a_whole_certificate_or_key_in_a_record_is_told_by_its_digest() -> None:
    whole = TlsaFound(BASE, (Tlsa(3, 0, 0, b"certificate"), Tlsa(2, 0, 1, bytes(32))))
    digest = sha256(b"certificate").hexdigest().upper()
    keys = ":".join(digest[at : at + 2] for at in range(0, 64, 2))
    assert told(wanted(facts(whole))) == f"fingerprint match={keys} servername=hostname"


def test_an_address_is_asked_for_no_name() -> None:
    about = HostFacts(domain=DOMAIN, host="192.0.2.1", mx=MxAuth.LOCAL)
    assert told(wanted(about, pin=PINNED)) == f"fingerprint match={ABS}"
    named = Pin(name="P", domains=(), requirement=CHECKED, names=("mail.partner.example",))
    assert told(wanted(about, pin=named)) == "secure match=mail.partner.example"
