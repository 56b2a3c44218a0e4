"""Replies over the whole application, down to the mail that is posted; and all that keeps one from being sent."""

import asyncio
import email
import email.policy
from copy import copy
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from typing import NoReturn

import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.core.record import Kind
from gateway.core.sealed import Happening
from gateway.flow.ports import SealedStoreError
from gateway.portal import posting, reply, turns
from gateway.portal.form_parts import LONGEST_FIELD
from gateway.portal.home import name_of, path_of
from gateway.portal.scanner import Clean, Found, Unscanned, Verdict
from tests.portal.caller import Answer, form_field, form_file
from tests.portal.opened_pages import World
from tests.portal.sealed_mail import COOKIE, READER, Sealed, letter


def world() -> World:
    message = letter()
    message.set_content("words")
    return World(Sealed(message.as_bytes()))


async def parts(there: World, text: str = "Thank you.", *files: bytes) -> list[bytes]:
    """A filled form."""
    page = await there.caller.get("reply")
    assert page.status == 200
    hidden = [form_field(name, page.field(name)) for name in ("proof", "key")]
    return [*hidden, form_field("text", text), *files]


async def sent(there: World, text: str = "Thank you.", *files: bytes) -> Answer:
    return await there.caller.post("reply", await parts(there, text, *files))


def replace_caller(there: World, home: str, cookie: str) -> World:
    """The same, visited by another."""
    other = copy(there)
    other.caller = replace(there.caller, home=home, cookie=cookie)
    return other


def posted(there: World) -> EmailMessage:
    [mail] = there.store.mails
    message = email.message_from_bytes(mail.text, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


async def test_a_reply_becomes_mail() -> None:
    there = world()
    content = bytes(range(256)) * 100
    answer = await sent(there, "Grüße\r\nJo", form_file("Übersicht.pdf", content), form_file("../x.txt", b""))
    assert (answer.status, answer.headers["location"]) == (303, f"{there.caller.home}/reply/sent")
    [mail] = there.store.mails
    assert mail.kind is Kind.REPLY
    assert mail.to == READER.sender
    assert (mail.package, mail.number, mail.queue_id) == (READER.package, READER.number, READER.queue_id)
    message = posted(there)
    assert message["Message-ID"] == f"<{mail.message_id}>"
    assert message["From"] == '"jo@firm.example (outside, by portal)" <secure@council.example>'
    assert message["To"] == "worker@council.example"
    assert message["Reply-To"] == "jo@firm.example"
    assert message["Subject"] == "Re: Case 12: Café"
    assert message["In-Reply-To"] == "<original@council.example>"
    assert message["X-Sealpost-External"] == "reply from the portal"
    assert message["X-Sealpost-Scan"] == "not scanned"
    body = message.get_body()
    assert body is not None
    assert body.get_content().splitlines()[-2:] == ["Grüße", "Jo"]
    found = [(one.get_filename(), one.get_payload(decode=True)) for one in message.iter_attachments()]
    assert found == [("Übersicht.pdf", content), ("x.txt", b"")]
    [event] = there.store.events
    assert (event.what, event.number, event.who) == (Happening.REPLIED, READER.number, "Jo Miller")
    page = await there.caller.get("reply/sent")
    assert "worker@council.example" in page.text


async def test_the_log_says_nothing_of_it() -> None:
    there = world()
    await sent(there, "hush", form_file("hush.txt", b"hush"))
    assert there.events
    assert "hush" not in repr(there.events)
    assert "hush" not in repr(there.store.events)


async def test_a_double_click_sends_once() -> None:
    there = world()
    form = await parts(there)
    answers = await asyncio.gather(*(replace(there.caller).post("reply", form) for _ in range(3)))
    assert [answer.status for answer in answers] == [303] * 3
    assert len(there.store.mails) == 1
    assert len(there.store.events) == 1


async def test_the_same_words_in_another_form_are_another_reply() -> None:
    there = world()
    await sent(there)
    await sent(there)
    assert len({mail.message_id for mail in there.store.mails}) == 2


async def test_the_same_form_with_other_words_is_another_reply() -> None:
    there = world()
    form = await parts(there)
    await there.caller.post("reply", form)
    await there.caller.post("reply", [*form[:2], form_field("text", "I forgot something.")])
    assert len(there.store.mails) == 2


@pytest.mark.parametrize("text", ["", " \r\n "])
async def test_nothing_is_no_reply(text: str) -> None:
    there = world()
    answer = await sent(there, text, form_file("", b""))
    assert answer.status == 400
    assert "write something" in answer.text
    assert there.store.mails == []


async def test_a_file_alone_is_one() -> None:
    there = world()
    assert (await sent(there, "", form_file("a.txt", b"x"))).status == 303


async def test_another_page_cannot_send() -> None:
    there = world()
    form = await parts(there)
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}):
        assert (await there.caller.post("reply", form, **headers)).status == 403
    for first in (form_field("proof", "x" * 43), form_field("proof", ""), form[1]):
        assert (await there.caller.post("reply", [first, *form[1:], *[bytes(1000)] * 20])).status == 403
        assert there.caller.read <= 2
    assert there.store.mails == []


async def test_a_form_that_was_begun_in_one_session_is_sent_in_the_next() -> None:
    there = world()
    there.store.sessions["earlier"] = (READER, "")
    there.caller.cookie = "earlier"
    form = await parts(there)
    there.caller.cookie = COOKIE
    assert (await there.caller.post("reply", form)).status == 303
    assert len(there.store.mails) == 1


async def test_a_form_about_another_message_is_not_sent() -> None:
    there = world()
    other = replace(READER, number=READER.number + 1)
    there.store.sessions["other"] = (other, "")
    form = await parts(replace_caller(there, path_of(name_of(other)), "other"))
    assert (await there.caller.post("reply", form)).status == 403
    assert (await replace(there.caller, cookie="other").post("reply", form)).status == 401
    assert there.store.mails == []


async def test_nobody_sends_without_a_session_and_what_was_written_is_given_back() -> None:
    there = world()
    form = await parts(there, "my <words>", form_file("a.bin", bytes(200_000)))
    there.end_session()
    answer = await there.caller.post("reply", form)
    assert answer.status == 401
    assert "my &lt;words&gt;</textarea>" in answer.text and "was not sent" in answer.text
    assert there.store.mails == []


async def test_what_another_page_wrote_is_not_even_read_without_a_session() -> None:
    there = world()
    form = await parts(there, "their words")
    there.end_session()
    answer = await there.caller.post("reply", form, Origin="https://evil.example")
    assert (answer.status, there.caller.read) == (401, 0)
    for first in (form_field("proof", "x"), form[1]):
        answer = await there.caller.post("reply", [first, *form[1:], *[bytes(50_000)] * 50])
        assert answer.status == 401 and "their words" not in answer.text
        assert there.caller.read <= 2


async def test_of_what_is_no_form_no_more_is_read_without_a_session_than_a_text_can_have() -> None:
    there = world()
    there.end_session()
    for block in (bytes(10_000), b"\r\n" * 5000, form_field("proof", "x" * 1000)[:-2]):
        assert (await there.caller.post("reply", [block] * 500)).status == 401
        assert there.caller.read * len(block) <= LONGEST_FIELD + 100_000


async def test_an_address_that_asks_too_often_without_a_session_gets_its_text_but_has_no_files_read() -> None:
    there = world()
    form = await parts(there, "my words", *[form_file("a.bin", bytes(50_000))] * 19)
    there.end_session()
    read: list[int] = []
    for _ in range(11):
        answer = await there.caller.post("reply", form)
        assert answer.status == 401 and "my words</textarea>" in answer.text and "was not sent" in answer.text
        read.append(there.caller.read)
    assert read[-2] == len(form) + 1 == 23 and read[-1] <= 10


async def test_who_sent_files_alone_without_a_session_hears_that_they_were_not_sent() -> None:
    there = world()
    form = await parts(there, "", form_file("a.bin", b"x"))
    there.end_session()
    assert "was not sent" not in (await there.caller.get("reply")).text
    for _ in range(12):
        answer = await there.caller.post("reply", form)
        assert answer.status == 401 and "Not sent" in answer.text and "was not sent" in answer.text


async def test_a_session_that_ends_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    there = world()
    form = await parts(there, "x", form_file("a.txt", b"x"))
    use(monkeypatch, there, there.end_session, Clean())
    answer = await there.caller.post("reply", form)
    assert answer.status == 401 and ">x</textarea>" in answer.text
    assert there.store.mails == []


def broken(there: World, *methods: str) -> None:
    """A store that fails when it is asked for this."""

    def fails(*_: object, **__: object) -> NoReturn:
        raise SealedStoreError("the disk is gone")

    for method in methods:
        setattr(there.store, method, fails)


@pytest.mark.parametrize("method", ["session", "face"])
async def test_a_store_that_fails_at_first_loses_no_text(method: str) -> None:
    there = world()
    form = await parts(there, "my <words>", form_file("a.txt", b"x"))
    broken(there, method)
    answer = await there.caller.post("reply", form)
    assert (answer.status, answer.headers["retry-after"]) == (503, "30")
    assert "my &lt;words&gt;</textarea>" in answer.text and "was not sent" in answer.text
    assert there.events == [("portal store", {"error": "the disk is gone"})]
    forged = await there.caller.post("reply", form, Origin="https://evil.example")
    assert (forged.status, there.caller.read) == (503, 0)


@pytest.mark.parametrize("method", ["history", "read", "post", "note"])
async def test_a_store_that_fails_at_the_end_loses_no_text(method: str) -> None:
    there = world()
    form = await parts(there, "my <words>", form_file("a.txt", b"x"))
    broken(there, method)
    answer = await there.caller.post("reply", form)
    assert (answer.status, answer.headers["retry-after"]) == (503, "60")
    assert "my &lt;words&gt;</textarea>" in answer.text and "not certain" in answer.text
    assert "<title>Perhaps not sent: " in answer.text
    assert there.events == [("portal store", {"error": "the disk is gone"})]


async def test_a_store_that_fails_meanwhile_loses_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    there = world()
    form = await parts(there, "my words", form_file("a.txt", b"x"))
    use(monkeypatch, there, lambda: broken(there, "session"), Clean())
    answer = await there.caller.post("reply", form)
    assert answer.status == 503 and "my words</textarea>" in answer.text
    assert there.store.mails == []


async def test_what_is_too_large_is_refused_before_it_is_read_whole() -> None:
    there = world()
    there.portal = replace(there.portal, max_reply=100_000)
    form = await parts(there)
    blocks = [*form, form_file("large.bin", b"x"), *[bytes(10_000)] * 500]
    answer = await there.caller.post("reply", blocks)
    assert answer.status == 413
    assert ">Thank you.</textarea>" in answer.text and "chosen again" in answer.text
    assert "text and files together can have" in answer.text
    assert there.caller.read < 50
    assert there.store.mails == []


async def test_a_false_length_does_not_help() -> None:
    there = world()
    there.portal = replace(there.portal, max_reply=100_000)
    form = await parts(there)
    blocks = [*form, form_file("large.bin", bytes(60_000)), *[bytes(10_000)] * 500]
    answer = await there.caller.post("reply", blocks, Content_Length="50000")
    assert answer.status == 413
    assert there.caller.read < 50
    assert (await there.caller.post("reply", form, Content_Length="")).status == 400
    assert there.store.mails == []


async def test_what_fits_the_form_but_not_the_mail() -> None:
    there = world()
    there.portal = replace(there.portal, max_reply=100_000)
    assert (await sent(there, "x", form_file("a.bin", bytes(30_000)))).status == 303
    assert len(there.store.mails[0].text) <= 100_000
    assert (await sent(there, "x", form_file("a.bin", bytes(60_000)))).status == 413


async def test_a_text_that_is_too_long_says_so_and_that_it_is_cut() -> None:
    there = world()
    answer = await sent(there, "x" * 400_000, form_file("a.txt", b"x"))
    assert answer.status == 413
    assert "the text is too long. It can have 256.0 KiB" in answer.text and "Only the beginning" in answer.text
    assert f'"notice text-hint">{"x" * LONGEST_FIELD}</textarea>' in answer.text
    assert "Only the beginning" not in (await sent(there, "x", form_file("a", b"x"), *[form_file("b", b"")] * 30)).text


async def test_a_long_text_is_cut_where_the_session_has_ended() -> None:
    there = world()
    form = await parts(there, "x" * 400_000)
    there.end_session()
    answer = await there.caller.post("reply", form)
    assert answer.status == 401
    assert "Only the beginning" in answer.text and f">{'x' * LONGEST_FIELD}</textarea>" in answer.text


async def test_too_many_files() -> None:
    there = world()
    answer = await sent(there, "x", *(form_file(f"{n}.txt", b"x") for n in range(21)))
    assert answer.status == 413
    assert "20 files" in answer.text and ">x</textarea>" in answer.text


async def test_too_many_replies_at_once_are_asked_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.portal.uploads.Budget.__init__.__defaults__", (100,))
    there = world()
    answer = await sent(there)
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    assert ">Thank you.</textarea>" in answer.text
    assert there.store.mails == []


class Slow:
    """A form whose end does not come until it is let go."""

    def __init__(self, there: World, form: list[bytes], cookie: str) -> None:
        self.going = asyncio.Event()
        self._goes_on = asyncio.Event()
        self._there = there
        self._form = form
        self._cookie = cookie

    async def post(self, **headers: str) -> Answer:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            async def slowly() -> Message:
                message = await receive()
                if not message["more_body"]:
                    self.going.set()
                    await self._goes_on.wait()
                return message

            await self._there.caller.app(scope, slowly, send)

        return await replace(self._there.caller, app=app, cookie=self._cookie).post("reply", self._form, **headers)

    def go_on(self) -> None:
        self._goes_on.set()


async def of_session(there: World, cookie: str) -> list[bytes]:
    there.store.sessions[cookie] = (there.store.reader, "Jo Miller")
    page = await replace(there.caller, cookie=cookie).get("reply")
    return [*(form_field(name, page.field(name)) for name in ("proof", "key")), form_field("text", "Thank you.")]


async def test_one_form_of_a_session_at_a_time_and_two_of_a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_PATIENCE", 0.02)
    there = world()
    forms = {cookie: await of_session(there, cookie) for cookie in ("s1", "s2", "s3")}
    slow = [Slow(there, forms[cookie], cookie) for cookie in ("s1", "s2")]
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(slow[0].post())
        await slow[0].going.wait()
        again = await replace(there.caller, cookie="s1").post("reply", forms["s1"])
        assert (again.status, again.headers["retry-after"]) == (503, "60")
        second = tasks.create_task(slow[1].post())
        await slow[1].going.wait()
        assert (await replace(there.caller, cookie="s3").post("reply", forms["s3"])).status == 503
        slow[0].go_on()
        await asyncio.wait([first])
        assert (await replace(there.caller, cookie="s3").post("reply", forms["s3"])).status == 303
        slow[1].go_on()
    assert [first.result().status, second.result().status] == [303, 303]
    assert len(there.store.mails) == 3


async def test_large_forms_that_only_announce_themselves_keep_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.portal.uploads.Budget.__init__.__defaults__", (50_000,))
    there = world()
    forms = {cookie: await of_session(there, cookie) for cookie in ("s1", "s2")}
    slow = Slow(there, forms["s1"], "s1")
    waiting = asyncio.create_task(slow.post(Content_Length="15000000"))
    await slow.going.wait()
    answer = await replace(there.caller, cookie="s2").post("reply", forms["s2"])
    assert answer.status == 303
    slow.go_on()
    assert (await waiting).status == 303


async def test_too_many_replies_in_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "_MOST_A_DAY", 2)
    there = world()
    assert [(await sent(there)).status for _ in range(3)] == [303, 303, 429]
    await there.clock.advance(timedelta(days=1, seconds=1))
    assert (await sent(there)).status == 303


async def test_too_many_replies_in_a_moment() -> None:
    there = world()
    answers = [await sent(there, " ") for _ in range(15)]
    assert answers[0].status == 400
    assert answers[-1].status == 429 and "> </textarea>" in answers[-1].text


class Says:
    """A scanner that says one thing after the other."""

    def __init__(self, meanwhile: object, *verdicts: Verdict) -> None:
        self._meanwhile = meanwhile
        self._verdicts = list(verdicts)
        self.scanned: list[bytes] = []

    async def scan(self, content: bytes) -> Verdict:
        self.scanned.append(content)
        if callable(self._meanwhile):
            self._meanwhile()
        return self._verdicts.pop(0)


def use(monkeypatch: pytest.MonkeyPatch, there: World, meanwhile: object, *verdicts: Verdict) -> Says:
    says = Says(meanwhile, *verdicts)
    monkeypatch.setattr(reply, "parse_scanner", lambda text: says if text == "clamd:/the/socket" else None)
    there.page = replace(there.page, scanner="clamd:/the/socket")
    return says


async def test_scanned_files_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    there = world()
    says = use(monkeypatch, there, None, Clean(), Clean())
    assert (await sent(there, "x", form_file("a", b"one"), form_file("b", b"two"))).status == 303
    assert says.scanned == [b"one", b"two"]
    assert posted(there)["X-Sealpost-Scan"] == "clean"


async def test_a_found_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    there = world()
    use(monkeypatch, there, None, Clean(), Found("Eicar"))
    answer = await sent(there, "my <words>", form_file("a", b"one"), form_file("b<.txt", b"two"))
    assert answer.status == 422
    assert "refuses the file “b_.txt”" in answer.text
    assert "my &lt;words&gt;</textarea>" in answer.text
    assert there.store.mails == []
    assert ("portal file refused", {"queue_id": READER.queue_id, "found": "Eicar"}) in there.events


async def test_an_unscanned_file_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    there = world()
    use(monkeypatch, there, None, Unscanned("no answer in time"))
    answer = await sent(there, "my words", form_file("a", b"one"))
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "my words</textarea>" in answer.text
    assert there.store.mails == []


async def test_a_form_says_what_fits() -> None:
    page = await world().caller.get("reply")
    assert "Up to 20 files; text and files together up to 18.2 MiB." in page.text
    assert 'enctype="multipart/form-data"' in page.text
    assert page.text.index('name="proof"') < page.text.index('name="key"') < page.text.index('name="text"')


async def test_a_form_says_how_long_it_is_good() -> None:
    page = await world().caller.get("reply")
    assert "within 30 minutes" in page.text and 'aria-describedby="text-hint"' in page.text
