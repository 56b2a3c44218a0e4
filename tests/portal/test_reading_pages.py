"""The page of an opened message and its frame: everything is there, nothing runs, and only for who has unlocked it."""

import base64
import re
from dataclasses import replace
from email.message import EmailMessage

import pytest

from gateway.portal import pictures, sanitise, shown
from gateway.portal.home import name_of, path_of
from tests.portal.opened_pages import World
from tests.portal.sealed_mail import COOKIE, READER, Sealed, letter

HOME = path_of(name_of(READER))

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(250))


def rich_letter() -> EmailMessage:
    message = letter()
    message.set_content("Plain words. See https://council.example/form.\n")
    message.add_alternative(
        '<p onclick="x()">Rich <b>words</b></p><img src="cid:logo@council.example" alt="Logo">'
        '<img src="https://tracker.example/1.gif"><script>x()</script><a href="https://council.example/form">form</a>',
        subtype="html",
    )
    html = message.get_payload()[1]  # type: ignore[index]
    assert isinstance(html, EmailMessage)
    html.add_related(PNG, "image", "png", cid="<logo@council.example>")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="Übersicht <1>.pdf")
    return message


def world(message: EmailMessage) -> World:
    return World(Sealed(message.as_bytes()))


def plain_letter(text: str = "Plain <b>words</b>.\n") -> EmailMessage:
    message = letter()
    message.set_content(text, cte="base64")
    return message


async def test_the_page_says_who_and_what() -> None:
    page = await world(rich_letter()).caller.get(".")
    assert page.status == 200
    for words in ("Case 12: Café", "Sam Worker &lt;worker@council.example&gt;", "kim@firm.example", "01632 960000"):
        assert words in page.text
    assert "20 December 2026" in page.text
    assert f'src="{HOME}/frame/1"' in page.text
    assert "Rich" not in page.text
    assert "Plain words" not in page.text
    assert re.search(rf'href="{HOME}/part/3" download>.*Übersicht _1_.pdf', page.text)
    assert f'href="{HOME}/part/2"' in page.text
    assert f'href="{HOME}/reply"' in page.text


async def test_plain_text_is_text() -> None:
    page = await world(plain_letter("a <b>b</b> & \u202eevil\x00\nhttps://council.example/x?a=1&b=2.\n")).caller.get(
        "."
    )
    assert "a &lt;b&gt;b&lt;/b&gt; &amp; evil\ufffd\n" in page.text
    assert (
        '<a href="https://council.example/x?a=1&amp;b=2" target="_blank" rel="noopener noreferrer nofollow">'
        in page.text
    )
    assert "<iframe" not in page.text


async def test_the_plain_version_of_html() -> None:
    page = await world(rich_letter()).caller.get("?text")
    assert "Plain words" in page.text
    assert "<iframe" not in page.text


async def test_the_frame_holds_clean_html_with_its_pictures() -> None:
    frame = await world(rich_letter()).caller.get("frame/1")
    assert frame.status == 200
    assert "Rich <b>words</b>" in frame.text
    assert f'src="data:image/png;base64,{base64.b64encode(PNG).decode()}"' in frame.text
    assert "1 picture is not shown" in frame.text
    assert "tracker" not in frame.text
    assert "script" not in frame.text
    assert "onclick" not in frame.text
    assert "Case 12" not in frame.text.partition("<body>")[2]
    assert frame.headers["content-type"] == "text/html; charset=utf-8"
    policy = frame.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline';")
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert frame.headers["x-frame-options"] == "SAMEORIGIN"
    assert frame.headers["cache-control"] == "no-store"


async def test_a_picture_that_is_shown_often_is_left_out_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_BYTES", 2 * len(PNG) + 1)
    message = letter()
    message.set_content('<img src="cid:logo@council.example">' * 5, subtype="html")
    message.add_related(PNG, "image", "png", cid="<logo@council.example>")
    frame = await world(message).caller.get("frame/0")
    assert frame.text.count("data:image/png;base64,") == 2
    assert frame.text.count('src=""') == 3


async def test_a_picture_among_the_files_is_shown_too() -> None:
    message = letter()
    message.set_content('<img src="cid:logo@council.example">', subtype="html")
    message.add_related(PNG, "image", "png", cid="<logo@council.example>", disposition="attachment", filename="a.png")
    there = world(message)
    assert "data:image/png;base64," in (await there.caller.get("frame/0")).text
    assert "a.png" in (await there.caller.get(".")).text


async def test_the_frame_alone_has_the_head() -> None:
    frame = await world(rich_letter()).caller.get("frame/1?alone")
    assert "Case 12: Café" in frame.text.partition("<body>")[2]


@pytest.mark.parametrize("number", ["0", "2", "3", "9"])
async def test_only_html_has_a_frame(number: str) -> None:
    assert (await world(rich_letter()).caller.get(f"frame/{number}")).status == 404


async def test_a_mark_in_the_text_is_no_picture() -> None:
    message = letter()
    message.set_content('<p>cid:AAAA-0 src="cid:AAAA-1"</p>', subtype="html")
    frame = await world(message).caller.get("frame/0")
    assert 'cid:AAAA-0 src="cid:AAAA-1"' in frame.text


async def test_too_much_html_is_to_be_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sanitise, shown):
        monkeypatch.setattr(module, "MOST_HTML", 20)
    page = await world(rich_letter()).caller.get(".")
    assert "too long to be shown" in page.text
    assert "<iframe" not in page.text
    assert f'href="{HOME}/part/1"' in page.text


async def test_too_much_text_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "_MOST_TEXT", 5)
    page = await world(plain_letter("12345678")).caller.get(".")
    assert ">12345<" in page.text
    assert "There is more of this text" in page.text


async def test_files_handed_off_come_first() -> None:
    there = world(rich_letter())
    page = (await there.caller.get(".")).text
    assert page.index('id="files"') > page.index('id="text"')
    there.store.sessions[COOKIE] = (replace(READER, hand_off=True), "")
    page = (await there.caller.get(".")).text
    assert page.index('id="files"') < page.index('id="text"')


async def test_a_message_of_nothing() -> None:
    message = letter()
    del message["Subject"], message["Cc"], message["To"]
    message.add_attachment(b"x", maintype="application", subtype="pdf", filename="a.pdf")
    page = await world(message).caller.get(".")
    assert page.status == 200
    assert "This message has no text." in page.text


async def test_the_header_is_no_markup() -> None:
    message = plain_letter()
    message.replace_header("Subject", "<script>x</script>\u202e!")
    page = await world(message).caller.get(".")
    assert "&lt;script&gt;x&lt;/script&gt;" in page.text
    assert "\u202e" not in page.text


@pytest.mark.parametrize("path", [".", "frame/1", "part/3", "all.zip", "message.eml", "reply", "reply/sent"])
async def test_nobody_else_sees_anything(path: str) -> None:
    there = world(rich_letter())
    there.end_session()
    with_old = await there.caller.get(path)
    there.caller.cookie = ""
    without = await there.caller.get(path)
    for page in (with_old, without):
        assert page.status == 401
        assert "Open your link again" in page.text
        assert "Case 12" not in page.text
    assert there.store.events == []


async def test_no_replies_where_none_are_taken() -> None:
    there = world(rich_letter())
    there.portal = replace(there.portal, max_reply=0)
    assert f'href="{HOME}/reply"' not in (await there.caller.get(".")).text
    assert (await there.caller.get("reply")).status == 404
    assert (await there.caller.post("reply", [])).status == 404
