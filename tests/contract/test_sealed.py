"""What every store of sealed messages promises (`flow.ports.SealedStore`), run over each that there is."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.core.address import parse_address
from gateway.core.record import Kind, QueueId
from gateway.core.sealed import (
    Access,
    Closed,
    Happening,
    NewPackage,
    NewReader,
    OwnMail,
    PackageId,
    Reader,
    Secret,
    Unlocked,
    Wrong,
)
from gateway.core.sealing import Unlock
from gateway.flow.ports import SealedStoreError
from gateway.sealed.keys import Keyring, new_keyring
from gateway.sealed.store import SealedFiles
from tests.fakes.clock import SteppedClock

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ANNA = parse_address("anna@council.example")
BOB, CAROL, DAVE = (parse_address(f"{name}@plain.example") for name in ("bob", "carol", "dave"))
RAW = (
    b"From: anna@council.example\r\nTo: bob@plain.example\r\nSubject: MARKER subject\r\n"
    b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nMARKER text\r\n--x\r\n"
    b"Content-Disposition: attachment; filename=MARKER.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    b"TUFSS0VSIGZpbGU=\r\n--x--\r\n"
)


@asynccontextmanager
async def opened(folder: Path, keyring: Keyring) -> AsyncGenerator[SealedFiles]:
    store = await SealedFiles.open(folder, keyring, SteppedClock(NOW))
    try:
        yield store
    finally:
        await store.aclose()


@pytest.fixture
def keyring() -> Keyring:
    return new_keyring()


@pytest.fixture
async def store(tmp_path: Path, keyring: Keyring) -> AsyncGenerator[SealedFiles]:
    async with opened(tmp_path / "sealed", keyring) as made:
        yield made


async def given_out(raw: bytes = RAW, step: int = 50) -> AsyncIterator[bytes]:
    for at in range(0, len(raw), step):
        yield raw[at : at + step]


def package(delivery: str = "d1", unlock: Unlock = Unlock.VERIFIED_MAIL, downloads: int | None = None) -> NewPackage:
    return NewPackage(
        delivery_id=delivery,
        queue_id=QueueId(f"000-{delivery}"),
        sender=ANNA,
        level="controlled",
        route="encrypted",
        sealed_at=NOW,
        expires_at=NOW + 28 * DAY,
        readers=(NewReader(number=3, address=BOB, unlock=unlock), NewReader(number=7, address=CAROL, unlock=unlock)),
        downloads=downloads,
    )


async def whole(content: AsyncIterator[bytes]) -> bytes:
    return b"".join([block async for block in content])


async def reader(store: SealedFiles, of: PackageId, number: int = 3, now: datetime = NOW) -> Reader:
    found = await store.reader(of, number, now)
    assert found is not None
    return found


async def begun(store: SealedFiles, package: PackageId, who: str) -> str:
    """The cookie of an opening by reader 3."""
    opening = await store.open_session(package, 3, who, NOW, Secret.CODE)
    assert opening is not None
    return opening.cookie


async def test_a_message_comes_back_byte_for_byte_and_so_do_its_parts(store: SealedFiles) -> None:
    sealed = await store.seal(package(), given_out())
    assert await whole(store.read(sealed)) == RAW
    assert await whole(store.read(sealed, 10, 30)) == RAW[10:30]
    assert await whole(store.part(sealed, 1)) == b"MARKER file"
    assert await whole(store.part(sealed, 1, 2, 5)) == b"RKE"
    face = await store.face(sealed)
    assert face is not None
    assert (face.subject, [place.name for place in face.parts]) == ("MARKER subject", ["", "MARKER.bin"])
    with pytest.raises(SealedStoreError, match="no such part"):
        await whole(store.part(sealed, 2))


async def test_a_repeat_gives_the_same_package_and_reads_nothing(store: SealedFiles) -> None:
    first = await store.seal(package(), given_out())

    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("read again")
        yield b""

    assert await store.seal(package(), never()) == first
    assert await store.seal(package("d2"), given_out()) != first


async def test_two_at_once_make_one_package(store: SealedFiles, tmp_path: Path) -> None:
    found = await asyncio.gather(*(store.seal(package(), given_out()) for _ in range(8)))
    assert len(set(found)) == 1
    assert len(list((tmp_path / "sealed/files").iterdir())) == 1


async def test_each_reader_has_a_link_and_a_passphrase_of_their_own_and_always_the_same(store: SealedFiles) -> None:
    sealed = await store.seal(package(), given_out())
    secrets = await store.secrets(sealed)
    assert set(secrets) == {3, 7} and await store.secrets(sealed) == secrets
    assert len({one.token for one in secrets.values()} | {one.passphrase for one in secrets.values()}) == 4
    for number, one in secrets.items():
        found = await store.find(one.token, NOW)
        assert found is not None and (found.package, found.number) == (sealed, number)
    assert await store.find("x" * 43, NOW) is None
    by_mail = await store.seal(package("d2", Unlock.MAIL), given_out())
    assert {one.passphrase for one in (await store.secrets(by_mail)).values()} == {""}


async def test_a_code_opens_once_for_a_quarter_of_an_hour_and_only_the_last_one_does(store: SealedFiles) -> None:
    sealed = await store.seal(package(), given_out())
    old = await store.ask_code(sealed, 3, NOW)
    new = await store.ask_code(sealed, 3, NOW)
    assert old is not None and new is not None and len(new) == 8 and new.isdecimal()
    assert isinstance(await store.unlock(sealed, 7, new, NOW), Wrong), "another reader's"
    if old != new:
        assert await store.unlock(sealed, 3, old, NOW) == Wrong(4)
    assert await store.unlock(sealed, 3, f"{new[:4]} {new[4:]}", NOW) == Unlocked(Secret.CODE)
    assert await store.unlock(sealed, 3, new, NOW) == Wrong(4)
    late = await store.ask_code(sealed, 3, NOW)
    assert late is not None
    assert isinstance(await store.unlock(sealed, 3, late, NOW + timedelta(minutes=15)), Wrong)


async def test_a_passphrase_opens_again_and_again_and_no_code_goes_where_none_may(store: SealedFiles) -> None:
    sealed = await store.seal(package(unlock=Unlock.PASSPHRASE), given_out())
    passphrase = (await store.secrets(sealed))[3].passphrase
    for typed in (passphrase, passphrase.upper().replace("-", " ")):
        assert await store.unlock(sealed, 3, typed, NOW) == Unlocked(Secret.PASSPHRASE)
    assert await store.ask_code(sealed, 3, NOW) is None


async def test_the_fifth_wrong_one_in_a_row_locks_this_reader_alone(store: SealedFiles) -> None:
    sealed = await store.seal(package(), given_out())
    passphrase = (await store.secrets(sealed))[3].passphrase
    for left in (4, 3):
        assert await store.unlock(sealed, 3, "wrong", NOW) == Wrong(left)
    assert await store.unlock(sealed, 3, passphrase, NOW) == Unlocked(Secret.PASSPHRASE)
    for left in (4, 3, 2):
        assert await store.unlock(sealed, 3, "wrong", NOW) == Wrong(left)
    code = await store.ask_code(sealed, 3, NOW)
    assert code is not None, "a new code starts no new count"
    for left in (1, 0):
        assert await store.unlock(sealed, 3, "wrong", NOW) == Wrong(left)
    for secret in (code, passphrase, "wrong"):
        assert await store.unlock(sealed, 3, secret, NOW) == Closed()
    assert (await reader(store, sealed, 3)).access is Access.LOCKED
    assert (await reader(store, sealed, 7)).access is Access.OPEN
    assert await store.ask_code(sealed, 3, NOW) is None
    assert await store.restore(sealed, 3, NOW, "desk") == 1
    assert await store.unlock(sealed, 3, passphrase, NOW) == Unlocked(Secret.PASSPHRASE)


async def test_many_guesses_at_once_are_no_more_than_five(store: SealedFiles) -> None:
    sealed = await store.seal(package(), given_out())
    found = await asyncio.gather(*(store.unlock(sealed, 3, f"guess {n}", NOW) for n in range(20)))
    assert sum(isinstance(one, Wrong) for one in found) == 5
    assert (await reader(store, sealed)).access is Access.LOCKED


async def test_of_right_guesses_at_once_one_uses_the_code_up_and_a_passphrase_opens_for_all(
    store: SealedFiles,
) -> None:
    sealed = await store.seal(package(), given_out())
    code = await store.ask_code(sealed, 3, NOW)
    assert code is not None
    found = await asyncio.gather(*(store.unlock(sealed, 3, code, NOW) for _ in range(2)))
    assert sorted(found, key=repr) == [Closed(), Unlocked(Secret.CODE)]
    assert (await reader(store, sealed, 3)).access is Access.OPEN
    await store.ask_code(sealed, 3, NOW)
    passphrase = (await store.secrets(sealed))[3].passphrase
    found = await asyncio.gather(*(store.unlock(sealed, 3, passphrase, NOW) for _ in range(2)))
    assert found == [Unlocked(Secret.PASSPHRASE)] * 2


async def test_the_history_is_read_for_one_reader_and_one_kind(store: SealedFiles) -> None:
    sealed = await store.seal(package(), given_out())
    for number, what in ((3, Happening.REPLIED), (7, Happening.REPLIED), (3, Happening.LANDED)):
        await store.note(sealed, number, what, NOW)
    assert [one.number for one in await store.history(sealed, what=Happening.REPLIED)] == [3, 7]
    assert [one.what for one in await store.history(sealed, 3, Happening.REPLIED)] == [Happening.REPLIED]
    assert [one.what for one in await store.history(sealed, 3)] == [Happening.REPLIED, Happening.LANDED]


async def test_only_so_many_codes_are_sent(store: SealedFiles) -> None:
    sealed = await store.seal(package(), given_out())
    assert [await store.ask_code(sealed, 3, NOW) is None for _ in range(6)] == [False] * 5 + [True]
    assert await store.ask_code(sealed, 7, NOW) is not None
    sent = 5
    for hour in range(1, 6):
        sent += sum([await store.ask_code(sealed, 3, NOW + hour * HOUR + HOUR / 60) is not None for _ in range(6)])
    assert sent == 20


@pytest.mark.parametrize("way", ["revoke", "disown", "expire", "erase", "lock"])
async def test_what_is_closed_opens_for_nobody_and_ends_sessions(way: str, store: SealedFiles) -> None:
    sealed = await store.seal(package(), given_out())
    secret = (await store.secrets(sealed))[3]
    cookie = await begun(store, sealed, "me")
    now = NOW + 28 * DAY if way == "expire" else NOW
    match way:
        case "revoke":
            assert await store.revoke(sealed, 3, NOW, "anna") == 1
        case "disown":
            assert await store.disown(sealed, 3, NOW, "me")
            assert not await store.disown(sealed, 3, NOW, "me")
        case "erase":
            assert await store.erase(sealed, NOW, "anna")
        case "lock":
            for _ in range(5):
                await store.unlock(sealed, 3, "wrong", NOW)
        case _:
            pass
    expected = {
        "revoke": Access.REVOKED, "disown": Access.DISOWNED, "expire": Access.EXPIRED, "erase": Access.ERASED,
        "lock": Access.LOCKED,
    }  # fmt: skip
    found = await store.find(secret.token, now)
    assert found is not None and found.access is expected[way]
    assert await store.unlock(sealed, 3, secret.passphrase, now) == Closed()
    assert await store.session(cookie, now) is None
    assert await store.ask_code(sealed, 3, now) is None
    assert await store.open_session(sealed, 3, "me", now, Secret.CODE) is None
    assert [one.what for one in await store.history(sealed)].count(Happening.OPENED) == 1


async def test_revoking_and_restoring_for_one_and_for_all(store: SealedFiles) -> None:
    sealed = await store.seal(package(), given_out())
    assert await store.revoke(sealed, 3, NOW, "anna") == 1
    assert await store.revoke(sealed, None, NOW, "anna") == 1
    assert await store.revoke(sealed, None, NOW, "anna") == 0
    assert await store.restore(sealed, 7, NOW, "anna") == 1
    assert [one.access for one in await store.readers(sealed, NOW)] == [Access.REVOKED, Access.OPEN]
    assert await store.restore(sealed, None, NOW, "anna") == 1
    told = [(one.what, one.number, one.who) for one in await store.history(sealed)]
    assert told == [
        (Happening.SEALED, None, ""),
        (Happening.REVOKED, 3, "anna"),
        (Happening.REVOKED, None, "anna"),
        (Happening.RESTORED, 7, "anna"),
        (Happening.RESTORED, None, "anna"),
    ]


async def test_more_time_opens_what_has_expired(store: SealedFiles) -> None:
    sealed = await store.seal(package(), given_out())
    late = NOW + 30 * DAY
    assert (await reader(store, sealed, now=late)).access is Access.EXPIRED
    assert await store.extend(sealed, late + DAY, late, "anna")
    assert not await store.extend(sealed, late + DAY / 2, late, "anna")
    assert (await reader(store, sealed, now=late)).expires_at == late + DAY
    assert (await reader(store, sealed, now=late)).access is Access.OPEN
    assert await store.erase(sealed, late, "anna")
    assert not await store.extend(sealed, late + 2 * DAY, late, "anna")


async def test_a_session_lives_half_an_hour_idle_and_half_a_day_at_most(store: SealedFiles) -> None:
    sealed = await store.seal(package(), given_out())
    cookie = await begun(store, sealed, "Carol of the office")
    found = await store.session(cookie, NOW)
    assert found is not None and (found[0].number, found[1]) == (3, "Carol of the office")
    assert await store.session(cookie, NOW + timedelta(minutes=31)) is None
    at = NOW
    while at < NOW + timedelta(hours=11, minutes=40):
        at += timedelta(minutes=20)
        assert await store.session(cookie, at) is not None
    assert await store.session(cookie, NOW + timedelta(hours=12)) is None
    other = await begun(store, sealed, "")
    await store.end_session(other)
    assert await store.session(other, NOW) is None
    assert await store.session("x", NOW) is None


async def test_each_opening_is_recorded_with_who_it_was(store: SealedFiles) -> None:
    sealed = await store.seal(package(), given_out())
    openings = [
        await store.open_session(sealed, 3, who, NOW + n * HOUR, by)
        for n, (who, by) in enumerate((("Carol", Secret.CODE), ("Dave", Secret.PASSPHRASE)))
    ]
    assert [one is not None and one.first for one in openings] == [True, False]
    found = await reader(store, sealed)
    assert (found.opened, found.opened_at) == (2, NOW)
    told = [(one.who, one.detail) for one in await store.history(sealed) if one.what is Happening.OPENED]
    assert told == [("Carol", "by a code"), ("Dave", "by the passphrase")]


async def test_downloads_are_counted_up_to_their_number(store: SealedFiles) -> None:
    sealed = await store.seal(package(downloads=2), given_out())
    assert [await store.download(sealed, 3, NOW, "Carol", "part 1") for _ in range(3)] == [True, True, False]
    assert await store.download(sealed, 7, NOW, "", "part 1")
    assert [await store.download(sealed, 3, NOW, "", "all files") for _ in range(3)] == [True, True, False]
    assert (await reader(store, sealed)).downloaded == 4
    free = await store.seal(package("d2"), given_out())
    assert all([await store.download(free, 3, NOW, "", "") for _ in range(5)])


async def test_erased_is_erased(store: SealedFiles, tmp_path: Path, keyring: Keyring) -> None:
    sealed = await store.seal(package(), given_out())
    await store.open_session(sealed, 3, "Carol", NOW, Secret.CODE)
    await store.download(sealed, 3, NOW, "Carol", "part 1")
    assert await store.erase(sealed, NOW, "anna")
    assert not await store.erase(sealed, NOW, "anna")
    assert await store.face(sealed) is None and await store.secrets(sealed) == {}
    with pytest.raises(SealedStoreError, match="not there any more"):
        await whole(store.read(sealed))
    with pytest.raises(SealedStoreError, match="erased since"):
        await store.seal(package(), given_out())
    assert list((tmp_path / "sealed/files").iterdir()) == []
    told = {one.what: (one.who, one.detail) for one in await store.history(sealed)}
    assert told[Happening.OPENED] == told[Happening.DOWNLOADED] == ("", "")
    assert told[Happening.ERASED] == ("anna", "")


async def test_nothing_readable_lies_anywhere(store: SealedFiles, tmp_path: Path) -> None:
    sealed = await store.seal(package(), given_out())
    secret = (await store.secrets(sealed))[3]
    code = await store.ask_code(sealed, 3, NOW)
    cookie = await begun(store, sealed, "MARKER name")
    await store.note(sealed, 3, Happening.REPLIED, NOW, who="MARKER", detail="MARKER detail")
    await store.agree(DAVE, "MARKER passphrase")
    await store.post(mail(b"MARKER reply"))
    password = await store.password("archive/x/0", NOW + DAY)
    assert code is not None
    hidden = [b"MARKER", *(text.encode() for text in (secret.token, secret.passphrase, code, cookie, password))]
    hidden.append(b"TUFSS0VS")
    for path in (tmp_path / "sealed").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not [text for text in hidden if text in data], path
            assert path.stat().st_mode & 0o077 == 0 or path.suffix in (".db-shm", ".db-wal")


def mail(text: bytes, number: int = 3) -> OwnMail:
    return OwnMail(
        kind=Kind.REPLY,
        to=ANNA,
        text=text,
        reason="a reply",
        message_id="m",
        package=PackageId("p"),
        number=number,
        queue_id=QueueId("000-1"),
        protected=True,
        until=NOW + HOUR,
    )


async def test_own_mail_waits_in_order_until_it_is_posted(store: SealedFiles) -> None:
    for number in range(3):
        await store.post(mail(b"\x00\xff" + bytes([number]), number))
    first, second = await store.outgoing(NOW, 2)
    assert await store.own_mail(first) == mail(b"\x00\xff\x00", 0)
    await store.posted([first])
    assert await store.own_mail(first) is None
    await store.put_off(second, NOW + HOUR)
    [third] = await store.outgoing(NOW, 10)
    assert await store.own_mail(third) == mail(b"\x00\xff\x02", 2)
    assert await store.outgoing(NOW + HOUR, 10) == [second, third]


async def test_one_damaged_mail_is_one_damaged_mail(store: SealedFiles, tmp_path: Path) -> None:
    for number in range(2):
        await store.post(mail(b"words", number))
    damaged, sound = await store.outgoing(NOW, 10)
    with closing(sqlite3.connect(tmp_path / "sealed" / "sealed.db")) as db, db:
        db.execute("UPDATE outbox SET mail = x'00' WHERE id = ?", (damaged,))
    with pytest.raises(SealedStoreError):
        await store.own_mail(damaged)
    assert await store.own_mail(sound) == mail(b"words", 1)


async def test_tries_that_were_counted_and_never_answered_lock_in_the_end(store: SealedFiles, tmp_path: Path) -> None:
    sealed = await store.seal(package(), given_out())
    passphrase = (await store.secrets(sealed))[3].passphrase
    with closing(sqlite3.connect(tmp_path / "sealed" / "sealed.db")) as db, db:
        db.execute("UPDATE readers SET tries = 5 WHERE number = 3")
    assert await store.unlock(sealed, 3, passphrase, NOW) == Wrong(0)
    assert await store.unlock(sealed, 3, passphrase, NOW) == Closed()
    assert [one.what for one in await store.history(sealed)] == [Happening.SEALED, Happening.LOCKED]
    assert await store.restore(sealed, 3, NOW, "desk") == 1
    assert await store.unlock(sealed, 3, passphrase, NOW) == Unlocked(Secret.PASSPHRASE)


async def test_what_was_erased_while_somebody_read_is_overwritten_later(store: SealedFiles, tmp_path: Path) -> None:
    sealed = await store.seal(package(), given_out())
    file = tmp_path / "sealed" / "sealed.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as reading:
        [(wrapped,)] = reading.execute("SELECT wrapped FROM packages").fetchall()
        assert await store.forget() and wrapped in file.read_bytes()
        reading.execute("BEGIN").execute("SELECT * FROM packages").fetchall()
        assert await store.erase(sealed, NOW, "anna")
        assert wrapped in file.read_bytes()
        reading.execute("COMMIT")
    await store.sweep(NOW, NOW)
    assert wrapped not in file.read_bytes()


async def test_an_agreed_passphrase_takes_the_place_of_one_that_is_made(store: SealedFiles) -> None:
    await store.agree(BOB, "Our own words")
    sealed = await store.seal(package(), given_out())
    assert [(one.agreed, one.number) for one in await store.readers(sealed, NOW)] == [(True, 3), (False, 7)]
    secrets = await store.secrets(sealed)
    assert secrets[3].passphrase == "" != secrets[7].passphrase
    assert await store.unlock(sealed, 3, "our own  words", NOW) == Unlocked(Secret.AGREED)
    await store.agree(BOB, None)
    later = await store.seal(package("d2"), given_out())
    assert not (await reader(store, later)).agreed
    assert isinstance(await store.unlock(later, 3, "our own words", NOW), Wrong)
    by_mail = await store.seal(package("d3", Unlock.MAIL), given_out())
    assert not (await reader(store, by_mail)).agreed
    await store.agree(BOB, "other words")
    also = await store.seal(package("d4", Unlock.MAIL), given_out())
    assert [one.agreed for one in await store.readers(also, NOW)] == [True, False]
    assert await store.unlock(also, 3, "other words", NOW) == Unlocked(Secret.AGREED)
    code = await store.ask_code(also, 3, NOW)
    assert code is not None
    assert await store.unlock(also, 3, code, NOW) == Unlocked(Secret.CODE)
    assert await store.unlock(also, 7, "other words", NOW) == Wrong(4)


async def test_a_password_is_the_same_for_its_name_until_its_time_is_over(store: SealedFiles) -> None:
    first = await store.password("archive/1/0", NOW + DAY)
    assert await store.password("archive/1/0", NOW + 9 * DAY) == first == await store.known_password("archive/1/0", NOW)
    assert await store.password("archive/1/1", NOW + DAY) != first
    assert await store.known_password("archive/2/0", NOW) is None
    await store.password("archive/30/0", NOW + 2 * DAY)
    await store.password("archive/3/0", NOW + DAY)
    await store.password("archive/3/7", NOW + 2 * DAY)
    assert await store.password_names("archive/3/", NOW) == ["archive/3/0", "archive/3/7"]
    assert await store.password_names("archive/3/", NOW + DAY) == ["archive/3/7"]
    assert await store.known_password("archive/1/0", NOW + DAY) is None


async def test_keys_are_rotated_without_losing_anything(store: SealedFiles, keyring: Keyring, tmp_path: Path) -> None:
    sealed = await store.seal(package(), given_out())
    secrets, password = await store.secrets(sealed), await store.password("n", NOW + DAY)
    rotated = keyring.rotated("second")
    await store.use(rotated)
    assert await store.rewrap() == 2 and await store.rewrap() == 0
    await store.use(rotated.only_current())
    assert await whole(store.read(sealed)) == RAW and await store.secrets(sealed) == secrets
    assert await store.unlock(sealed, 3, secrets[3].passphrase, NOW) == Unlocked(Secret.PASSPHRASE)
    assert await store.password("n", NOW + DAY) == password
    with pytest.raises(SealedStoreError, match="second"):
        await store.use(keyring)
    async with opened(tmp_path / "sealed", rotated.only_current()) as other:
        assert await whole(other.read(sealed)) == RAW


async def test_the_wrong_keys_open_nothing(store: SealedFiles, tmp_path: Path) -> None:
    await store.seal(package(), given_out())
    with pytest.raises(SealedStoreError):
        async with opened(tmp_path / "sealed", new_keyring()):
            pass
    with pytest.raises(SealedStoreError, match="not among those"):
        async with opened(tmp_path / "sealed", new_keyring("other")):
            pass


async def test_a_damaged_file_gives_nothing_of_what_it_should_not(store: SealedFiles, tmp_path: Path) -> None:
    sealed = await store.seal(package(), given_out())
    [path] = (tmp_path / "sealed/files").iterdir()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(SealedStoreError, match="changed or cut off"):
        await whole(store.read(sealed))
    path.unlink()
    with pytest.raises(SealedStoreError):
        await whole(store.read(sealed))


async def test_who_opened_nothing_is_reminded_once_before_the_end(store: SealedFiles) -> None:
    sealed = await store.seal(package(), given_out())
    late = NOW + 26 * DAY
    assert await store.remindable(NOW, NOW + 3 * DAY, 10) == ()
    assert [one.number for one in await store.remindable(late, late + 3 * DAY, 10)] == [3, 7]
    await store.note(sealed, 3, Happening.REMINDED, late)
    await store.open_session(sealed, 7, "", late, Secret.CODE)
    assert await store.remindable(late, late + 3 * DAY, 10) == ()
    await store.extend(sealed, NOW + 28 * DAY + HOUR, late, "")
    assert [one.number for one in await store.remindable(late, late + 3 * DAY, 10)] == [3]


async def test_what_is_long_over_is_erased_and_what_belongs_to_nothing_goes(store: SealedFiles, tmp_path: Path) -> None:
    sealed = await store.seal(package(), given_out())
    stray = tmp_path / "sealed/files/stray"
    stray.write_bytes(b"x")
    now = datetime.now(UTC)
    assert await store.sweep(now, NOW) == 0
    assert stray.exists(), "it may be in writing"
    assert await store.sweep(now + 2 * HOUR, NOW + 28 * DAY + HOUR) == 1
    assert not stray.exists()
    assert (await reader(store, sealed)).access is Access.ERASED


async def test_the_list_is_the_newest_first_and_finds_by_a_part_of_anything(store: SealedFiles) -> None:
    made: list[PackageId] = []
    for number in range(3):
        new = package(f"d{number}")
        made.append(await store.seal(_at(new, NOW + number * HOUR), given_out()))
    assert [one.package for one in await store.list(NOW)] == [made[2], made[2], made[1], made[1], made[0], made[0]]
    assert {one.package for one in await store.list(NOW, limit=1)} == {made[2]}
    assert {one.package for one in await store.list(NOW, after=made[2], limit=1)} == {made[1]}
    assert {one.package for one in await store.list(NOW, text="CAROL@plain")} == set(made)
    assert {one.package for one in await store.list(NOW, text="000-d1")} == {made[1]}
    assert await store.list(NOW, text="nobody") == ()


def _at(new: NewPackage, at: datetime) -> NewPackage:
    return NewPackage(
        delivery_id=new.delivery_id, queue_id=new.queue_id, sender=new.sender, level=new.level, route=new.route,
        sealed_at=at, expires_at=new.expires_at, readers=new.readers,
    )  # fmt: skip


async def test_a_store_that_cannot_be_written_says_so_and_keeps_nothing(tmp_path: Path, keyring: Keyring) -> None:
    async with opened(tmp_path / "sealed", keyring) as store:
        assert await store.healthy()

        async def breaks() -> AsyncIterator[bytes]:
            yield RAW[:40]
            raise SealedStoreError("the message cannot be read")

        with pytest.raises(SealedStoreError, match="cannot be read"):
            await store.seal(package(), breaks())
        assert list((tmp_path / "sealed/files").iterdir()) == []
        (tmp_path / "sealed/files").rmdir()
        with pytest.raises(SealedStoreError):
            await store.seal(package(), given_out())


async def test_two_processes_see_the_same(store: SealedFiles, tmp_path: Path, keyring: Keyring) -> None:
    async with opened(tmp_path / "sealed", keyring) as other:
        sealed = await other.seal(package(), given_out())
        assert await store.seal(package(), given_out()) == sealed
        assert await store.secrets(sealed) == await other.secrets(sealed)
        await store.revoke(sealed, None, NOW, "")
        assert (await reader(other, sealed)).access is Access.REVOKED
