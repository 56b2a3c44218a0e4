"""Bodies at rest: what is on the disk, and what opens it."""

import errno
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.record import QueueId
from gateway.flow.ports import SpoolError, SpoolFull
from gateway.spool.body_keys import CHUNK, HEAD, NO_KEYS, SEALED_CHUNK, BodyKeys, KeyMissing, plain_size
from gateway.spool.options import SpoolOptions
from gateway.spool.reader import ShardReader
from gateway.spool.sqlite import SpoolParts, SqliteSpool
from tests.spool.disks import Faults, damage, files, opened
from tests.spool.samples import HOUR, START, StandingClock, body_of, commit, entry, inline, row, settlement, written

NOWHERE = frozenset[str]()
OLD, NEW = b"o" * 32, b"n" * 32
MARKER = b"The marker of Alderman Crabtree\r\n"
SMALL = MARKER * 20
LARGE = MARKER * 20_000  # 660,000 bytes: three blocks, and a last chunk that is not full.
SIZES = st.one_of(st.integers(0, 40), st.integers(CHUNK - 2, CHUNK + 2), st.integers(3 * CHUNK - 1, 3 * CHUNK + 1))


def sealed_with(*keys: bytes) -> SpoolOptions:
    return SpoolOptions(keys=BodyKeys(keys))


def stored_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def read_all(sealed: bytes, size: int, keys: BodyKeys) -> bytes:
    """Chunk by chunk from the last to the first, as nobody reads."""
    opener = keys.opener(sealed[:HEAD], size)
    chunks = [sealed[at : at + SEALED_CHUNK] for at in range(HEAD, len(sealed), SEALED_CHUNK)]
    return b"".join(reversed([opener.open(number, chunk) for number, chunk in reversed(list(enumerate(chunks)))]))


@settings(deadline=None)
@given(size=SIZES, cuts=st.lists(st.integers(0, 3 * CHUNK), max_size=4))
def test_a_body_is_sealed_alike_however_it_comes_in_and_opened_however_it_is_read(size: int, cuts: list[int]) -> None:
    body = bytes(number % 251 for number in range(size))
    keys = BodyKeys([NEW])
    sealer = keys.sealer()
    assert sealer is not None
    places = [0, *sorted(min(cut, size) for cut in cuts), size]
    sealed = b"".join([*(sealer.feed(body[start:end]) for start, end in pairwise(places)), sealer.finish()])
    assert keys.open(sealed, size) == body
    assert read_all(sealed, size, keys) == body
    assert len(sealed) == len(keys.seal(body)) > size == plain_size(len(sealed))
    assert body not in sealed or size < 4


def test_two_bodies_alike_have_nothing_in_common_on_the_disk() -> None:
    keys = BodyKeys([NEW])
    one, two = keys.seal(SMALL), keys.seal(SMALL)
    assert one[:4] == two[:4], "the key's mark"
    assert not any(one[at : at + 8] in two for at in range(4, len(one) - 8))


def changed(sealed: bytes) -> Iterator[bytes]:
    first, second = sealed[HEAD : HEAD + SEALED_CHUNK], sealed[HEAD + SEALED_CHUNK : HEAD + 2 * SEALED_CHUNK]
    for at in (4, HEAD - 1, HEAD, HEAD + 100, HEAD + SEALED_CHUNK - 1, len(sealed) - 1):
        yield sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
    yield sealed[:HEAD] + second + first + sealed[HEAD + 2 * SEALED_CHUNK :]
    yield sealed[:-1]
    yield sealed + b"x"


def test_what_was_changed_moved_or_cut_off_is_damaged() -> None:
    keys, body = BodyKeys([NEW]), b"x" * (3 * CHUNK)
    sealed = keys.seal(body)
    for bad in changed(sealed):
        with pytest.raises(SpoolError, match="the body is damaged"):
            keys.open(bad, len(body))
    with pytest.raises(SpoolError, match="the body is damaged"):
        keys.open(sealed[: HEAD + 2 * SEALED_CHUNK], 2 * CHUNK)  # As if there had been less from the beginning.
    assert keys.open(sealed, len(body)) == body


def test_the_first_key_seals_all_open_and_none_leaves_bodies_as_they_came() -> None:
    old = BodyKeys([OLD]).seal(SMALL)
    both = BodyKeys([NEW, OLD])
    assert both.open(old, len(SMALL)) == SMALL
    assert BodyKeys([NEW]).open(both.seal(SMALL), len(SMALL)) == SMALL
    for keys in (BodyKeys([NEW]), NO_KEYS):
        with pytest.raises(KeyMissing, match=r"not among those of secrets\.spool"):
            keys.open(old, len(SMALL))
        assert keys.open(SMALL, len(SMALL)) == SMALL, "what came before there were keys"
    assert NO_KEYS.seal(SMALL) == SMALL
    with pytest.raises(ValueError, match="32 bytes"):
        BodyKeys([b"short"])


@pytest.mark.parametrize("body", [SMALL, LARGE])
async def test_nothing_of_a_body_is_readable_on_the_disk_and_it_is_given_out_whole(tmp_path: Path, body: bytes) -> None:
    async with opened(tmp_path, Faults(), sealed_with(NEW)) as spool:
        queue_id = await commit(spool, body=await written(spool, body))
        assert MARKER[4:20] not in stored_bytes(tmp_path)
    async with opened(tmp_path, Faults(), sealed_with(NEW)) as spool:
        assert ShardReader(tmp_path, BodyKeys([NEW])).beginning(queue_id, 300_000) == body[:300_000]
        (lease,) = await spool.claim(START, 1, NOWHERE)
        assert await body_of(spool, lease.message.body) == body
        assert await body_of(spool, lease.message.body, 70_001) == body[70_001:]
        await spool.settle(lease, replace(settlement(lease), entries=()))
    assert files(spool) == []
    assert MARKER[4:20] not in stored_bytes(tmp_path)
    async with opened(tmp_path, Faults()) as spool:
        await commit(spool, body=await written(spool, body))
        assert MARKER[4:20] in stored_bytes(tmp_path), "without a key: the search would find it"


@pytest.mark.parametrize("body", [SMALL, LARGE])
async def test_a_shard_whose_key_is_gone_is_not_used_and_nothing_in_it_is_touched(tmp_path: Path, body: bytes) -> None:
    async with opened(tmp_path, Faults(), sealed_with(OLD)) as spool:
        queue_id = await commit(spool, body=await written(spool, body))
    for options in (sealed_with(NEW), SpoolOptions()):
        with pytest.raises(SpoolError, match=r"shard-000: .* not among those of secrets\.spool"):
            await SqliteSpool.open(tmp_path, 0, SpoolParts(clock=StandingClock(), options=options))
        with pytest.raises(SpoolError, match=r"not among those of secrets\.spool"):
            ShardReader(tmp_path, options.keys).beginning(queue_id, 10)
    async with opened(tmp_path, Faults(), sealed_with(NEW, OLD)) as spool:
        (lease,) = await spool.claim(START, 1, NOWHERE)
        assert await body_of(spool, lease.message.body) == body


async def test_mail_between_whose_key_is_gone_is_set_aside_and_the_rest_goes_on(tmp_path: Path) -> None:
    sent: list[QueueId] = []
    for hour, key in enumerate((NEW, OLD, NEW)):
        parts = SpoolParts(clock=StandingClock(START + hour * HOUR), options=sealed_with(key, OLD, NEW))
        spool = await SqliteSpool.open(tmp_path, 0, parts)
        sent.append(await commit(spool, body=inline(SMALL)))
        await spool.aclose()
    told: list[tuple[QueueId, str]] = []
    parts = SpoolParts(
        clock=StandingClock(), options=sealed_with(NEW), aside=lambda queue_id, reason: told.append((queue_id, reason))
    )
    spool = await SqliteSpool.open(tmp_path, 0, parts)
    try:
        leases = await spool.claim(START, 10, NOWHERE)
        assert [lease.message.queue_id for lease in leases] == [sent[0], sent[2]]
        assert told == [(sent[1], str(KeyMissing()))]
    finally:
        await spool.aclose()


async def test_a_damaged_body_in_a_row_does_not_keep_the_shard_from_opening(tmp_path: Path) -> None:
    async with opened(tmp_path, Faults(), sealed_with(NEW)) as spool:
        await commit(spool, body=inline(SMALL))
        good = await commit(spool, body=inline(SMALL))
    damage(
        tmp_path,
        "UPDATE messages SET body = CAST(substr(body, 1, 100) || x'00' || substr(body, 102) AS BLOB)"
        " WHERE queue_id = (SELECT min(queue_id) FROM messages)",
    )
    async with opened(tmp_path, Faults(), sealed_with(NEW)) as spool:
        assert [lease.message.queue_id for lease in await spool.claim(START, 10, NOWHERE)] == [good]


HEADLESS = "UPDATE messages SET body = CAST(x'00' || substr(body, 2) AS BLOB) WHERE rowid = 1"


async def test_a_body_whose_key_cannot_be_told_any_more_keeps_nobody_from_working(tmp_path: Path) -> None:
    async with opened(tmp_path, Faults(), sealed_with(OLD)) as spool:
        await commit(spool, body=inline(SMALL))
    damage(tmp_path, HEADLESS)
    async with opened(tmp_path, Faults(), sealed_with(NEW, OLD)) as spool:
        good = await commit(spool, body=inline(SMALL))
        assert [lease.message.queue_id for lease in await spool.claim(START, 10, NOWHERE)] == [good]
    async with opened(tmp_path, Faults(), sealed_with(NEW)) as spool:
        assert spool.healthy, "what was set aside waits for nobody's key"


async def test_a_file_whose_key_cannot_be_told_any_more_is_an_error_to_its_reader_alone(tmp_path: Path) -> None:
    async with opened(tmp_path, Faults(), sealed_with(NEW)) as spool:
        ref = await written(spool, LARGE)
        await commit(spool, body=ref)
        path = spool.bodies.folder / str(ref.path)
    path.write_bytes(bytes(4096) + path.read_bytes()[4096:])
    async with opened(tmp_path, Faults(), sealed_with(NEW)) as spool:
        with pytest.raises(SpoolError, match="the body is damaged"):
            await body_of(spool, ref)


@pytest.mark.parametrize("gone", ["oldest", "newest"])
async def test_the_key_of_the_oldest_and_of_the_newest_has_to_be_there(tmp_path: Path, gone: str) -> None:
    for hour, key in enumerate((OLD, NEW) if gone == "oldest" else (NEW, OLD)):
        parts = SpoolParts(clock=StandingClock(START + hour * HOUR), options=sealed_with(key, OLD, NEW))
        spool = await SqliteSpool.open(tmp_path, 0, parts)
        await commit(spool, body=inline(SMALL))
        await spool.aclose()
    with pytest.raises(SpoolError, match=r"shard-000: .* not among those of secrets\.spool"):
        async with opened(tmp_path, Faults(), sealed_with(NEW)):
            pass


@pytest.mark.parametrize("body", [SMALL, LARGE])
async def test_mail_that_a_settlement_makes_is_sealed_too(tmp_path: Path, body: bytes) -> None:
    async with opened(tmp_path, Faults(), sealed_with(NEW)) as spool:
        await commit(spool)
        (lease,) = await spool.claim(START, 1, NOWHERE)
        report = entry(spool.new_queue_id(), row(), body=await written(spool, body))
        await spool.settle(lease, replace(settlement(lease), entries=(report,)))
        assert MARKER[4:20] not in stored_bytes(tmp_path)
        (second,) = await spool.claim(START, 1, NOWHERE)
        assert await body_of(spool, second.message.body) == body


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EIO])
async def test_the_last_chunk_is_written_before_the_body_is_promised(tmp_path: Path, fault: int) -> None:
    faults = Faults()
    async with opened(tmp_path, faults, sealed_with(NEW)) as spool:
        writer = spool.bodies.writer()
        writer.write(LARGE)
        faults.at["write"] = OSError(fault, "as told")
        with pytest.raises(SpoolFull if fault == errno.ENOSPC else SpoolError):
            await writer.finish()
        faults.at.clear()
        assert spool.healthy is (fault == errno.ENOSPC)
    assert files(spool) == []
    assert faults.steps[-2:] != ["sync", "write"]


SPOILERS: list[Callable[[Path], object]] = [
    lambda path: path.write_bytes(path.read_bytes()[:-1]),
    lambda path: path.write_bytes(path.read_bytes()[: HEAD + SEALED_CHUNK]),
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(path.read_bytes()[:-1] + b"!"),
    Path.unlink,
]


@pytest.mark.parametrize("spoil", SPOILERS)
async def test_a_sealed_file_that_is_gone_or_changed_is_an_error_to_its_reader_alone(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    async with opened(tmp_path, Faults(), sealed_with(NEW)) as spool:
        ref = await written(spool, LARGE)
        await commit(spool, body=ref)
        spoil(spool.bodies.folder / str(ref.path))
        with pytest.raises(SpoolError):
            await body_of(spool, ref)
        assert spool.healthy
