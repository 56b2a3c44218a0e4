"""Which of several certificates is taken, and that what cannot be told is never "there is none"."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.core.address import Address, parse_address
from gateway.sealed.recipients.choosing import Choice, Chooser, Chosen, NoneUsable, NotTold
from gateway.sealed.recipients.folder import Folder
from gateway.sealed.recipients.found import Found, LookupFailed
from gateway.sealed.recipients.trust import Trust
from tests.sealed.cms.people import NOW, YEAR, Person, authority, person, revocations
from tests.sealed.recipients.test_trust import put

CA = authority()
TEXT = "bob@partner.example"
BOB = parse_address(TEXT)
EXPIRED = person(TEXT, by=CA, valid=(NOW - YEAR, NOW - timedelta(days=1)))


class Place:
    """Gives what it was given, or fails; remembers how often it was asked."""

    def __init__(self, *found: Found, fails: bool = False) -> None:
        self.found = found
        self.fails = fails
        self.asked = 0

    async def find(self, address: Address) -> Sequence[Found]:
        self.asked += 1
        if self.fails:
            raise LookupFailed("The directory is gone.")
        return self.found


def believed(who: Person, holder: str = TEXT) -> Found:
    return Found(who.der, holder, believed=True)


def collected(who: Person) -> Found:
    return Found(who.der, TEXT, believed=False)


async def choose(folder: Path, *places: Place, lists: bool = False) -> Choice:
    ca = folder / "ca.pem"
    ca.write_bytes(CA.pem)
    return await Chooser(places, Trust(ca, folder / "lists" if lists else None)).choose(BOB, NOW)


async def test_the_one_that_lives_longest_is_taken(tmp_path: Path) -> None:
    short, long = person(TEXT, valid=(NOW, NOW + YEAR)), person(TEXT, valid=(NOW, NOW + 2 * YEAR))
    for found in ((short, long), (long, short)):
        chosen = await choose(tmp_path, Place(*map(believed, found)))
        assert isinstance(chosen, Chosen)
        assert chosen.usable.certificate == long.certificate


async def test_the_persons_own_comes_before_their_domains(tmp_path: Path) -> None:
    own, shared = person(TEXT), person("x@partner.example", valid=(NOW, NOW + 2 * YEAR))
    chosen = await choose(tmp_path, Place(believed(shared, "@partner.example"), believed(own)))
    assert isinstance(chosen, Chosen)
    assert (chosen.usable.certificate, chosen.holder) == (own.certificate, TEXT)
    chosen = await choose(tmp_path, Place(believed(shared, "@partner.example"), believed(EXPIRED)))
    assert isinstance(chosen, Chosen)
    assert chosen.holder == "@partner.example"


async def test_who_is_named_by_an_administrator_comes_before_who_names_themselves(tmp_path: Path) -> None:
    named, other = person(TEXT), person(TEXT, by=CA, valid=(NOW, NOW + 2 * YEAR))
    for found in ((believed(named), collected(other)), (collected(other), believed(named))):
        chosen = await choose(tmp_path, Place(*found))
        assert isinstance(chosen, Chosen)
        assert chosen.usable.certificate == named.certificate
    chosen = await choose(tmp_path, Place(believed(EXPIRED), collected(other)))
    assert isinstance(chosen, Chosen)
    assert chosen.usable.certificate == other.certificate


@pytest.mark.parametrize("file", ["mallory.pem", "mallory@other.example.pem", "0.pem"])
@pytest.mark.parametrize("claims", [(TEXT,), ("mallory@other.example", TEXT)])
async def test_nobody_takes_anothers_mail_by_a_name_inside_their_own(
    file: str, claims: tuple[str, ...], tmp_path: Path
) -> None:
    recipients = tmp_path / "recipients"
    recipients.mkdir()
    real, taking = person(TEXT), person(*claims, valid=(NOW - YEAR, NOW + 100 * YEAR))
    (recipients / file).write_bytes(taking.pem)
    folder = Folder(recipients, believed=True)
    (tmp_path / "ca.pem").write_bytes(CA.pem)
    for trust in (Trust(None, None), Trust(tmp_path / "ca.pem", None)):
        assert isinstance(await Chooser([folder], trust).choose(BOB, NOW), NoneUsable)
    (recipients / f"{TEXT}.pem").write_bytes(real.pem)
    chosen = await Chooser([folder], Trust(None, None)).choose(BOB, NOW)
    assert isinstance(chosen, Chosen)
    assert chosen.usable.certificate == real.certificate


async def test_a_name_inside_counts_where_an_authority_vouches(tmp_path: Path) -> None:
    both = person("carol@partner.example", TEXT, by=CA)
    (tmp_path / "both.crt").write_bytes(both.der)
    (tmp_path / "ca.txt").write_bytes(CA.pem)
    chosen = await Chooser([Folder(tmp_path, believed=True)], Trust(tmp_path / "ca.txt", None)).choose(BOB, NOW)
    assert isinstance(chosen, Chosen)
    assert chosen.usable.certificate == both.certificate


async def test_the_first_place_with_a_usable_one_has_it(tmp_path: Path) -> None:
    last = Place(fails=True)
    assert isinstance(await choose(tmp_path, Place(believed(person(TEXT))), last), Chosen)
    assert last.asked == 0
    assert isinstance(await choose(tmp_path, last, Place(believed(person(TEXT)))), Chosen)


async def test_a_place_that_fails_is_never_taken_for_an_empty_one(tmp_path: Path) -> None:
    assert await choose(tmp_path, Place(), Place(fails=True)) == NotTold("The directory is gone.")
    assert isinstance(await choose(tmp_path, Place(fails=True), Place(believed(EXPIRED))), NotTold)


async def test_none_is_said_with_the_address_and_every_reason_once(tmp_path: Path) -> None:
    assert await choose(tmp_path, Place(), Place()) == NoneUsable(f"There is no certificate for {TEXT}.")
    stranger = person(TEXT)
    assert await choose(
        tmp_path, Place(believed(EXPIRED), believed(EXPIRED)), Place(collected(stranger))
    ) == NoneUsable(
        f"The certificate of {TEXT} cannot be used: it expired on 2026-03-01; "
        "no authority vouches for it, and no file is named for them."
    )


async def test_what_was_collected_needs_an_authority_and_the_name(tmp_path: Path) -> None:
    assert isinstance(await choose(tmp_path, Place(collected(person(TEXT, by=CA)))), Chosen)
    # Whoever has any certificate of the same authority could put it into the directory.
    other = await choose(tmp_path, Place(collected(person("eve@other.example", by=CA))))
    assert other == NoneUsable(f"The certificate of {TEXT} cannot be used: it does not name that address.")


async def test_a_revoked_one_is_not_used_even_if_an_administrator_put_it_there(tmp_path: Path) -> None:
    taken_back, good = person(TEXT, by=CA), person(TEXT, by=CA)
    put(tmp_path, revocations(CA, taken_back))
    assert await choose(tmp_path, Place(believed(taken_back)), lists=True) == NoneUsable(
        f"The certificate of {TEXT} cannot be used: it was revoked on 2026-02-28."
    )
    chosen = await choose(tmp_path, Place(believed(taken_back), believed(good)), lists=True)
    assert isinstance(chosen, Chosen)
    assert chosen.usable.certificate == good.certificate


async def test_an_old_list_makes_it_wait(tmp_path: Path) -> None:
    put(tmp_path, revocations(CA, until=NOW - timedelta(seconds=1)))
    choice = await choose(tmp_path, Place(collected(person(TEXT, by=CA))), lists=True)
    assert choice == NotTold("The list of revoked certificates of CN=Test Authority is too old.")
