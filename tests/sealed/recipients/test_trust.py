"""Authorities and their lists of revoked certificates: good, forged, old, partial, broken and gone."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.sealed.recipients.found import LookupFailed
from gateway.sealed.recipients.trust import Revoked, Stranger, Trust, Untold, Vouched, Word
from tests.sealed.cms.people import NOW, YEAR, Person, authority, person, revocations

CA = authority()
BOB, CAROL = person("bob@partner.example", by=CA), person("carol@partner.example", by=CA)


def word(folder: Path, who: Person, *authorities: Person, lists: bool = True) -> Word:
    ca = folder / "ca.pem"
    ca.write_bytes(b"".join(each.pem for each in authorities or (CA,)))
    crl = folder / "lists"
    crl.mkdir(exist_ok=True)
    return Trust(ca, crl if lists else None).word(who.certificate, NOW)


def put(folder: Path, crl: object, name: str = "a.crl") -> None:
    (folder / "lists").mkdir(exist_ok=True)
    (folder / "lists" / name).write_bytes(crl.public_bytes(Encoding.PEM))  # pyright: ignore[reportAttributeAccessIssue]


def test_an_authority_vouches_for_what_it_signed_itself(tmp_path: Path) -> None:
    assert word(tmp_path, BOB, lists=False) == Vouched()
    assert word(tmp_path, BOB, authority("Other"), CA) == Vouched()
    assert word(tmp_path, BOB, authority("Other")) == Stranger()
    # The same name with another key.
    assert word(tmp_path, BOB, authority()) == Stranger()
    assert word(tmp_path, person("self@signed.example")) == Stranger()
    assert Trust(None, None).word(BOB.certificate, NOW) == Stranger()


def test_an_authority_that_ended_or_is_none_vouches_for_nobody(tmp_path: Path) -> None:
    ended = authority(valid=(NOW - YEAR, NOW - timedelta(seconds=1)))
    none = authority(ca=False)
    bare = person(common_name="Bare")
    for each in (ended, none, bare):
        assert word(tmp_path, person("bob@partner.example", by=each), each) == Stranger()


def test_a_revoked_certificate_is_known_by_its_number(tmp_path: Path) -> None:
    put(tmp_path, revocations(CA, BOB))
    assert word(tmp_path, BOB) == Revoked(NOW - timedelta(days=2))
    assert word(tmp_path, CAROL) == Vouched()
    assert word(tmp_path, BOB, lists=False) == Vouched()


def test_the_newest_list_counts(tmp_path: Path) -> None:
    put(tmp_path, revocations(CA, at=NOW - timedelta(days=3)), "a.crl")
    put(tmp_path, revocations(CA, BOB, at=NOW - timedelta(days=1)), "b.crl")
    put(tmp_path, revocations(CA, at=NOW - timedelta(days=2)), "c.crl")
    assert isinstance(word(tmp_path, BOB), Revoked)


def test_a_list_that_is_too_old_tells_nothing(tmp_path: Path) -> None:
    put(tmp_path, revocations(CA, until=NOW - timedelta(seconds=1)))
    assert word(tmp_path, CAROL) == Untold("The list of revoked certificates of CN=Test Authority is too old.")


def test_a_forged_or_partial_list_tells_nothing(tmp_path: Path) -> None:
    expected = Untold("No list of revoked certificates of CN=Test Authority can be used.")
    for crl in (revocations(CA, signed_by=authority()), revocations(CA, BOB, partial=True)):
        put(tmp_path, crl)
        assert word(tmp_path, CAROL) == expected


def test_a_list_of_another_authority_is_not_asked(tmp_path: Path) -> None:
    put(tmp_path, revocations(authority("Other"), until=NOW - timedelta(days=1), at=NOW - timedelta(days=2)))
    assert word(tmp_path, BOB) == Vouched()


def test_a_list_that_cannot_be_read_might_be_anybodys(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "broken.crl").write_bytes(b"half a downl")
    with pytest.raises(LookupFailed, match=r"broken\.crl cannot be read"):
        word(tmp_path, BOB)


def test_a_list_in_der_form_is_read(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "a.der").write_bytes(revocations(CA, BOB).public_bytes(Encoding.DER))
    assert isinstance(word(tmp_path, BOB), Revoked)


def test_a_file_without_authorities_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    for name in ("empty", "none"):
        with pytest.raises(ValueError, match="no authorities"):
            Trust(tmp_path / name, None)
