"""The page over a real spool, with hands that only write down what they are asked."""

import asyncio
import base64
import contextlib
import hashlib
import re
import socket
from collections.abc import AsyncGenerator, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from html.parser import HTMLParser
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.core.chronicle import entry_events
from gateway.core.facts import Attachment
from gateway.core.record import BodyRef, Entry, QueueId, RecipientRow, State
from gateway.core.release_link import Link
from gateway.desk.form import MOST_BYTES
from gateway.desk.hands import By
from gateway.desk.login import is_proxy
from gateway.desk.options import DeskOptions
from gateway.desk.pages import DeskPages, InForce
from gateway.desk.serving import serve_desk
from gateway.flow.release import give_back
from gateway.spool.reader import ShardReader
from gateway.spool.sqlite import SpoolParts, SqliteSpool
from tests.core.queued import DAY, FACTS, HELD, MESSAGE, NOW, ROW, recipient
from tests.desk.browser import PROXY, Browser, Page, fields
from tests.spool.samples import StandingClock

KEY = b"k" * 32
ANN, RITA = "ann@council.example", "rita@council.example"
TEXT = b"Subject: <b>planted</b>\r\n\r\nThe <script>body</script>.\r\n"
OPTIONS = DeskOptions(
    host="127.0.0.1",
    port=0,
    url="https://desk.council.example",
    proxies=(ip_network(f"{PROXY}/32"),),
    user_header="X-Remote-User",
    releasers={"ig": frozenset({ANN, RITA})},
    readers=frozenset({RITA}),
)


@dataclass
class WritingHands:
    """``problem`` is what it says instead of doing anything."""

    problem: str | None = None
    asked: list[tuple[str, By, frozenset[int], str]] = field(default_factory=list)

    async def release(self, by: By, numbers: Set[int]) -> str | None:
        self.asked.append(("release", by, frozenset(numbers), ""))
        return self.problem

    async def give_back(self, by: By, numbers: Set[int], note: str) -> str | None:
        self.asked.append(("give back", by, frozenset(numbers), note))
        return self.problem

    async def shown(self, by: By, number: int) -> str | None:
        self.asked.append(("shown", by, frozenset({number}), ""))
        return self.problem


@dataclass
class Desk:
    spool: SqliteSpool
    queue_id: QueueId
    hands: WritingHands
    port: int
    now: datetime = NOW

    @property
    def link(self) -> Link:
        return Link(self.queue_id, "ig", NOW + 3 * DAY)

    @property
    def url(self) -> str:
        return OPTIONS.url + self.link.path(KEY)

    def browser(self, user: str = ANN) -> Browser:
        return Browser(self.port, user)


def held(number: int, address: str) -> RecipientRow:
    row = replace(ROW, number=number, recipient=recipient(address), decision=replace(HELD, role="ig"), state=State.HELD)
    return replace(row, deadline=NOW + 3 * DAY, due_at=NOW + 3 * DAY)


@contextlib.asynccontextmanager
async def desk(folder: Path, *addresses: str) -> AsyncGenerator[Desk]:
    """A page about one message, held for each of the addresses."""
    spool = await SqliteSpool.open(folder, 0, SpoolParts(clock=StandingClock()))
    files = (Attachment(name="<i>list</i>.pdf", type="application/pdf", bytes=10),)
    body = BodyRef(size=len(TEXT), sha256=hashlib.sha256(TEXT).hexdigest(), inline=TEXT)
    message = replace(MESSAGE, queue_id=spool.new_queue_id(), body=body, facts=replace(FACTS, attachments=files))
    rows = tuple(held(number, address) for number, address in enumerate(addresses or ("gp@x.example",)))
    await spool.commit((Entry(message=message, rows=rows, events=entry_events(message, rows)),))
    sock = socket.create_server(("127.0.0.1", 0))
    made = Desk(spool, message.queue_id, WritingHands(), sock.getsockname()[1])
    in_force = InForce(options=OPTIONS, key=KEY, organisation="The <Council>", contact="Service Desk, 01629 000000")
    pages = DeskPages(lambda: in_force, ShardReader(folder), made.hands, lambda: made.now)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(serve_desk(pages.application(), sock, lambda host: is_proxy(host, OPTIONS)))
        yield made
        serving.cancel()
    await spool.aclose()


class Outline(HTMLParser):
    """What a screen reader depends on."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.labelled = 0
        self._labels = 0
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._labels += tag == "label"
        self.labelled += self._labels > 0 and tag == "input"

    def handle_endtag(self, tag: str) -> None:
        self._labels -= tag == "label"

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


async def test_the_page_can_be_used_without_sight_mouse_or_script(tmp_path: Path) -> None:
    async with desk(tmp_path, "a@x.example", "b@x.example") as here:
        outline = Outline(await here.browser(RITA).get(here.url))
        assert outline.all("html") == [{"lang": "en-GB"}]
        assert len(outline.all("h1")) == len(outline.all("main")) == len(outline.all("title")) == 1
        ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        shown = [one for one in outline.all("input") if one["type"] != "hidden"]
        assert [one["type"] for one in shown] == ["checkbox", "checkbox"] and outline.labelled == 2
        assert len(outline.all("fieldset")) == len(outline.all("legend")) == 1
        [note] = outline.all("textarea")
        assert note["id"] in [label.get("for") for label in outline.all("label")]
        for _, attributes in outline.tags:
            for name in ("aria-describedby", "aria-labelledby"):
                assert attributes.get(name) is None or attributes[name] in ids
            assert "style" not in attributes and not any(name.startswith("on") for name in attributes)
            assert "tabindex" not in attributes and "autofocus" not in attributes
        assert outline.all("script") == []
        # Enter in a field must never release: no form has a field and a button that does.
        assert [form["method"] for form in outline.all("form")] == ["post"] * 4


async def test_answers_are_neither_kept_framed_nor_scripted(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        for page in (
            await here.browser().get(here.url),
            await here.browser().get("/elsewhere"),
            await here.browser("").get(here.url),
            await here.browser().send(here.url, b"x", **{"Content-Type": "text/plain"}),
        ):
            style = page.text.partition("<style>")[2].partition("</style>")[0]
            digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
            policy = page.headers["content-security-policy"]
            assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
            assert "frame-ancestors 'none'" in policy and "base-uri 'none'" in policy
            assert page.headers["cache-control"] == "no-store" and "server" not in page.headers
            assert page.headers["x-content-type-options"] == "nosniff"
            assert "The &lt;Council&gt;" in page.text and "set-cookie" not in page.headers


async def test_nothing_of_the_message_is_seen_before_it_is_recorded_nor_becomes_markup(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        rita = here.browser(RITA)
        page = await rita.get(here.url)
        assert "planted" not in page.text and "list" not in page.text.partition("</head>")[2].replace("<li>", "")
        here.hands.problem = "the gateway is away"
        refused = await rita.post(here.url, fields(page, "show"))
        assert refused.status == 503 and "It cannot be shown: the gateway is away." in refused.text
        assert "planted" not in refused.text
        here.hands.problem = None
        shown = await rita.post(here.url, fields(page, "show"))
        by = By(queue_id=here.queue_id, role="ig", user=RITA)
        assert here.hands.asked == [("shown", by, frozenset({0}), "")] * 2
        assert "&lt;b&gt;planted&lt;/b&gt;" in shown.text
        assert "The &lt;script&gt;body&lt;/script&gt;." in shown.text
        assert "&lt;i&gt;list&lt;/i&gt;.pdf (application/pdf, " in shown.text


async def test_chosen_recipients_and_notes_reach_the_hands(tmp_path: Path) -> None:
    async with desk(tmp_path, "a@x.example", "b@x.example", "c@x.example") as here:
        ann = here.browser()
        page = await ann.get(here.url)
        by = By(queue_id=here.queue_id, role="ig", user=ANN)
        assert (await ann.post(here.url, fields(page, "release", "0", "2"))).status == 303
        note = fields(page, "give back", *page.numbers, note=" Use\r\nthe portal. ")
        assert (await ann.post(here.url, note)).status == 303
        assert here.hands.asked == [
            ("release", by, frozenset({0, 2}), ""),
            ("give back", by, frozenset({0, 1, 2}), "Use the portal."),
        ]


@pytest.mark.parametrize("action", ["release", "give back"])
async def test_with_nobody_chosen_the_page_asks_to_choose_and_keeps_the_note(tmp_path: Path, action: str) -> None:
    async with desk(tmp_path, "a@x.example", "b@x.example") as here:
        ann = here.browser()
        page = await ann.get(here.url)
        answer = await ann.post(here.url, fields(page, action, note="Use <the> portal."))
        assert answer.status == 400 and "Choose at least one recipient. Nothing was changed." in answer.text
        assert "Somebody decided" not in answer.text and "Use &lt;the&gt; portal.</textarea>" in answer.text
        assert (here.hands.asked, answer.numbers) == ([], ["0", "1"])


async def test_a_gateway_that_is_away_changes_nothing_and_keeps_the_note(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        here.hands.problem = "the mail gateway does not answer"
        ann = here.browser()
        page = await ann.get(here.url)
        answer = await ann.post(here.url, fields(page, "give back", "0", note="Use <the> portal."))
        assert answer.status == 503 and "Nothing was changed: the mail gateway does not answer." in answer.text
        assert "Use &lt;the&gt; portal.</textarea>" in answer.text
        assert 'role="alert"' in answer.text and "<title>Not done: " in answer.text


async def test_what_somebody_else_has_given_back_is_not_to_be_decided(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        ann = here.browser()
        page = await ann.get(here.url)
        change = give_back(RITA, "Use the portal.", NOW, role="ig")
        assert await here.spool.operate(here.queue_id, None, change) == 1
        here.hands.problem = "no recipient is held"
        for action in ("release", "give back"):
            answer = await ann.post(here.url, fields(page, action, "0", note="x"))
            assert answer.status == 409 and "Somebody decided this before you" in answer.text
            assert f"given back by {RITA} (ig): Use the portal." in answer.text
        rita = here.browser(RITA)
        assert (
            await rita.post(here.url, [("proof", here.link.form_token(RITA, KEY)), ("action", "show")])
        ).status == 409


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"action=release&to=0", "application/x-www-form-urlencoded", 403),
        (b"action=destroy&proof=x", "application/x-www-form-urlencoded", 400),
        (b"action=release&action=show", "application/x-www-form-urlencoded", 400),
        (b"action=release&to=-1", "application/x-www-form-urlencoded", 400),
        (b"action=release&to=9999999999", "application/x-www-form-urlencoded", 400),
        ("action=release&to=٣".encode(), "application/x-www-form-urlencoded", 400),
        (b"action=release" + b"&to=1" * 6000, "application/x-www-form-urlencoded", 400),
        (b"\xff=\xff", "application/x-www-form-urlencoded", 400),
        (b"action=release&note=" + b"x" * MOST_BYTES, "application/x-www-form-urlencoded", 413),
        (b'{"action": "release"}', "application/json", 415),
    ],
)
async def test_what_is_not_our_form_changes_nothing(tmp_path: Path, body: bytes, kind: str, status: int) -> None:
    async with desk(tmp_path) as here:
        answer = await here.browser().send(here.url, body, **{"Content-Type": kind})
        assert (answer.status, here.hands.asked) == (status, [])


async def test_who_is_not_named_once_by_the_proxy_is_nobody(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        for name in ("ann", "", "ann@council.example, rita@council.example", "a b@council.example"):
            assert (await here.browser("").get(here.url, **{"X-Remote-User": name})).status == 403
        assert (await here.browser("").get(here.url, **{"X-Remote-User": " Ann@COUNCIL.example "})).status == 200
        twice = (
            f"GET {here.link.path(KEY)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            f"X-Remote-User: {ANN}\r\nX-Remote-User: {RITA}\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port, local_addr=(PROXY, 0))
        writer.write(twice.encode())
        assert (await reader.read()).startswith(b"HTTP/1.1 403 ")
        writer.close()


async def test_a_link_that_ran_out_or_leads_nowhere_says_so(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        nowhere = Link(QueueId("000-none"), "ig", NOW + DAY).path(KEY)
        answer = await here.browser().get(nowhere)
        assert answer.status == 404 and "Nothing is known of this message any more" in answer.text
        other_role = Link(here.queue_id, "dpo", NOW + DAY).path(KEY)
        assert (await here.browser().get(other_role)).status == 403
        here.now = NOW + timedelta(days=3)
        assert (await here.browser().get(here.url)).status == 404
        assert (await here.browser().send(here.url, b"action=show&proof=x")).status == 404


async def test_a_spool_that_cannot_be_read_is_not_now(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        (tmp_path / "shard-001").mkdir()
        (tmp_path / "shard-001/spool.db").write_bytes(b"no database" * 100)
        lost = Link(QueueId("001-x"), "ig", NOW + DAY).path(KEY)
        answer = await here.browser().get(lost)
        assert answer.status == 503 and "try again in a moment" in answer.text
        assert re.search("no database|sqlite|shard", answer.text, re.IGNORECASE) is None
