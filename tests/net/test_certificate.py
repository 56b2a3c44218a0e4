"""What a certificate says, and the sentences about one that was refused."""

import ssl
from datetime import UTC, datetime
from hashlib import sha256

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.name import _ASN1Type as ASN1Type  # pyright: ignore[reportPrivateUsage]
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from gateway.net.certificate import MAX_NAMES, MAX_TEXT, PeerCertificate, complaint, read_certificate, spki_digest
from gateway.net.spki import public_key_info
from tests.fakes.certificates import PrivateKey, curve_key, make, version_1

WHOLE = make("mx.example", names=[f"{'x' * 60}.example"]).der

SEEN = PeerCertificate(
    digest="d",
    names=("a.example", "b.example", "c.example", "d.example"),
    not_before=datetime(2030, 5, 6, tzinfo=UTC),
    not_after=datetime(2026, 1, 2, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("code", "seen", "sentence"),
    [
        (9, SEEN, "is not valid before 2030-05-06."),
        (9, None, "is not valid yet."),
        (10, SEEN, "expired on 2026-01-02."),
        (10, None, "expired."),
        (18, SEEN, "is signed by itself only."),
        (19, None, "is signed by an authority that is not trusted."),
        (20, SEEN, "is signed by an authority that is not trusted."),
        (23, None, "was revoked."),
        (62, SEEN, "is for other names: a.example, b.example, c.example."),
        (64, None, "is for other names."),
        (99, SEEN, "could not be verified."),
        (None, None, "could not be verified."),
    ],
)
def test_a_refusal_is_one_sentence(code: int | None, seen: PeerCertificate | None, sentence: str) -> None:
    assert complaint("mx.example", code, seen) == f"The certificate of mx.example {sentence}"


def der(certificate: trustme.LeafCert) -> bytes:
    return ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())


def test_a_leaf_is_read() -> None:
    read = read_certificate(der(trustme.CA().issue_cert("mx.example", "10.0.0.1", common_name="mx\u202egro.example")))
    assert read.names == ("mx.example", "10.0.0.1")
    assert read.issuer is not None
    assert read.issuer.startswith("OU=Testing CA")
    assert read.subject is not None
    assert "mx?gro.example" in read.subject
    assert read.not_after is not None
    assert read.not_after.tzinfo is UTC
    assert len(read.digest) == 64


@pytest.mark.parametrize(
    "key", [curve_key(), rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()]
)
def test_the_key_is_the_one_that_stands_in_the_certificate(key: PrivateKey) -> None:
    made = make("mx.example", key=key, names=["mx.example"])
    assert public_key_info(made.der) == made.spki
    assert read_certificate(made.der).spki == spki_digest(made.der) == sha256(made.spki).hexdigest()


def test_a_key_that_no_library_knows_is_found_too() -> None:
    made = make("mx.example")
    curve, unknown = bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d0209")
    der = made.der.replace(curve, unknown)
    assert public_key_info(der) == made.spki.replace(curve, unknown) != made.spki


def test_a_version_1_certificate_has_a_key_too() -> None:
    made = make("mx.example")
    assert public_key_info(version_1(made.der)) == made.spki


@given(st.binary(max_size=40))
def test_what_is_no_certificate_has_no_key(junk: bytes) -> None:
    assert read_certificate(junk).spki == ""


def test_a_certificate_that_is_cut_has_no_key() -> None:
    assert public_key_info(WHOLE)
    assert {public_key_info(WHOLE[:size]) for size in range(len(WHOLE))} == {b""}


@given(st.data())
def test_a_damaged_certificate_is_read_or_not_and_never_more(data: st.DataObject) -> None:
    der = bytearray(WHOLE)
    der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    read = read_certificate(bytes(der))
    assert len(read.spki) in {0, 64}


def test_names_and_texts_are_limited() -> None:
    read = read_certificate(der(trustme.CA().issue_cert(*(f"mx{n}.example" for n in range(50)), common_name="x" * 64)))
    assert len(read.names) == MAX_NAMES
    assert read.subject is not None
    assert len(read.subject) <= MAX_TEXT


def test_a_leaf_without_alternative_names_has_none() -> None:
    pem = trustme.CA(organization_name="O", organization_unit_name="U").cert_pem.bytes().decode()
    assert read_certificate(ssl.PEM_cert_to_DER_cert(pem)).names == ()


def test_what_cannot_be_parsed_has_its_digest() -> None:
    read = read_certificate(b"\x30\x03abc")
    assert len(read.digest) == 64
    assert (read.subject, read.names, read.not_after) == (None, (), None)


def odd(names: str, *, again: bool = False) -> bytes:
    """A leaf whose subjectAltName has these bytes (hex); ``again`` gives it that extension twice."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string("CN=mx.example")
    # No builder makes such leaves: the object identifiers are patched afterwards, and nobody looks at the signature.
    oids = [x509.ObjectIdentifier("2.5.29.99"), x509.ObjectIdentifier("2.5.29.98")][: 1 + again]
    begin, end = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 2, 3, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7).not_valid_before(begin).not_valid_after(end)
    for oid in oids:
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, bytes.fromhex(names)), critical=False)
    made = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    return made.replace(b"\x55\x1d\x63", b"\x55\x1d\x11").replace(b"\x55\x1d\x62", b"\x55\x1d\x11")


@pytest.mark.parametrize(
    ("names", "again"),
    [
        pytest.param("3007a505a1030c0161", False, id="EDIPartyName"),
        pytest.param("3004a3023000", False, id="x400Address"),
        pytest.param("040161", False, id="no names at all"),
        pytest.param("30048202ff00", False, id="no text"),
        pytest.param("30058703010203", False, id="short address"),
        pytest.param("300b8209622e6578616d706c65", True, id="repeated"),
    ],
)
def test_names_that_cannot_be_read_leave_the_rest_of_the_evidence(names: str, again: bool) -> None:
    read = read_certificate(odd(names, again=again))
    assert (read.subject, read.names) == ("CN=mx.example", ())
    assert read.not_after == datetime(2026, 2, 3, tzinfo=UTC)


def test_a_subject_that_cannot_be_said_leaves_the_digests() -> None:
    """OpenSSL takes such a certificate, and the host that shows it has to get its mail."""
    bits = x509.NameAttribute(NameOID.X500_UNIQUE_IDENTIFIER, b"\0ab", ASN1Type.BitString)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.example"), bits])
    begin, end = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 2, 3, tzinfo=UTC)
    key = curve_key()
    made = x509.CertificateBuilder(name, name, key.public_key(), 7, begin, end).sign(key, hashes.SHA256())
    der = made.public_bytes(serialization.Encoding.DER)
    assert read_certificate(der).subject is not None
    # The bits of some other attribute of a name, which are none of its kinds of text.
    odd = der.replace(b"\x55\x04\x2d", b"\x55\x04\x2e")
    read = read_certificate(odd)
    assert (read.digest, read.spki) == (sha256(odd).hexdigest(), read_certificate(der).spki)
    assert (read.subject, read.not_after) == (None, None)


def test_one_that_is_too_large_has_its_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.net.certificate.MAX_SIZE", len(WHOLE))
    whole = read_certificate(WHOLE)
    assert whole.names
    monkeypatch.setattr("gateway.net.certificate.MAX_SIZE", len(WHOLE) - 1)
    assert read_certificate(WHOLE) == PeerCertificate(digest=whole.digest, spki=whole.spki)


def test_a_leaf_of_an_unknown_version_has_its_digest() -> None:
    made = odd("300b8209622e6578616d706c65")
    assert read_certificate(made).names == ("b.example",)
    read = read_certificate(made.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07", 1))
    assert len(read.digest) == 64
    assert read.subject is None
