"""What people read of us meets WCAG 2.2 AA as far as axe-core can tell, and the plain text of our mail is all of it."""

import asyncio
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path

import grimp
import pytest

from gateway.config.builtin import built_in_bundle
from gateway.config.describe.document import as_html
from gateway.config.describe.pages import Audience, describe_policy
from gateway.config.load import load
from tests.e2e.desk_pages import desk_pages
from tests.e2e.own_mail import own_mail
from tests.peers.chromium import examine

POLICIES = sorted((Path(__file__).parents[2] / "policies").glob("*.toml"))
MAIL = own_mail()

CONTROL = f"""<!DOCTYPE html>
<html><head></head><body><main>
<h1>Control</h1>
<p style="color: #aaa; background: #fff">Too pale to read.</p>
<img src="data:,">
<p><label>Name <input></label> <input name="unnamed"></p>
<p><button style="padding: 0; width: 9px">a</button><button style="padding: 0; width: 9px">b</button></p>
<h3>A rank too deep</h3>
<p>{"endless" * 40}</p>
</main></body></html>
"""
BROKEN = {
    "color-contrast", "document-title", "heading-order", "html-has-lang", "image-alt", "label", "reflow", "target-size",
}  # fmt: skip


def part(mail: bytes, kind: str) -> str:
    """The text of a mail's plain or HTML part."""
    message = message_from_bytes(mail, policy=policy.default)
    assert isinstance(message, EmailMessage)
    found = message.get_body((kind,))
    assert found is not None
    return found.get_content()


class Lines(HTMLParser):
    """The lines of a page as a person sees them, and of those the heading on top."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.lines, self._line, self._seen = list[str](), "", False
        self.feed(page.partition("</head>")[2])
        self.close()
        self._end()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "b":
            self._end()

    def handle_endtag(self, tag: str) -> None:
        if tag != "b":
            self._end()

    def handle_data(self, data: str) -> None:
        self._line += data

    def _end(self) -> None:
        if line := " ".join(self._line.split()):
            self.lines.append(line)
        self._line = ""


@pytest.mark.peer("chromium")
def test_every_page_that_people_read_meets_wcag_and_a_page_that_does_not_is_found_out() -> None:
    pages = {name: part(mail, "html") for name, mail in MAIL.items()}
    desk = asyncio.run(desk_pages())
    assert len(set(desk.values())) == len(desk)
    pages |= desk
    for file in POLICIES:
        described = load(built_in_bundle(file)).policy
        pages |= {f"{file.stem} for {one}": as_html(describe_policy(described, one)) for one in Audience}

    found = examine({"control": CONTROL, **pages})

    assert {finding.rule for finding in found.pop("control")} >= BROKEN
    assert len(found) == len(pages) > 0
    assert not {name: findings for name, findings in found.items() if findings}


@pytest.mark.parametrize("mail", MAIL.values(), ids=MAIL)
def test_plain_text_says_all_that_the_page_says_in_the_same_order(mail: bytes) -> None:
    plain = [" ".join(line.split()) for line in part(mail, "plain").splitlines() if line.strip()]
    heading, *lines = Lines(part(mail, "html")).lines
    assert lines == plain
    # The page's own heading is the beginning of the subject, which every reader shows above the plain text.
    subject = message_from_bytes(mail, policy=policy.default)["Subject"]
    assert subject.startswith(heading)


def test_no_mail_of_ours_is_made_that_is_not_tried_here() -> None:
    graph = grimp.build_graph("gateway")
    assert graph.find_modules_that_directly_import("gateway.core.letter") == {
        "gateway.core.digest",
        "gateway.core.hold_letter",
        "gateway.core.reminder",
        "gateway.core.sealed_mail",
    }
