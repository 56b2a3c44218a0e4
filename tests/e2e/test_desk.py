"""Held mail from its acceptance to a person's decision, through a real gateway and the page's own process."""

import contextlib
import email
import email.policy
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from gateway.core.record import EventKind, QueueId, State
from gateway.sandbox.arrival import Arrival
from tests.app.house import SENDER, House, house
from tests.cli.running import Service, sealpost, started
from tests.desk.browser import Browser, fields
from tests.e2e.processes import kill
from tests.fakes.ports import free_port

ROLE = "information-governance"
MAILBOX = "ig@council.example"
DECIDER, READER, OTHER = "ann@council.example", "rita@council.example", "otto@council.example"
SECRET = "the words of the message"
ROLES = """[roles]
information-governance = "information.governance@council.example"
"""
OWN_ROLES = f"""[roles]
{ROLE} = "{MAILBOX}"
audit = "audit@council.example"
"""
RULE = f"""
[[rules]]
name = "Looked at first"
when = {{ recipient = "tls.example" }}
hold = true
release_by = "{ROLE}"
advice = "Wait for the officer."

[[rules]]
name   = "Restricted, or the Secure button\""""

DESK = f"""
[listen.desk]
address     = "127.0.0.1:{{port}}"
url         = "https://desk.council.example"
proxies     = ["127.0.0.2/32"]
user_header = "X-Remote-User"
readers     = ["{READER}"]
[listen.desk.releasers]
{ROLE} = ["{DECIDER}", "{READER}", "{SENDER}"]
audit = ["{OTHER}"]
"""


class Desked:
    """A gateway that holds, and its desk."""

    def __init__(self, here: House, service: Service, port: int) -> None:
        self.here = here
        self.service = service
        self.port = port

    def browser(self, user: str) -> Browser:
        return Browser(self.port, user)

    async def held(self, *recipients: str) -> tuple[QueueId, str]:
        """Sends a message that is held; its queue id, and the link that its role's mailbox got."""
        before = len(self.here.world.inbox.to(MAILBOX))
        queue_id = await self.here.send(*recipients)
        letters = await self.here.arrived(MAILBOX, before + 1)
        found = re.findall(r"https://desk\.council\.example/held/\S+", text_of(letters[0]))
        assert [queue_id in link for link in found] == [True]
        return queue_id, found[0]

    async def report(self, count: int = 1) -> str:
        """The newest mail to the sender, when there are so many."""
        arrived = await self.here.arrived(SENDER, count)
        return text_of(arrived[0])

    def done(self, queue_id: QueueId) -> list[tuple[str, str]]:
        return [(event.address, event.text) for event in self.here.events(queue_id, EventKind.OPERATOR)]


def is_desk(pid: int) -> bool:
    return b"gateway.app.desk" in Path(f"/proc/{pid}/cmdline").read_bytes()


def text_of(arrival: Arrival) -> str:
    mail = email.message_from_bytes(arrival.content, policy=email.policy.default)
    return next(part for part in mail.walk() if part.get_content_type() == "text/plain").get_content()


@contextlib.asynccontextmanager
async def desked(folder: Path) -> AsyncGenerator[Desked]:
    async with house(folder) as here:
        port = free_port()
        here.edit(here.household.policy, ROLES, OWN_ROLES)
        here.edit(here.household.policy, '\n[[rules]]\nname   = "Restricted, or the Secure button"', RULE)
        text = here.household.config.read_text()
        here.household.config.write_text(text + DESK.format(port=port))
        async with started(here) as service:
            await here.until(lambda: bool(service.lines("desk ready")))
            yield Desked(here, service, port)


async def test_letter_leads_to_a_release_that_delivers_and_then_only_tells(tmp_path: Path) -> None:
    async with desked(tmp_path) as desk:
        queue_id, link = await desk.held("alice@tls.example")
        assert "goes on when it is released" in await desk.report()
        letter = desk.here.world.inbox.to(MAILBOX)[0].content
        assert b"hello" not in letter and b"0000001" not in letter, "nothing of the message"
        ann = desk.browser(DECIDER)
        page = await ann.get(link)
        assert page.status == 200
        assert "alice@tls.example" in page.text and SENDER in page.text and "hello" not in page.text
        assert desk.done(queue_id) == [], "looking changes nothing"
        done = await ann.post(link, fields(page, "release", *page.numbers), Origin="https://desk.council.example")
        assert (done.status, done.headers["location"]) == (303, link.rpartition("/")[2])
        assert (await desk.here.ended(queue_id)).state is State.DELIVERED
        assert len(await desk.here.arrived("alice@tls.example")) == 1
        assert desk.done(queue_id) == [("alice@tls.example", f"released by {DECIDER} ({ROLE})")]

        after = await desk.browser(READER).get(link)
        assert f"released by {DECIDER}" in after.text and "Nothing is left to decide here" in after.text
        assert "<form" not in after.text
        again = await ann.post(link, fields(page, "release", *page.numbers))
        assert again.status == 409 and "Somebody decided this before you" in again.text
        late = await ann.post(link, fields(page, "give back", *page.numbers, note="no"))
        assert late.status == 409
        assert len(desk.done(queue_id)) == 1 and len(desk.here.world.inbox.to("alice@tls.example")) == 1


async def test_nobody_else_decides(tmp_path: Path) -> None:
    async with desked(tmp_path) as desk:
        queue_id, link = await desk.held("alice@tls.example")
        page = await desk.browser(DECIDER).get(link)
        release = fields(page, "release", *page.numbers)
        own = await desk.browser(SENDER).get(link)
        assert own.status == 200 and "This is your own message" in own.text
        attempts = {
            "their own": await desk.browser(SENDER).post(link, fields(own, "release", "0")),
            "of another role": await desk.browser(OTHER).post(link, release),
            "of no role": await desk.browser("eve@council.example").post(link, release),
            "nobody": await desk.browser("").post(link, release),
            "with another's proof": await desk.browser(READER).post(link, release),
            "from another site": await desk.browser(DECIDER).post(link, release, Origin="https://evil.example"),
            "not a reader": await desk.browser(DECIDER).post(link, fields(page, "show")),
        }
        assert {why: answer.status for why, answer in attempts.items()} == dict.fromkeys(attempts, 403)
        for forwarded in ({}, {"X-Forwarded-For": "127.0.0.2", "Forwarded": "for=127.0.0.2"}):
            with pytest.raises(ConnectionError):
                await Browser(desk.port, DECIDER, address="127.0.0.1").post(link, release, **forwarded)
        forged = [link[:-1] + ("A" if link[-1] != "A" else "B"), link.replace(queue_id, f"{queue_id}x")]
        assert [(await desk.browser(DECIDER).get(one)).status for one in forged] == [404, 404]
        assert desk.done(queue_id) == []
        assert desk.here.world.inbox.to("alice@tls.example") == ()


async def test_some_are_released_and_the_others_go_back_with_a_note(tmp_path: Path) -> None:
    async with desked(tmp_path) as desk:
        queue_id, link = await desk.held("alice@tls.example", "bob@tls.example", "carol@tls.example")
        assert len(desk.here.world.inbox.to(MAILBOX)) == 1, "one letter for all three"
        ann = desk.browser(DECIDER)
        page = await ann.get(link)
        assert page.numbers == ["0", "1", "2"]
        nobody = await ann.post(link, fields(page, "release"))
        assert nobody.status == 400 and "Choose at least one recipient" in nobody.text
        assert (await ann.post(link, fields(page, "release", "1"))).status == 303
        await desk.here.arrived("bob@tls.example")
        rest = await ann.get(link)
        assert rest.numbers == ["0", "2"] and "bob@tls.example: released by" in rest.text
        without = await ann.post(link, fields(rest, "give back", *rest.numbers, note=" \r\n "))
        assert without.status == 400 and "a note is needed" in without.text
        note = "Please use the <b>portal</b>,\r\nnot mail."
        assert (await ann.post(link, fields(rest, "give back", *rest.numbers, note=note))).status == 303
        await desk.here.until(lambda: len(desk.here.events(queue_id, EventKind.ENDED)) == 3)
        report = await desk.report(2)
        assert report.startswith("What to do: Please use the <b>portal</b>, not mail.")
        assert "a person gave it back" in report and "bob@tls.example" not in report
        html = desk.here.world.inbox.to(SENDER)[0].content
        assert b"<b>portal" not in html.partition(b"text/html")[2]
        assert desk.here.world.inbox.to("alice@tls.example") == ()
        told = [text for address, text in desk.done(queue_id) if address == "carol@tls.example"]
        assert told == [f"given back by {DECIDER} ({ROLE}): Please use the <b>portal</b>, not mail."]


async def test_content_is_shown_to_readers_alone_and_recorded_before(tmp_path: Path) -> None:
    async with desked(tmp_path) as desk:
        queue_id, link = await desk.held("alice@tls.example")
        rita = desk.browser(READER)
        page = await rita.get(link)
        assert "hello" not in page.text and "Show subject and text" in page.text
        shown = await rita.post(link, fields(page, "show"))
        assert shown.status == 200 and "<pre>hello</pre>" in shown.text and "0000000" in shown.text
        assert desk.done(queue_id) == [("alice@tls.example", f"the content was shown to {READER} ({ROLE})")]
        assert "Show subject and text" not in (await desk.browser(DECIDER).get(link)).text


async def test_operators_release_and_bounce_by_command(tmp_path: Path) -> None:
    async with desked(tmp_path) as desk:
        queue_id, _ = await desk.held("alice@tls.example", "bob@tls.example")
        wrong = await sealpost(desk.here, "queue", "release", queue_id, "--recipient", "x@y.example", "--reason", "r")
        assert wrong.code == 1 and "no recipient of what is meant is held" in wrong.err
        one = ("queue", "release", queue_id, "--recipient", "BOB@tls.example", "--reason", "asked by telephone")
        ran = await sealpost(desk.here, *one)
        assert (ran.code, ran.out) == (0, "1 recipient released\n")
        await desk.here.arrived("bob@tls.example")
        assert (await sealpost(desk.here, "queue", "bounce", queue_id, "--note", " ")).code == 2
        ran = await sealpost(desk.here, "queue", "bounce", queue_id, "--yes", "--note", "Use the portal.")
        assert (ran.code, ran.out) == (0, "1 recipient given back\n")
        assert "Use the portal." in await desk.report(2)
        assert any(text.endswith(": asked by telephone") for _, text in desk.done(queue_id))
        await desk.here.until(lambda: len(desk.here.events(queue_id, EventKind.ENDED)) == 2)
        ran = await sealpost(desk.here, "queue", "release", queue_id, "--reason", "once more")
        assert ran.code == 1 and "is held" in ran.err


async def test_reload_changes_who_decides_and_a_dead_desk_is_replaced(tmp_path: Path) -> None:
    async with desked(tmp_path) as desk:
        _, link = await desk.held("alice@tls.example")
        assert (await desk.browser(OTHER).get(link)).status == 403
        desk.here.edit(desk.here.household.config, f'["{DECIDER}", ', f'["{OTHER}", ')
        assert (await sealpost(desk.here, "reload")).code == 0
        assert (await desk.browser(OTHER).get(link)).status == 200
        assert (await desk.browser(DECIDER).get(link)).status == 403
        kill(*(pid for pid in desk.service.workers() if is_desk(pid)))
        await desk.here.until(lambda: len(desk.service.lines("desk ready")) == 2)
        assert (await desk.browser(OTHER).get(link)).status == 200
