"""Certificates after the handshake: the pinned key, the TLSA record, the way to a trust anchor, the name."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256, sha512

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.check import Check
from gateway.core.dane import Tlsa
from gateway.core.tlsrpt import Result
from gateway.net.anchor import MAX_CERTIFICATES
from gateway.net.flaw import authority_flaw, takes_long
from gateway.net.judge import MAX_CHAIN, Fault, Passed, covers, judge, peer_chain
from gateway.net.signatures import MAX_SIGNATURES
from tests.fakes.certificates import AUTHORITY, Made, PrivateKey, curve_key, good, make, version_1

HOST = "mx.a.test"
NOW = datetime(2026, 5, 4, tzinfo=UTC)
PAST = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC))
FUTURE = (datetime(2030, 5, 6, tzinfo=UTC), datetime(2040, 1, 2, tzinfo=UTC))

ROOT = make("Root", extensions=AUTHORITY)
MIDDLE = make("Middle", ROOT, extensions=AUTHORITY)
LEAF = make("Leaf", MIDDLE, names=[HOST])
STRANGER = make("Stranger", extensions=AUTHORITY)


def record(usage: int, selector: int, matching: int, made: Made) -> Tlsa:
    data = (made.der, made.spki)[selector]
    return Tlsa(usage, selector, matching, (data, sha256(data).digest(), sha512(data).digest())[matching])


def dane(*records: Tlsa, names: tuple[str, ...] = (HOST,)) -> Check:
    return Check(sni=HOST, tlsa=records, tlsa_names=names)


def verdict(check: Check, *chain: Made, now: datetime = NOW) -> Result | None:
    found = judge([made.der for made in chain], check, now)
    if isinstance(found, Passed):
        assert (found.record in check.tlsa) if check.tlsa else found.record is None
        return None
    assert not found.detail.endswith(".")
    return found.result


# Pinned keys, and certificates that are not there.


def test_a_pinned_key_is_known_by_its_digest_whatever_else_the_certificate_says() -> None:
    renewed = make("Other", key=LEAF.key, valid=PAST)
    digest = sha256(LEAF.spki).hexdigest()
    check = Check(sni=HOST, pins=frozenset({"ab" * 32, digest}))
    assert verdict(check, LEAF) is None
    assert verdict(check, renewed) is None
    assert verdict(check, make("Leaf", names=[HOST])) is Result.NOT_TRUSTED
    assert verdict(check, MIDDLE, LEAF) is Result.NOT_TRUSTED


@pytest.mark.parametrize("check", [Check(sni=HOST), Check(sni=HOST, names=(HOST,)), dane(record(3, 1, 1, LEAF))])
def test_no_certificate_at_all_is_a_fault(check: Check) -> None:
    assert judge([], check, NOW) == Fault(Result.VALIDATION, "it was not shown")


# DANE-EE.


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
def test_an_end_entity_record_means_the_leaf_alone(selector: int, matching: int) -> None:
    check = dane(record(3, selector, matching, LEAF), names=("other.test",))
    assert verdict(check, LEAF) is None
    assert verdict(check, LEAF, STRANGER) is None
    assert verdict(check, STRANGER) is Result.TLSA_INVALID
    assert verdict(check, STRANGER, LEAF) is Result.TLSA_INVALID


def test_dates_and_names_do_not_count_for_an_end_entity_record() -> None:
    expired = make("Old", valid=PAST)
    assert verdict(dane(record(3, 1, 1, expired)), expired) is None


def test_while_a_key_changes_one_record_that_matches_is_enough() -> None:
    following = make("Next", names=[HOST])
    check = dane(record(3, 1, 1, LEAF), record(3, 1, 1, following))
    assert verdict(check, LEAF) is verdict(check, following) is None
    assert verdict(dane(record(2, 0, 1, ROOT), record(3, 1, 1, LEAF)), LEAF) is None
    assert verdict(dane(record(3, 1, 1, following), record(2, 0, 1, MIDDLE)), LEAF, MIDDLE) is None


# DANE-TA.


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
@pytest.mark.parametrize("anchor", [ROOT, MIDDLE], ids=["root", "intermediate"])
def test_an_authority_is_found_among_what_was_shown(selector: int, matching: int, anchor: Made) -> None:
    check = dane(record(2, selector, matching, anchor))
    assert verdict(check, LEAF, MIDDLE, ROOT) is None
    assert verdict(check, LEAF, STRANGER, ROOT, MIDDLE) is None
    assert verdict(dane(record(2, selector, matching, STRANGER)), LEAF, MIDDLE, ROOT, STRANGER) is Result.NOT_TRUSTED


@pytest.mark.parametrize(
    ("anchor", "shown"),
    [(record(2, 0, 0, ROOT), (MIDDLE,)), (record(2, 1, 0, ROOT), (MIDDLE,)), (record(2, 0, 0, MIDDLE), ())],
)
def test_an_authority_that_the_record_holds_whole_need_not_be_shown(anchor: Tlsa, shown: Sequence[Made]) -> None:
    assert verdict(dane(anchor), LEAF, *shown) is None
    assert verdict(dane(anchor), make("Leaf", STRANGER, names=[HOST]), *shown) is Result.NOT_TRUSTED


@pytest.mark.parametrize("digested", [record(2, 0, 1, ROOT), record(2, 1, 2, ROOT)])
def test_an_authority_that_is_known_by_its_digest_has_to_be_shown(digested: Tlsa) -> None:
    assert verdict(dane(digested), LEAF, MIDDLE) is Result.NOT_TRUSTED
    assert verdict(dane(digested), LEAF, ROOT) is Result.NOT_TRUSTED


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
    ],
)
def test_a_bare_key_of_each_kind_verifies_what_it_signed(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
) -> None:
    root = make("Root", extensions=AUTHORITY, key=key)
    assert verdict(dane(record(2, 1, 0, root)), make("Leaf", root, names=[HOST])) is None
    namesake = make("Root", extensions=AUTHORITY)
    assert verdict(dane(record(2, 1, 0, root)), make("Leaf", namesake, names=[HOST])) is Result.NOT_TRUSTED


def test_a_bare_key_that_is_none_or_weak_verifies_nothing() -> None:
    assert verdict(dane(Tlsa(2, 1, 0, b"junk")), LEAF, MIDDLE) is Result.NOT_TRUSTED
    weak = make("Weak", key=rsa.generate_private_key(65537, 1024), extensions=AUTHORITY)
    assert verdict(dane(record(2, 1, 0, weak)), make("Leaf", weak, names=[HOST])) is Result.NOT_TRUSTED


def test_a_namesake_of_an_authority_is_another() -> None:
    namesake = make("Middle", ROOT, extensions=AUTHORITY)
    forged = make("Leaf", namesake, names=[HOST])
    assert verdict(dane(record(2, 0, 1, MIDDLE)), forged, MIDDLE) is Result.NOT_TRUSTED
    assert verdict(dane(record(2, 0, 1, ROOT)), LEAF, namesake, ROOT) is Result.NOT_TRUSTED
    assert verdict(dane(record(2, 0, 1, ROOT)), LEAF, namesake, MIDDLE, ROOT) is None


def test_a_leaf_is_not_its_own_authority() -> None:
    own = make("Own", extensions=AUTHORITY, names=[HOST])
    assert verdict(dane(record(2, 0, 1, own)), own) is Result.NOT_TRUSTED
    assert verdict(dane(record(2, 0, 1, own)), own, own) is Result.NOT_TRUSTED


def leaf(by: Made = MIDDLE, *extensions: x509.ExtensionType, **more: object) -> Made:
    return make("Leaf", by, names=[HOST], extensions=extensions, **more)  # type: ignore[arg-type]


def usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


CA = AUTHORITY[0]
CLIENT = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
SERVER = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
ANY = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
CONSTRAINED = x509.NameConstraints([x509.DNSName("a.test")], None)
POLICIES = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3.5"), None)])
WEAK = rsa.generate_private_key(65537, 1024)


def through(*extensions: x509.ExtensionType, **more: object) -> tuple[Made, ...]:
    """A chain with such an intermediate; what its `verdict` is against the root shows whether it may be one."""
    middle = make("Middle", ROOT, extensions=extensions, **more)  # type: ignore[arg-type]
    return leaf(middle), middle, ROOT


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        pytest.param((leaf(valid=PAST), MIDDLE, ROOT), Result.EXPIRED, id="expired leaf"),
        pytest.param((leaf(valid=FUTURE), MIDDLE, ROOT), Result.VALIDATION, id="early leaf"),
        pytest.param((leaf(MIDDLE, CLIENT), MIDDLE, ROOT), Result.VALIDATION, id="leaf for clients"),
        pytest.param((leaf(MIDDLE, SERVER), MIDDLE, ROOT), None, id="leaf for servers too"),
        pytest.param((leaf(MIDDLE, ANY), MIDDLE, ROOT), None, id="leaf for anything"),
        pytest.param((leaf(MIDDLE, POLICIES), MIDDLE, ROOT), None, id="leaf with policies"),
        pytest.param((leaf(MIDDLE, UNKNOWN), MIDDLE, ROOT), Result.VALIDATION, id="leaf with an unknown extension"),
        pytest.param((leaf(key=WEAK), MIDDLE, ROOT), Result.VALIDATION, id="leaf with a weak key"),
        pytest.param(through(CA), None, id="authority"),
        pytest.param(through(CA, usage(sign=True)), None, id="authority that may sign"),
        pytest.param(through(CA, usage(sign=False)), Result.NOT_TRUSTED, id="authority that may not sign"),
        pytest.param(through(), Result.NOT_TRUSTED, id="no authority"),
        pytest.param(through(x509.BasicConstraints(False, None)), Result.NOT_TRUSTED, id="not an authority"),
        pytest.param(through(x509.BasicConstraints(True, 0)), None, id="authority over leaves"),
        pytest.param(through(CA, CLIENT), Result.VALIDATION, id="authority for clients"),
        pytest.param(through(CA, UNKNOWN), Result.VALIDATION, id="authority with an unknown extension"),
        pytest.param(through(CA, CONSTRAINED), Result.VALIDATION, id="authority for some names"),
        pytest.param(through(CA, valid=PAST), Result.EXPIRED, id="expired authority"),
        pytest.param(through(CA, key=WEAK), Result.VALIDATION, id="authority with a weak key"),
    ],
)
def test_what_makes_a_way_to_the_authority_unfit(chain: Sequence[Made], expected: Result | None) -> None:
    assert verdict(dane(record(2, 0, 1, ROOT)), *chain) is expected


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (make("Root", extensions=AUTHORITY, valid=PAST), Result.EXPIRED),
        (make("Root"), Result.NOT_TRUSTED),
        (make("Root", extensions=[CA, usage(sign=False)]), Result.NOT_TRUSTED),
        (make("Root", extensions=[CA, CONSTRAINED]), Result.VALIDATION),
        (make("Root", extensions=[CA], key=WEAK), Result.VALIDATION),
        (make("Root", extensions=[CA], valid=(PAST[0], datetime(2999, 1, 1, tzinfo=UTC))), None),
    ],
)
def test_an_anchor_has_to_be_a_fit_authority_too(made: Made, expected: Result | None) -> None:
    assert verdict(dane(record(2, 1, 1, made)), leaf(made), made) is expected


@pytest.mark.parametrize(("limit", "expected"), [(0, Result.NOT_TRUSTED), (1, None), (2, None)])
def test_an_authority_says_how_many_others_may_be_below_it(limit: int, expected: Result | None) -> None:
    root = make("Root", extensions=[x509.BasicConstraints(True, limit)])
    middle = make("Middle", root, extensions=AUTHORITY)
    assert verdict(dane(record(2, 0, 1, root)), leaf(middle), middle, root) is expected


def test_an_old_authority_of_version_1_may_be_an_anchor_and_nothing_else() -> None:
    root = make("Root")
    old, below = version_1(root.der), make("Leaf", root, names=[HOST])
    means_it = dane(Tlsa(2, 0, 1, sha256(old).digest()))
    assert isinstance(judge([below.der, old], means_it, NOW), Passed)
    assert isinstance(judge([below.der, old], means_it, NOW + timedelta(days=36500)), Fault)
    assert isinstance(judge([below.der, old], dane(record(2, 0, 1, STRANGER)), NOW), Fault)
    # Nobody can sign such a one here, so it is judged by itself.
    read = x509.load_der_x509_certificate(old)
    assert authority_flaw(read, NOW, below=0, anchor=True) is None
    assert authority_flaw(read, NOW, below=0, anchor=False) is not None


def test_a_digest_that_can_be_forged_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    middle = make("Middle", ROOT, extensions=AUTHORITY, digest=hashes.SHA384())
    weak, strong = leaf(middle), leaf(middle, digest=hashes.SHA384())
    checks = [dane(record(2, 0, 1, ROOT)), dane(record(2, 1, 0, middle))]
    monkeypatch.setattr("gateway.net.flaw.MIN_DIGEST", 33)
    for check in checks:
        assert verdict(check, weak, middle, ROOT) is Result.NOT_TRUSTED
        assert verdict(check, strong, middle, ROOT) is None


def test_a_leaf_has_to_be_for_one_of_the_names_of_the_host() -> None:
    anchor = record(2, 0, 1, MIDDLE)
    assert verdict(dane(anchor, names=("x.test", HOST)), LEAF, MIDDLE) is None
    assert verdict(dane(anchor, names=("x.test",)), LEAF, MIDDLE) is Result.HOST_MISMATCH
    assert verdict(dane(anchor), make(HOST, MIDDLE), MIDDLE) is Result.HOST_MISMATCH


@pytest.mark.parametrize(
    ("fillers", "expected"), [(MAX_CERTIFICATES - 1, None), (MAX_CERTIFICATES, Result.NOT_TRUSTED)]
)
def test_no_more_than_so_many_certificates_are_looked_at(fillers: int, expected: Result | None) -> None:
    others = [make(f"Other {number}") for number in range(fillers)]
    assert verdict(dane(record(2, 0, 1, MIDDLE)), LEAF, *others, MIDDLE) is expected
    assert verdict(dane(record(2, 0, 0, MIDDLE)), LEAF, *others) is None


def test_authorities_that_signed_each_other_end_somewhere() -> None:
    one, two = curve_key(), curve_key()
    first = make("One", Made(make("Two", key=two).certificate, two), extensions=AUTHORITY, key=one)
    second = make("Two", Made(make("One", key=one).certificate, one), extensions=AUTHORITY, key=two)
    assert verdict(dane(record(2, 0, 1, ROOT)), leaf(first), first, second) is Result.NOT_TRUSTED
    assert verdict(dane(record(2, 0, 1, second)), leaf(first), first, second) is None


# What a peer can make us do.


def test_of_a_chain_only_so_many_signatures_are_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of one name, so that each may have signed every other: 6 are tried, then the 5 that are left, and so on."""
    others = [make("Same", extensions=AUTHORITY)]
    for _ in range(5):
        others.insert(0, make("Same", others[0], extensions=AUTHORITY))
    leaf, check = make("Leaf", others[0], names=[HOST]), dane(record(2, 0, 1, others[-1]))
    assert MAX_SIGNATURES < sum(range(7))
    for limit, expected in ((21, None), (MAX_SIGNATURES, Result.VALIDATION), (5, Result.VALIDATION)):
        monkeypatch.setattr("gateway.net.signatures.MAX_SIGNATURES", limit)
        assert verdict(check, leaf, *others) is expected
        assert verdict(check, leaf, *reversed(others)) is expected
    # Those that name another issuer cost nothing.
    strangers = [make(f"Other {number}", extensions=AUTHORITY) for number in range(4)]
    assert verdict(check, make("Leaf", others[-1], names=[HOST]), *strangers, others[-1]) is None


def test_bare_keys_count_as_much_as_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [record(2, 1, 0, make("Key")) for _ in range(4)]
    check = dane(*keys, record(2, 1, 0, MIDDLE))
    monkeypatch.setattr("gateway.net.signatures.MAX_SIGNATURES", 5)
    assert verdict(check, LEAF) is None
    monkeypatch.setattr("gateway.net.signatures.MAX_SIGNATURES", 4)
    assert verdict(check, LEAF) is Result.VALIDATION


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize(
    ("limit", "value", "key"),
    [
        ("MAX_RSA", 2047, rsa.generate_private_key(65537, 2048)),
        ("MAX_EXPONENT", 65536, rsa.generate_private_key(65537, 2048)),
        ("CURVES", frozenset({"secp384r1"}), curve_key()),
    ],
)
def test_no_signature_is_verified_with_a_key_that_may_take_long(
    limit: str, value: object, key: PrivateKey, selector: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    anchor = make("Anchor", extensions=AUTHORITY, key=key)
    leaf, check = make("Leaf", anchor, names=[HOST]), dane(record(2, selector, 0, anchor))
    assert verdict(check, leaf) is None
    monkeypatch.setattr(f"gateway.net.flaw.{limit}", value)
    assert verdict(check, leaf) is Result.NOT_TRUSTED


def test_a_curve_that_is_not_known_is_no_quick_one() -> None:
    anchor = make("Anchor", extensions=AUTHORITY, key=ec.generate_private_key(ec.SECP256K1()))
    assert verdict(dane(record(2, 0, 1, anchor)), make("Leaf", anchor, names=[HOST]), anchor) is Result.NOT_TRUSTED
    assert takes_long(dsa.generate_private_key(2048).public_key())
    assert not takes_long(ed25519.Ed25519PrivateKey.generate().public_key())


def test_what_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    check, size = dane(record(2, 0, 1, MIDDLE)), max(len(LEAF.der), len(MIDDLE.der))
    large = make("Large", names=[f"{number}.a.test" for number in range(99)])
    monkeypatch.setattr("gateway.net.certificate.MAX_SIZE", size)
    assert verdict(check, LEAF, large, MIDDLE) is None
    assert verdict(dane(record(3, 1, 1, large)), large) is None
    monkeypatch.setattr("gateway.net.certificate.MAX_SIZE", size - 1)
    assert verdict(check, LEAF, large, MIDDLE) is not None


def test_what_cannot_be_read_is_skipped_where_nobody_needs_it() -> None:
    check = dane(record(2, 0, 1, MIDDLE))
    assert isinstance(judge([LEAF.der, b"junk", MIDDLE.der], check, NOW), Passed)
    assert isinstance(judge([LEAF.der, MIDDLE.der[:-9]], check, NOW), Fault)
    assert judge([b"junk", MIDDLE.der], check, NOW) == Fault(Result.VALIDATION, "it cannot be read")


# Names.


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("mx.a.test", "mx.a.test", True),
        ("MX.a.TEST", "mx.A.test", True),
        ("mx.a.test", "mx.b.test", False),
        ("*.a.test", "mx.a.test", True),
        ("*.A.test", "mx.a.TEST", True),
        ("*.a.test", "a.test", False),
        ("*.a.test", "x.mx.a.test", False),
        ("m*.a.test", "mx.a.test", False),
        ("*x.a.test", "mx.a.test", False),
        ("mx.*.test", "mx.a.test", False),
        ("*.*.test", "mx.a.test", False),
        ("*.test", "a.test", False),
        ("*", "test", False),
        ("*.", "test.", False),
        ("", "", True),
        ("xn--mx-eka.a.test", "XN--mx-eka.a.test", True),
    ],
)
def test_a_name_in_a_certificate_covers_a_host(pattern: str, name: str, expected: bool) -> None:
    assert covers(pattern, name) is expected


@pytest.mark.parametrize(
    ("check", "made", "expected"),
    [
        (Check(sni=HOST, names=("partner.test",)), make("x", names=["partner.test"]), None),
        (Check(sni=HOST, names=("other.test", "mail.partner.test")), make("x", names=["*.partner.test"]), None),
        (Check(sni=HOST, names=("partner.test",)), LEAF, Result.HOST_MISMATCH),
        (Check(sni=HOST, names=("partner.test",)), make("partner.test"), Result.HOST_MISMATCH),
        # What was said in the handshake was checked in it.
        (Check(sni=HOST, names=(HOST,)), make("x", names=["partner.test"]), None),
        (Check(sni=HOST), make("x"), None),
    ],
)
def test_names_of_our_own_are_looked_for(check: Check, made: Made, expected: Result | None) -> None:
    assert verdict(check, made) is expected


def test_every_part_of_a_check_has_to_hold() -> None:
    key, partner = frozenset({sha256(LEAF.spki).hexdigest()}), record(3, 1, 1, LEAF)
    whole = Check(sni="x.test", names=(HOST,), tlsa=(partner,), tlsa_names=("x.test",), pins=key)
    assert verdict(whole, LEAF) is None
    for part, changed in [
        (Result.NOT_TRUSTED, Check(sni="x.test", names=(HOST,), tlsa=(partner,), pins=frozenset({"00" * 32}))),
        (Result.TLSA_INVALID, Check(sni="x.test", names=(HOST,), tlsa=(record(3, 1, 1, ROOT),), pins=key)),
        (Result.HOST_MISMATCH, Check(sni="x.test", names=("y.test",), tlsa=(partner,), pins=key)),
    ]:
        assert verdict(changed, LEAF) is part


@given(st.data())
def test_a_damaged_certificate_is_never_taken_for_a_whole_one_and_never_raises(data: st.DataObject) -> None:
    number = data.draw(st.integers(0, 2))
    chain = [bytearray(made.der) for made in (LEAF, MIDDLE, ROOT)]
    place = data.draw(st.integers(0, len(chain[number]) - 1))
    chain[number][place] ^= data.draw(st.integers(1, 255))
    check = Check(sni="x.test", names=(HOST,), tlsa=(record(2, 0, 1, ROOT),), tlsa_names=(HOST,))
    assert isinstance(judge([bytes(der) for der in chain], check, NOW), Fault)


def test_names_that_cannot_be_read_are_a_fault() -> None:
    odd = make("x", names=["n.example"]).der
    broken = odd.replace(b"\x30\x0b\x82\x09n.example", b"\x30\x0b\xa5\x09n.example")
    assert broken != odd
    assert judge([broken], Check(sni=HOST, names=("n.example",)), NOW) == Fault(
        Result.VALIDATION, "its names cannot be read"
    )


# The chain of a real handshake.


async def shown(context: ssl.SSLContext, look: Callable[[ssl.SSLObject], tuple[bytes, ...]]) -> tuple[bytes, ...]:
    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    server = await asyncio.start_server(close, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=HOST)
        try:
            return look(writer.get_extra_info("ssl_object"))
        finally:
            writer.transport.abort()


async def test_the_chain_of_a_peer_is_what_it_sent_in_that_order() -> None:
    made = [LEAF, STRANGER, MIDDLE]
    assert await shown(LEAF.context(STRANGER, MIDDLE), peer_chain) == tuple(each.der for each in made)
    many = [STRANGER] * (MAX_CHAIN + 3)
    assert len(await shown(LEAF.context(*many), peer_chain)) == MAX_CHAIN
    assert len(await shown(good(HOST), peer_chain)) == 1


@dataclass
class Tls:
    """What Python 3.13 offers, and a version that offers nothing."""

    chain: list[bytes] | None
    leaf: bytes | None = b"leaf"

    def getpeercert(self, binary_form: bool) -> bytes | None:
        assert binary_form
        return self.leaf

    def __getattr__(self, name: str) -> Callable[[], list[bytes]]:
        chain = self.__dict__.get("chain")
        if name != "get_unverified_chain" or chain is None:
            raise AttributeError(name)
        return lambda: chain


@pytest.mark.parametrize(
    ("tls", "expected"),
    [
        (Tls([b"leaf", b"other"]), (b"leaf", b"other")),
        (Tls([]), (b"leaf",)),
        (Tls([b"other", b"leaf"]), (b"leaf",)),
        (Tls(None), (b"leaf",)),
        (Tls([b"leaf"], leaf=None), ()),
    ],
)
def test_the_chain_is_read_as_each_python_offers_it(tls: ssl.SSLObject, expected: tuple[bytes, ...]) -> None:
    assert peer_chain(tls) == expected
