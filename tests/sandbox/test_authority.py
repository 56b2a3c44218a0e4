"""The certificates are what strict verifiers accept, and the bad ones are bad for one reason each."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from gateway.sandbox.authority import CLOCK_SKEW, Credential, Validity, issue, make_authority, self_signed, write_secret

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
GOOD = Validity.lasting(NOW, timedelta(days=30))


def verify(authority: Credential, leaf: Credential, name: str, at: datetime = NOW) -> None:
    """By the strict verifier of the web's rules."""
    policy = PolicyBuilder().store(Store([authority.certificate])).time(at)
    policy.build_server_verifier(x509.DNSName(name)).verify(leaf.certificate, [])


def test_an_issued_certificate_holds_for_each_of_its_names_and_no_other() -> None:
    authority = make_authority("An authority", GOOD)
    leaf = issue(authority, ("a.example", "b.example", "127.0.0.1"), GOOD)
    verify(authority, leaf, "a.example")
    verify(authority, leaf, "b.example")
    with pytest.raises(VerificationError):
        verify(authority, leaf, "c.example")
    names = leaf.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.IPAddress) == [ip_address("127.0.0.1")]


def test_validity_begins_a_little_early_and_ends_on_time() -> None:
    authority = make_authority("An authority", Validity.lasting(NOW, timedelta(days=60)))
    leaf = issue(authority, ("a.example",), GOOD)
    verify(authority, leaf, "a.example", NOW + timedelta(days=30))
    with pytest.raises(VerificationError):
        verify(authority, leaf, "a.example", NOW + timedelta(days=30, seconds=1))
    assert leaf.certificate.not_valid_before_utc == NOW - CLOCK_SKEW


def test_nobody_vouches_for_another_authority_or_a_self_signed_certificate() -> None:
    authority, other = make_authority("One", GOOD), make_authority("Other", GOOD)
    for leaf in (issue(other, ("a.example",), GOOD), self_signed(("a.example",), GOOD)):
        with pytest.raises(VerificationError):
            verify(authority, leaf, "a.example")


def test_a_leaf_cannot_sign() -> None:
    authority = make_authority("An authority", GOOD)
    leaf = issue(authority, ("a.example",), GOOD)
    below = issue(leaf, ("b.example",), GOOD)
    policy = PolicyBuilder().store(Store([authority.certificate])).time(NOW)
    with pytest.raises(VerificationError):
        policy.build_server_verifier(x509.DNSName("b.example")).verify(below.certificate, [leaf.certificate])


def test_a_name_longer_than_a_common_name_may_be_still_holds() -> None:
    authority = make_authority("An authority", GOOD)
    name = f"{'a' * 60}.{'b' * 60}.example"
    verify(authority, issue(authority, (name,), GOOD), name)


def test_a_secret_replaces_a_readable_file_by_one_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"old")
    path.chmod(0o644)
    write_secret(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
