"""Certificates in a folder: by address, by file name, for a domain; changes, and what is beyond its limits."""

import os
from pathlib import Path

import pytest

from gateway.core.address import parse_address
from gateway.sealed.recipients import folder as folder_module
from gateway.sealed.recipients.folder import Folder
from gateway.sealed.recipients.found import Found, LookupFailed
from tests.sealed.cms.people import authority, person

BOB = "bob@partner.example"


async def found(folder: Path, address: str, *, believed: bool = True) -> list[Found]:
    return list(await Folder(folder, believed=believed).find(parse_address(address)))


async def test_a_file_is_for_whom_it_is_named_and_what_stands_inside_is_only_a_claim(tmp_path: Path) -> None:
    inside, named = person(BOB), person("somebody@else.example")
    (tmp_path / "anything.crt").write_bytes(inside.der)
    (tmp_path / "Carol@Partner.example.pem").write_bytes(named.pem + authority().pem)
    assert await found(tmp_path, "BOB@partner.example") == [Found(inside.der, "BOB@partner.example", believed=False)]
    assert await found(tmp_path, "carol@partner.example") == [Found(named.der, "carol@partner.example", believed=True)]
    assert await found(tmp_path, "somebody@else.example") == [], "a file that is named for somebody is for nobody else"
    assert await found(tmp_path, "dave@partner.example") == []


async def test_an_old_and_a_new_one_of_somebody_differ_in_their_ending(tmp_path: Path) -> None:
    old, new = person(BOB), person(BOB)
    (tmp_path / f"{BOB}.crt").write_bytes(old.der)
    (tmp_path / f"{BOB}.pem").write_bytes(new.pem)
    assert await found(tmp_path, BOB) == [Found(old.der, BOB, believed=True), Found(new.der, BOB, believed=True)]


async def test_a_domains_certificate_is_for_all_of_it_and_for_no_other(tmp_path: Path) -> None:
    shared, own = person("gateway@partner.example"), person(BOB)
    (tmp_path / "@partner.example.pem").write_bytes(shared.pem)
    (tmp_path / f"{BOB}.pem").write_bytes(own.pem)
    both = await found(tmp_path, BOB)
    assert both == [Found(own.der, BOB, believed=True), Found(shared.der, "@partner.example", believed=True)]
    assert await found(tmp_path, "x@sub.partner.example") == []
    # Whoever may collect certificates may not speak for a domain.
    assert await found(tmp_path, "x@partner.example", believed=False) == []


async def test_an_address_beyond_ascii_is_found(tmp_path: Path) -> None:
    made = person(utf8=["jürgen@partner.example"])
    (tmp_path / "a.pem").write_bytes(made.pem)
    assert [each.der for each in await found(tmp_path, "Jürgen@partner.example")] == [made.der]


async def test_a_file_that_cannot_be_read_is_given_by_its_name_alone(tmp_path: Path) -> None:
    (tmp_path / f"{BOB}.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n")
    (tmp_path / "..@.pem").write_bytes(b"nothing")
    (tmp_path / "note.txt").write_bytes(person("carol@partner.example").pem)
    assert [each.holder for each in await found(tmp_path, BOB)] == [BOB]
    assert await found(tmp_path, "carol@partner.example") == []


async def test_a_change_is_seen(tmp_path: Path) -> None:
    folder, first, second = Folder(tmp_path, believed=True), person(BOB), person(BOB)
    path, bob = tmp_path / "bob.pem", parse_address(BOB)
    path.write_bytes(first.pem)
    assert [each.der for each in await folder.find(bob)] == [first.der]
    path.write_bytes(second.pem)
    os.utime(path, ns=(1, 1))
    assert [each.der for each in await folder.find(bob)] == [second.der]
    path.unlink()
    assert await folder.find(bob) == []


async def test_a_folder_that_is_gone_or_too_full_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LookupFailed, match="cannot be read: No such file"):
        await found(tmp_path / "none", BOB)
    monkeypatch.setattr(folder_module, "_MOST_FILES", 1)
    (tmp_path / "a.pem").write_bytes(person(BOB).pem)
    assert len(await found(tmp_path, BOB)) == 1
    (tmp_path / "b.pem").write_bytes(person(BOB).pem)
    with pytest.raises(LookupFailed, match="more than 1 files"):
        await found(tmp_path, BOB)


async def test_a_file_beyond_reason_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_bytes(bytes(300_000))
    with pytest.raises(LookupFailed, match=r"a\.pem has more than"):
        await found(tmp_path, BOB)
