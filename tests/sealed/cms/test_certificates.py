"""Which certificates a message may be sealed for, why not, and for whom they are."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from gateway.sealed.cms.certificates import Unusable, Usable, issuer_and_serial, judge, names, parse
from gateway.sealed.cms.der import SEQUENCE, elements
from tests.fakes.certificates import version_1
from tests.sealed.cms import people
from tests.sealed.cms.people import NOW, Person, openssl, person, rsa_key, usage

BOB = "bob@partner.example"


@pytest.mark.parametrize(
    "who",
    [
        lambda: person(BOB, key=rsa_key(), extensions=[usage("key_encipherment"), people.MAIL]),
        lambda: person(BOB, key=rsa_key()),
        lambda: person(BOB, extensions=[usage("key_agreement")]),
        lambda: person(BOB, key=people.curve_key(ec.SECP384R1())),
        lambda: person(BOB, key=people.curve_key(ec.SECP521R1())),
        lambda: person(BOB, extensions=[people.ANYTHING]),
        lambda: person(BOB, valid=(NOW, NOW)),
    ],
)
def test_a_good_certificate_can_be_used(who: Callable[[], Person]) -> None:
    made = who()
    assert judge(made.der, NOW) == Usable(made.certificate, gcm=False)


SECOND = timedelta(seconds=1)
SIGNS: Final = "its key is not for encryption"
BAD: list[tuple[Callable[[], Person], str]] = [
    (lambda: person(BOB, valid=(NOW - people.YEAR, NOW - SECOND)), "it expired on 2026-03-02"),
    (lambda: person(BOB, valid=(NOW + SECOND, NOW + people.YEAR)), "it is not valid before 2026-03-02"),
    (lambda: person(BOB, key=rsa_key(bits=1024)), "its RSA key has 1024 bits, fewer than 2048"),
    (lambda: person(BOB, key=people.curve_key(ec.SECP256K1())), "its curve secp256k1 is not used"),
    (lambda: person(BOB, key=ed25519.Ed25519PrivateKey.generate()), "its kind of key is not used"),
    (lambda: person(BOB, key=rsa_key(), extensions=[usage("digital_signature", "key_agreement")]), SIGNS),
    (lambda: person(BOB, extensions=[usage("digital_signature", "key_encipherment")]), SIGNS),
    (lambda: person(BOB, extensions=[people.SERVER]), "it is not for mail"),
]  # fmt: skip


@pytest.mark.parametrize(("who", "reason"), BAD, ids=[reason for _, reason in BAD])
def test_a_bad_one_is_refused_with_its_reason(who: Callable[[], Person], reason: str) -> None:
    assert judge(who().der, NOW) == Unusable(reason)


@pytest.mark.peer("openssl")
@pytest.mark.parametrize("digest", ["md5", "sha1"])
def test_a_signature_that_can_be_forged_vouches_for_nobody(digest: str, tmp_path: Path) -> None:
    certificate = openssl(
        *("req", "-x509", f"-{digest}", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key", "-days", "9"),
        *("-subj", "/CN=Bob", "-outform", "DER"),
    )
    assert judge(certificate, datetime.now(UTC)) == Unusable(f"it is signed with {digest.upper()}, which can be forged")


@pytest.mark.parametrize("der", [b"", b"nothing", bytes(70_000), person(BOB).der[:-1]])
def test_what_is_no_certificate_cannot_be_read(der: bytes) -> None:
    assert judge(der, NOW) == Unusable("it cannot be read")


def test_a_certificate_says_whether_gcm_can_be_opened() -> None:
    cbc_alone = people.knows("2.16.840.1.101.3.4.1.42", "2.16.840.1.101.3.4.1.6")
    for extension, gcm in ((people.GCM, True), (cbc_alone, False), (people.knows(), False)):
        judged = judge(person(BOB, extensions=[extension]).der, NOW)
        assert isinstance(judged, Usable)
        assert judged.gcm is gcm


def test_capabilities_that_are_no_list_make_it_unreadable() -> None:
    broken = x509.UnrecognizedExtension(people.CAPABILITIES, b"")
    assert judge(person(BOB, extensions=[broken]).der, NOW) == Unusable("it cannot be read")


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda: person("Bob@Partner.example", "b@other.example"), {"bob@partner.example", "b@other.example"}),
        (lambda: person(utf8=["jürgen@partner.example"]), {"jürgen@partner.example"}),
        (lambda: person(subject_address=BOB), {BOB}),
        # A subject is free text to some authorities; what stands beside it is not.
        (lambda: person(BOB, subject_address="ceo@partner.example"), {BOB}),
        (lambda: person("not an address", "@partner.example"), set[str]()),
        (person, set[str]()),
    ],
)
def test_it_is_for_the_addresses_in_it(made: Callable[[], Person], expected: set[str]) -> None:
    assert names(made().certificate) == expected


def test_issuer_and_serial_are_the_certificates_own_bytes() -> None:
    made = person(BOB, by=people.authority("Authority – éß"))
    raw = issuer_and_serial(made.certificate)
    issuer, serial = elements(elements(raw)[0].content)
    assert raw[0] == SEQUENCE
    assert issuer.raw == made.certificate.issuer.public_bytes()
    assert int.from_bytes(serial.content, "big") == made.certificate.serial_number
    assert issuer.raw in made.der
    assert serial.raw in made.der


def test_a_certificate_of_version_1_has_issuer_and_serial_too() -> None:
    made = person(common_name="Old")
    without = x509.load_der_x509_certificate(version_1(made.der))
    assert issuer_and_serial(without) == issuer_and_serial(made.certificate)


def test_the_digest_is_that_of_the_whole_certificate() -> None:
    made = person(BOB, valid=(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)))
    judged = judge(made.der, NOW)
    assert isinstance(judged, Usable)
    fingerprint = judged.certificate.fingerprint(people.hashes.SHA256())
    assert judged.digest == fingerprint.hex()
    assert parse(made.der) == made.certificate
