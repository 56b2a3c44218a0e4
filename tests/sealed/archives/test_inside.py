"""What an archive holds of a message: readable texts, files under safe names, and the original."""

import base64
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sealed.archives.inside import ORIGINAL, Stored, face_of, items

HEADER = b"From: Anna <anna@council.example>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n"


def stored(raw: bytes, step: int = 1000) -> Stored:
    async def read(start: int, end: int) -> AsyncIterator[bytes]:
        for at in range(start, end, step):
            yield raw[at : min(at + step, end)]

    return Stored(len(raw), read)


async def files(raw: bytes, step: int = 1000) -> dict[str, bytes]:
    message = stored(raw, step)
    found = items(await face_of(message), message)
    assert len({item.name.casefold() for item in found}) == len(found)
    return {item.name: b"".join([block async for block in item.content()]) for item in found}


def several(*parts: bytes, kind: str = "mixed") -> bytes:
    inside = b"".join(b"--x\r\n" + part + b"\r\n" for part in parts)
    return HEADER + f"Content-Type: multipart/{kind}; boundary=x\r\n\r\n".encode() + inside + b"--x--\r\n"


@pytest.mark.parametrize(
    ("content_type", "data", "text"),
    [
        ("text/plain; charset=utf-8", "grüße €".encode(), "grüße €"),
        ("text/plain; charset=iso-8859-1", "grüße".encode("latin-1"), "grüße"),
        ("text/plain; charset=windows-1251", "привет".encode("cp1251"), "привет"),
        ("text/plain", "grüße €".encode("cp1252"), "grüße €"),
        ("text/plain; charset=us-ascii", "grüße €".encode(), "grüße €"),
        ("text/plain", "\ufeffgrüße".encode(), "grüße"),
    ],
)
async def test_a_text_becomes_utf_8_whatever_it_was(content_type: str, data: bytes, text: str) -> None:
    raw = HEADER + f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n".encode() + data
    found = await files(raw)
    assert found["message.txt"].decode() == text
    assert found[ORIGINAL] == raw
    assert found["headers.txt"].decode() == "From: Anna <anna@council.example>\r\nSubject: Grüße\r\n"


async def test_html_shows_the_pictures_beside_it() -> None:
    page = b"<img src='cid:a'><img src='cid:ab@c'> cid:none"
    html = b"Content-Type: text/html; charset=iso-8859-1\r\n\r\n" + page
    pictures = [
        f"Content-Type: image/png; name={name}\r\nContent-ID: <{cid}>\r\n\r\n{cid}".encode()
        for cid, name in (("a", '"one 1.png"'), ("ab@c", "two.png"))
    ]
    found = await files(several(html, *pictures, kind="related"))
    shown = found["message.html"].decode()
    assert shown == "\ufeff<img src='one%201.png'><img src='two.png'> cid:none"
    assert (found["one 1.png"], found["two.png"]) == (b"a", b"ab@c")


async def test_no_file_takes_the_place_of_another_or_leaves_the_folder() -> None:
    names = ["original.eml", "HEADERS.txt", "message.txt", "../../etc/passwd", "a.txt", "A.TXT", "", "con?.txt"]
    parts = [f'Content-Type: a/b; name="{name}"\r\n\r\n{number}'.encode() for number, name in enumerate(names)]
    raw = several(b"Content-Type: text/plain\r\n\r\nthe text", *parts)
    found = await files(raw)
    assert found[ORIGINAL] == raw
    assert found["message.txt"] == b"the text"
    assert set(found.values()) >= {str(number).encode() for number in range(len(names))}
    assert all("/" not in name and ".." not in name for name in found)


@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=4), st.integers(1, 5000))
async def test_every_file_and_byte_is_there_however_the_message_comes(contents: list[bytes], step: int) -> None:
    parts = [
        b"Content-Type: a/b; name=f.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(content)
        for content in contents
    ]
    raw = several(*parts)
    found = await files(raw, step)
    assert found.pop(ORIGINAL) == raw
    del found["headers.txt"]
    assert list(found.values()) == contents
