"""What a certificate says, and the sentences about one that was refused."""

import ssl
from datetime import UTC, datetime

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.net.certificate import MAX_NAMES, MAX_TEXT, PeerCertificate, complaint, read_certificate

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


def test_a_leaf_of_an_unknown_version_has_its_digest() -> None:
    made = odd("300b8209622e6578616d706c65")
    assert read_certificate(made).names == ("b.example",)
    read = read_certificate(made.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07", 1))
    assert len(read.digest) == 64
    assert read.subject is None
