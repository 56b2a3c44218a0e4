"""The pages of an opened message meet WCAG 2.2 AA as far as axe-core can tell, and fit a width of 320 pixels.

They come out of the application itself. Left out on purpose: the pages that lead there (`tests/portal`).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.e2e.test_portal_browser import rich_letter
from tests.peers.chromium import examine
from tests.portal.caller import Answer, form_field
from tests.portal.opened_pages import World
from tests.portal.sealed_mail import Sealed, letter

OPENED: Mapping[str, str] = {
    "read": ".",
    "read as plain text": "?text",
    "frame": "frame/1",
    "frame alone": "frame/1?alone",
    "reply": "reply",
    "replied": "reply/sent",
}


def rich_world() -> World:
    message = rich_letter()
    for name, value in letter().items():
        message[name] = value
    return World(Sealed(message.as_bytes()))


async def pages() -> dict[str, Answer]:
    there = rich_world()
    found = {name: await there.caller.get(url) for name, url in OPENED.items()}
    hidden = [form_field(name, found["reply"].field(name)) for name in ("proof", "key")]
    found["reply, empty"] = await there.caller.post("reply", [*hidden, form_field("text", "")])
    there.limit_downloads(1)
    found["read, few downloads"] = await there.caller.get(".")
    await there.caller.get("message.eml")
    found["enough"] = await there.caller.get("message.eml")
    bare = World(Sealed(b"From: Sam <worker@council.example>\r\n\r\n"))
    bare.store.reader = replace(bare.store.reader, hand_off=True)
    found["read, nothing in it"] = await bare.caller.get(".")
    return found


@pytest.mark.peer("chromium")
def test_every_page_of_an_opened_message_meets_wcag() -> None:
    made = {name: page.text for name, page in asyncio.run(pages()).items()}
    assert len(set(made.values())) == len(made)

    found = examine(made)

    assert len(found) == len(made)
    # Nothing runs in the frame, so axe cannot look into it from outside; it is examined as a page of its own, which it
    # is not: its heading stands on the page around it.
    assert {(name, one.rule) for name, findings in found.items() for one in findings} == {
        ("read", "frame-tested"),
        ("read, few downloads", "frame-tested"),
        ("frame", "page-has-heading-one"),
    }
