"""Forms with files: split anywhere they are the same, and nothing is read that is too large, unproven or too slow."""

import asyncio
import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from gateway.portal import uploads
from gateway.portal.form_parts import LONGEST_FIELD, NotTaken, Parts, Trouble, Upload, UploadedFile, Written
from gateway.portal.uploads import Budget, Incoming, announced

BOUNDARY = "----WebKitFormBoundaryABC123"


def field(name: str, value: str) -> bytes:
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


def file(name: str, content: bytes) -> bytes:
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\nContent-Type: x/y\r\n\r\n'
    )
    return head.encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


class Wire:
    """What arrives of a request; ``read`` counts the blocks that were taken."""

    def __init__(self, blocks: Sequence[bytes], kind: str = f"multipart/form-data; boundary={BOUNDARY}") -> None:
        self.blocks = list(blocks)
        self.read = 0
        headers = [(b"content-type", kind.encode()), (b"content-length", str(sum(map(len, blocks))).encode())]
        self.request = Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, self.receive)

    async def receive(self) -> Message:
        if self.read == len(self.blocks):
            return {"type": "http.disconnect"}
        self.read += 1
        more = self.read < len(self.blocks)
        return {"type": "http.request", "body": self.blocks[self.read - 1], "more_body": more}


def is_right(proof: str) -> bool:
    return proof == "right"


def no_limit(size: int) -> None:
    assert size >= 0


async def taken(*blocks: bytes, size: int = 1_000_000) -> Upload:
    return await Incoming(Wire(blocks).request, is_right).read(size, no_limit)


async def trouble(*blocks: bytes, size: int = 1_000_000) -> Trouble:
    with pytest.raises(NotTaken) as caught:
        await taken(*blocks, size=size)
    return caught.value.trouble


FORM = (
    field("proof", "right")
    + field("text", "Grüße\r\nJo")
    + file("a.txt", b"one\r\n--" + BOUNDARY.encode() + b"X")
    + file("ü.bin", bytes(range(256)))
    + file("empty", b"")
    + file("", b"")
    + field("text", "second")
    + END
)


@given(st.lists(st.integers(0, len(FORM)), max_size=12).map(sorted))
async def test_a_form_is_the_same_however_it_is_split(cuts: list[int]) -> None:
    blocks = [FORM[a:b] for a, b in zip([0, *cuts], [*cuts, len(FORM)], strict=True)]
    upload = await taken(*blocks)
    assert upload.fields == {"proof": "right", "text": "Grüße\r\nJo"}
    assert upload.files == (
        UploadedFile("a.txt", b"one\r\n--" + BOUNDARY.encode() + b"X"),
        UploadedFile("ü.bin", bytes(range(256))),
        UploadedFile("empty", b""),
    )


@pytest.mark.parametrize(
    "begin",
    [
        field("proof", "wrong"),
        field("proof", ""),
        field("text", "right"),
        file("proof", b"right"),
        field("", ""),
    ],
)
async def test_nothing_is_read_behind_a_wrong_proof(begin: bytes) -> None:
    wire = Wire([begin + field("x", ""), *[bytes(1000)] * 50])
    with pytest.raises(NotTaken) as caught:
        await Incoming(wire.request, is_right).read(1_000_000, no_limit)
    assert caught.value.trouble is Trouble.FORGED
    assert wire.read == 1


@pytest.mark.parametrize(
    "form",
    [
        b"",
        b"rubbish",
        field("proof", "right"),
        FORM[:-40],
        END,
        field("proof", "right") + f"--{BOUNDARY}\r\nbad header\r\n\r\nx\r\n".encode() + END,
    ],
)
async def test_what_is_no_form(form: bytes) -> None:
    assert await trouble(form) in (Trouble.BAD, Trouble.FORGED)


@pytest.mark.parametrize(
    "kind",
    ["", "application/x-www-form-urlencoded", "multipart/form-data", "multipart/form-data; boundary=" + "x" * 300],
)
async def test_what_is_no_type(kind: str) -> None:
    with pytest.raises(NotTaken) as caught:
        await Incoming(Wire([FORM], kind).request, lambda _: True).read(1_000_000, no_limit)
    assert caught.value.trouble is Trouble.BAD


async def test_more_than_was_announced_is_not_read() -> None:
    wire = Wire([field("proof", "right"), *[bytes(1000)] * 50])
    with pytest.raises(NotTaken) as caught:
        await Incoming(wire.request, lambda _: True).read(5000, no_limit)
    assert caught.value.trouble is Trouble.TOO_LARGE
    assert wire.read < 8


def numbered(size: int) -> str:
    """Text in which no part is like another."""
    return "".join(f"line {number} ü\r\n" for number in range(size // 10))[:size]


@pytest.mark.parametrize("size", [270_000, 400_000, 900_000])
@pytest.mark.parametrize("block", [997, 65_536, 1_000_000])
async def test_a_field_is_not_a_file_and_of_a_long_text_the_beginning_comes_back(size: int, block: int) -> None:
    text = numbered(size)
    form = field("proof", "right") + field("text", text) + file("a", bytes(100_000)) + END
    wire = Wire([form[at : at + block] for at in range(0, len(form), block)])
    incoming = Incoming(wire.request, is_right)
    with pytest.raises(NotTaken) as caught:
        await incoming.read(len(form), no_limit)
    assert caught.value.trouble is Trouble.TOO_LONG
    written = await incoming.written("text", 10_000_000)
    assert text.startswith(written.text) and written.cut
    assert LONGEST_FIELD - 2 <= len(written.text.encode()) <= LONGEST_FIELD
    assert wire.read == len(wire.blocks)


async def test_a_text_within_its_limit_comes_back_whole_before_files_that_are_too_large() -> None:
    text = numbered(200_000)
    form = field("proof", "right") + field("text", text) + file("a", bytes(900_000)) + END
    wire = Wire([form[at : at + 262_144] for at in range(0, len(form), 262_144)])
    assert await Incoming(wire.request, is_right).written("text", 10_000_000) == Written(text, cut=False)


async def test_more_than_was_announced_leaves_no_hole_in_the_text() -> None:
    text = numbered(20_000)
    form = field("proof", "right") + field("text", text) + END
    blocks = [form[:4000], form[4000:14000], form[14000:14010], form[14010:]]
    incoming = Incoming(Wire(blocks).request, is_right)
    with pytest.raises(NotTaken):
        await incoming.read(5000, no_limit)
    written = await incoming.written("text", 10_000_000)
    assert written.text and text.startswith(written.text) and written.cut


async def test_nothing_behind_what_is_no_form_is_put_into_the_text() -> None:
    begin = field("proof", "right") + field("text", "beginning") + f"--{BOUNDARY}\r\nbad header\r\n\r\n".encode()
    incoming = Incoming(Wire([begin, field("more", "x"), END]).request, is_right)
    with pytest.raises(NotTaken):
        await incoming.read(1_000_000, no_limit)
    assert await incoming.written("more", 1_000_000) == Written()
    assert await incoming.written("text", 0) == Written("beginning", cut=False)


async def test_too_many_files() -> None:
    many = [file(f"{n}", b"x") for n in range(21)]
    assert await trouble(field("proof", "right"), *many, END) is Trouble.TOO_MANY
    fields = [field(f"{n}", "x") for n in range(100)]
    assert await trouble(field("proof", "right"), *fields, END) is Trouble.TOO_MANY


async def test_a_browser_that_goes_away() -> None:
    wire = Wire([FORM[:50]])

    async def gone() -> Message:
        message = await wire.receive()
        return {**message, "more_body": True} if message["type"] == "http.request" else message

    request = Request(wire.request.scope, gone)
    with pytest.raises(NotTaken) as caught:
        await Incoming(request, lambda _: True).read(1_000_000, no_limit)
    assert caught.value.trouble is Trouble.LATE


async def test_a_browser_that_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_IDLE", 0.02)

    async def stops() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    request = Request(Wire([FORM]).request.scope, stops)
    with pytest.raises(NotTaken) as caught:
        await Incoming(request, lambda _: True).read(1_000_000, no_limit)
    assert caught.value.trouble is Trouble.LATE


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        ("1000", 1000),
        ("66535", 66535),
        ("66537", Trouble.TOO_LARGE),
        ("9" * 15, Trouble.TOO_LARGE),
        ("9" * 5000, Trouble.BAD),
        ("-1", Trouble.BAD),
        ("1²", Trouble.BAD),
        ("", Trouble.BAD),
    ],
)
def test_the_size_is_judged_before_anything_is_read(length: str, expected: int | Trouble) -> None:
    headers = [(b"content-length", length.encode("latin-1"))]
    request = Request({"type": "http", "method": "POST", "path": "/", "headers": headers})
    if isinstance(expected, int):
        assert announced(request, 1000) == expected
        return
    with pytest.raises(NotTaken) as caught:
        announced(request, 1000)
    assert caught.value.trouble is expected


def test_all_forms_together_have_a_limit() -> None:
    budget = Budget(100)
    with budget.holding() as one:
        one(50)
        one(10)
        with pytest.raises(NotTaken) as caught, budget.holding() as other:
            other(40)
            other(1)
        assert caught.value.trouble is Trouble.BUSY
        with budget.holding() as other:
            other(40)
    with budget.holding() as one:
        one(100)


async def test_a_form_holds_what_has_arrived_and_not_what_it_announces() -> None:
    held: list[int] = []
    wire = Wire([field("proof", "right"), file("a", bytes(5000)), END])
    await Incoming(wire.request, lambda _: True).read(1_000_000, held.append)
    assert [size for size in held if size] == [len(block) for block in wire.blocks]


async def test_a_form_that_finds_no_room_is_not_read_on() -> None:
    budget = Budget(3000)
    wire = Wire([field("proof", "right"), file("a", bytes(1000)), *[bytes(1000)] * 50])
    with pytest.raises(NotTaken) as caught, budget.holding() as hold:
        await Incoming(wire.request, lambda _: True).read(1_000_000, hold)
    assert (caught.value.trouble, wire.read) == (Trouble.BUSY, 4)
    with budget.holding() as hold:
        hold(3000)


async def test_a_form_that_failed_keeps_no_file_while_the_rest_of_it_is_read() -> None:
    large = [file("a", bytes(4_000_000)), file("b", bytes(2_000_000)), file("c", bytes(2_000_000))]
    wire = Wire([field("proof", "right"), *large, field("text", "words"), END])
    kept: list[int] = []

    async def measured() -> Message:
        kept.append(tracemalloc.get_traced_memory()[0])
        return await wire.receive()

    incoming = Incoming(Request(wire.request.scope, measured), is_right)
    tracemalloc.start()
    try:
        with pytest.raises(NotTaken), Budget(5_000_000).holding() as hold:
            await incoming.read(10_000_000, hold)
        failed = len(kept)
        await incoming.written("text", 10_000_000)
    finally:
        tracemalloc.stop()
    assert max(kept[:failed]) > 4_000_000 > 1_000_000 > max(kept[failed:])


def test_files_that_are_forgotten_stay_so_and_fields_are_kept() -> None:
    parts = Parts(is_right)
    parser = parts.parser(BOUNDARY.encode(), 1_000_000)
    parser.write(field("proof", "right") + field("text", "words") + file("a", b"one") + file("b", b"two")[:-5])
    parts.forget_files()
    parser.write(b"two\r\n" + file("c", b"three") + END)
    upload = parts.upload()
    assert upload.fields["text"] == "words"
    assert [one.content for one in upload.files] == [b"", b"", b""]


def test_no_content_is_in_a_repr() -> None:
    upload = Upload({"text": "hush"}, (UploadedFile("a.txt", b"hush"),))
    assert "hush" not in repr(upload)
