"""Downloads: every byte of the original comes out, whole or in ranges, and each is counted once."""

import email
import email.policy
import io
import zipfile
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.sealed import Happening
from gateway.portal.downloads import disposition
from tests.portal.opened_pages import World
from tests.portal.sealed_mail import Sealed, letter

FILES = {"Übersicht.pdf": bytes(range(256)) * 20, "empty.txt": b"", "plan.docx": b"plan"}


def world(files: dict[str, bytes] | None = None) -> World:
    message = letter()
    message.set_content("words")
    for name, content in (FILES if files is None else files).items():
        message.add_attachment(content, maintype="application", subtype="pdf", filename=name)
    return World(Sealed(message.as_bytes()))


def details(there: World) -> list[str]:
    return [one.detail for one in there.store.events if one.what is Happening.DOWNLOADED]


async def test_a_file() -> None:
    there = world()
    answer = await there.caller.get("part/1")
    assert (answer.status, answer.body) == (200, FILES["Übersicht.pdf"])
    assert len(answer.blocks) > 3
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"Ubersicht.pdf\"; filename*=UTF-8''%C3%9Cbersicht.pdf"
    )
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert details(there) == ["part 2"]
    assert there.store.events[0].who == "Jo Miller"


async def test_an_empty_file() -> None:
    answer = await world().caller.get("part/2")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")


@pytest.mark.parametrize("kind", ["html", "svg+xml", "x-msdownload"])
async def test_what_a_browser_might_run_has_no_type(kind: str) -> None:
    message = letter()
    message.set_content("words")
    message.add_attachment(b"<script>x</script>", maintype="application", subtype=kind, filename="x.html")
    answer = await World(Sealed(message.as_bytes())).caller.get("part/1")
    assert answer.headers["content-type"] == "application/octet-stream"


async def test_the_original_is_the_same_to_the_byte() -> None:
    there = world()
    answer = await there.caller.get("message.eml")
    assert answer.body == there.store.original
    assert answer.headers["content-disposition"].startswith('attachment; filename="message.eml"')
    assert details(there) == ["the original message"]


@pytest.mark.parametrize("path", ["part/1", "message.eml"])
async def test_a_download_goes_on_where_it_broke_off(path: str) -> None:
    there = world()
    whole = await there.caller.get(path)
    tag = whole.headers["etag"]
    assert not tag.startswith("W/")
    rest = await there.caller.get(path, Range="bytes=100-", If_Range=tag)
    assert (rest.status, rest.body) == (206, whole.body[100:])
    assert rest.headers["content-range"] == f"bytes 100-{len(whole.body) - 1}/{len(whole.body)}"
    assert rest.headers["content-length"] == str(len(whole.body) - 100)
    other = await there.caller.get(path, Range="bytes=100-", If_Range='"other"')
    assert (other.status, other.body) == (200, whole.body)
    beyond = await there.caller.get(path, Range=f"bytes={len(whole.body)}-")
    assert (beyond.status, beyond.body) == (416, b"")
    assert beyond.headers["content-range"] == f"bytes */{len(whole.body)}"


@given(st.integers(0, 5200), st.integers(0, 5200))
async def test_any_range_is_the_slice(first: int, more: int) -> None:
    content = FILES["Übersicht.pdf"]
    answer = await world().caller.get("part/1", Range=f"bytes={first}-{first + more}")
    assert answer.body == content[first : first + more + 1]
    assert answer.status == (206 if answer.body else 416)


async def test_tags_are_different_for_different_files() -> None:
    there = world()
    paths = ["part/1", "part/2", "message.eml"]
    assert len({(await there.caller.get(path)).headers["etag"] for path in paths}) == 3


async def test_each_download_is_counted_once() -> None:
    there = world()
    for headers in ({"Range": "bytes=0-9"}, {"Range": "bytes=10-19"}, {"Range": "bytes=20-"}):
        await there.caller.get("part/1", **headers)
    await there.caller.get("part/1", "HEAD")
    await there.caller.get("part/1", Range="bytes=99999-")
    assert details(there) == ["part 2"]
    await there.caller.get("all.zip")
    assert details(there) == ["part 2", "all files"]


async def test_a_rest_of_nothing_is_counted_too() -> None:
    there = world()
    await there.caller.get("part/1", Range="bytes=1-")
    assert details(there) == ["part 2"]


async def test_no_more_than_may_be() -> None:
    there = world()
    there.limit_downloads(2)
    assert "each file 2 times" in (await there.caller.get(".")).text
    for path in ("part/1", "message.eml", "all.zip"):
        assert [(await there.caller.get(path)).status for _ in range(2)] == [200, 200]
        refused = await there.caller.get(path)
        assert refused.status == 403
        assert "Each file can be downloaded 2 times" in refused.text
    assert (await there.caller.get("part/1", Range="bytes=10-")).status == 206
    assert len(details(there)) == 6
    there.limit_downloads(1)
    assert "each file once" in (await there.caller.get(".")).text


async def test_downloads_without_an_end_are_slowed_and_not_all_written_down() -> None:
    there = world()
    statuses = [(await there.caller.get("part/1")).status for _ in range(150)]
    assert statuses[0] == 200 and statuses[-1] == 429
    assert len(details(there)) == statuses.count(200) < 150
    await there.clock.advance(timedelta(minutes=1))
    assert (await there.caller.get("all.zip")).status == 200


async def test_a_range_that_begins_later_is_free_only_where_the_same_file_was_counted() -> None:
    there = world()
    for _ in range(3):
        assert (await there.caller.get("part/1", Range="bytes=1-")).status == 206
    assert details(there) == ["part 2"]
    for path in ("part/3", "message.eml"):
        assert (await there.caller.get(path, Range="bytes=1-")).status == 206
    assert details(there) == ["part 2", "part 4", "the original message"]
    for range_ in ("bytes=0-", "bytes=-5120"):
        await there.caller.get("part/1", Range=range_)
    assert details(there)[3:] == ["part 2"] * 2


async def test_past_the_limit_only_the_rest_of_what_was_counted_is_given() -> None:
    there = world()
    there.limit_downloads(1)
    assert (await there.caller.get("part/1", Range="bytes=1-")).status == 206
    assert (await there.caller.get("part/1", Range="bytes=9-")).status == 206
    for path in ("part/3", "message.eml"):
        assert (await there.caller.get(path, Range="bytes=0-0")).status == 206
        for range_ in ("bytes=0-", "bytes=0-0", ""):
            assert (await there.caller.get(path, Range=range_)).status == 403
    assert (await there.caller.get("part/1", Range="bytes=0-")).status == 403
    assert (await there.caller.get("part/1", "HEAD", Range="bytes=1-")).status == 200
    assert details(there) == ["part 2", "part 4", "the original message"]


async def test_what_one_session_counted_is_not_free_in_another() -> None:
    there = world()
    await there.caller.get("part/1")
    there.store.sessions["other"] = (there.store.reader, "Kim")
    other = replace(there.caller, cookie="other")
    assert (await other.get("part/1", Range="bytes=1-")).status == 206
    assert [one.who for one in there.store.events] == ["Jo Miller", "Kim"]


async def test_the_archive_makes_no_file_in_it_free() -> None:
    there = world()
    await there.caller.get("all.zip")
    await there.caller.get("part/1", Range="bytes=1-")
    assert details(there) == ["all files", "part 2"]


async def test_after_a_restart_it_counts_anew() -> None:
    there = world()
    await there.caller.get("part/1")
    again = World(there.store)
    await again.caller.get("part/1", Range="bytes=1-")
    assert details(again) == ["part 2", "part 2"]


@pytest.mark.parametrize("path", ["part/1", "message.eml", "all.zip"])
async def test_head_says_the_same_without_the_content(path: str) -> None:
    there = world()
    head = await there.caller.get(path, "HEAD")
    assert (head.status, head.body, details(there)) == (200, b"", [])
    whole = await there.caller.get(path)
    for name in ("content-length", "content-type", "content-disposition", "etag", "accept-ranges"):
        assert head.headers.get(name) == whole.headers.get(name)


@pytest.mark.parametrize("path", ["part/4", "part/-1", "part/x"])
async def test_what_is_not_there(path: str) -> None:
    assert (await world().caller.get(path)).status == 404


async def test_no_archive_of_nothing() -> None:
    assert (await world({}).caller.get("all.zip")).status == 404


_names = st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"]), min_size=1, max_size=20)


@given(st.lists(st.tuples(_names, st.binary(max_size=200)), max_size=5), st.booleans())
async def test_original_and_opened_are_the_same(files: list[tuple[str, bytes]], nested: bool) -> None:
    message = letter()
    message.set_content("words")
    for name, content in files:
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    if nested:
        inner = letter()
        inner.set_content("inner words")
        message.add_attachment(inner)
    there = World(Sealed(message.as_bytes()))
    for number, (_, content) in enumerate(files, 1):
        assert (await there.caller.get(f"part/{number}")).body == content
    if files or nested:
        archive = zipfile.ZipFile(io.BytesIO((await there.caller.get("all.zip")).body))
        contents = [archive.read(one) for one in archive.infolist()]
        assert contents[: len(files)] == [content for _, content in files]
        assert not nested or b"inner words" in contents[-1]
    again = email.message_from_bytes((await there.caller.get("message.eml")).body, policy=email.policy.default)
    assert isinstance(again, EmailMessage)
    assert again.as_bytes() == email.message_from_bytes(there.store.original, policy=email.policy.default).as_bytes()


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("a.txt", "attachment; filename=\"a.txt\"; filename*=UTF-8''a.txt"),
        ('a"b\\c.txt', "attachment; filename=\"a_b_c.txt\"; filename*=UTF-8''a%22b%5Cc.txt"),
        ("日本", "attachment; filename=\"file\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC"),
        ("é 'x'%.txt", "attachment; filename=\"e 'x'_.txt\"; filename*=UTF-8''%C3%A9%20%27x%27%25.txt"),
    ],
)
def test_names_in_the_header(name: str, field: str) -> None:
    assert disposition(name) == field


@given(st.text(max_size=100))
def test_no_name_leaves_the_header(name: str) -> None:
    field = disposition(name.encode("utf-8", "replace").decode())
    assert field.isascii()
    assert field.isprintable()
    assert field.count('"') == 2
