"""The council's S2, S4 and S10 with our own portal as its encrypted mail, and the shipped derbyshire.toml."""

import secrets
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage

import pytest
import pytest_asyncio

from gateway.core.decision import Held, Routed
from gateway.core.outcome import Declined, Deferred
from gateway.core.record import Event, EventKind, State
from gateway.core.tls import Protection
from gateway.sandbox.behaviour import Behaviour, Shown
from tests.e2e.asking import ask
from tests.e2e.scenes import MIB, Sent, known, pdf, send, somebody
from tests.e2e.sealed_stage import PORTAL, SealingStage, after, plain, sealing, whole
from tests.e2e.stage import PUBLIC_SECTOR, Setting, scenario_cast, wire

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 13 * MIB
PARISH, LAWYER, WRONG = "parish@plain.example", "lawyer@plain.example", "j.smith@agancy.example"
OFFICER = "information.governance@derbyshire.gov.uk"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[SealingStage]:
    setting = Setting(cast=scenario_cast())
    async with sealing(tmp_path_factory, "sealed-council", setting, encrypted=PORTAL) as built:
        yield built


def same_body(sent: Sent, content: bytes) -> bool:
    """Whether every byte behind the header is as it was written."""
    return content.partition(b"\r\n\r\n")[2] == wire(sent.message).partition(b"\r\n\r\n")[2]


async def code(here: SealingStage, address: str, sent: Sent) -> str:
    """The one that came by mail."""
    text = plain(await here.mail(address, sent, "Your code"))
    (found,) = [line.strip() for line in text.splitlines() if line.strip().isdecimal()]
    return found


async def test_s2_public_goes_in_the_clear_and_nothing_is_sealed(here: SealingStage) -> None:
    clerk = somebody()
    sent = await send(here.on, clerk, clerk.letter(PARISH, level="public", files=(pdf(3 * MIB),)))
    assert await sent.only_end() == (State.DELIVERED, "opportunistic")
    assert sent.arrived(PARISH).tls is None
    assert sent.in_the_clear()
    assert await sent.heard() == []
    assert here.on.metric("sealpost_unprotected_total") == 0


async def test_s2_without_a_label_it_is_sealed_and_opens_with_a_code(here: SealingStage) -> None:
    clerk = somebody()
    sent = await send(here.on, clerk, clerk.letter(PARISH, files=(pdf(),)))
    assert await sent.only_end() == (State.SEALED, "encrypted")
    assert sent.arrivals() == []
    (notice,) = await sent.heard()
    assert notice.subject.startswith("Sealed")
    assert notice.says("You need not do anything.", PARISH, "a code that is sent to their mailbox", "STARTTLS")
    letter = await here.mail(PARISH, sent, "A protected message for you")
    assert "Case file" not in whole(letter)

    async with here.reader(await here.link(PARISH, sent)) as reader:
        assert (await reader.get("/read/0123456789abcdef")).status == 401
        assert (await reader.ask_code()).status == 200
        page = await reader.open(await code(here, PARISH, sent))
        assert sent.writer.word in page.text
        assert same_body(sent, await reader.original())
    assert not sent.in_the_clear()


async def test_s2_public_with_the_secure_button_is_never_clear(here: SealingStage) -> None:
    clerk = somebody()
    sent = await send(here.on, clerk, clerk.letter(PARISH, level="public", button="secure"))
    assert await sent.only_end() == (State.SEALED, "encrypted")
    assert sent.decided(Routed).floor is Protection.VERIFIED
    assert sent.arrivals() == []
    assert len(await sent.heard()) == 1
    # What is Public may be named in a letter.
    async with here.reader(await here.link(PARISH, sent, subject="Case file")) as reader:
        assert (await reader.land()).status == 200
    assert not sent.in_the_clear()


async def test_s4_the_limit_is_exact_and_all_of_it_can_be_read(here: SealingStage) -> None:
    clerk = somebody()
    files = (pdf(10_000_000), pdf(LIMIT - 10_000_000))
    sent = await send(here.on, clerk, clerk.letter(LAWYER, button="encrypted", files=files))
    assert sent.facts.attachment_bytes == LIMIT
    assert await sent.only_end() == (State.SEALED, "encrypted")
    async with here.reader(await here.link(LAWYER, sent)) as reader:
        await reader.ask_code()
        await reader.open(await code(here, LAWYER, sent))
        assert same_body(sent, await reader.original())
        fetched = [await reader.get(f"{reader.home}/part/{number}") for number in (1, 2)]
        assert [page.content for page in fetched] == [file.content for file in files]

    files = (pdf(10_000_000), pdf(LIMIT - 9_999_999))
    sent = await send(here.on, clerk, clerk.letter(LAWYER, button="encrypted", files=files))
    assert await sent.only_end() == (State.REPORTED, "")
    (report,) = await sent.heard()
    assert report.text.startswith("What to do: Ask the Service Desk for a Cryptshare transfer")
    assert report.says("The attached files come to", "the limit is 13 MiB", "(1 byte too much)", LAWYER)
    assert not here.packages(sent)


async def test_s4_an_exception_reaches_further_for_the_two_that_it_names(here: SealingStage) -> None:
    legal = known("legal.services@derbyshire.gov.uk")
    sent = await send(here.on, legal, legal.letter(LAWYER, button="encrypted", files=(pdf(20 * MIB),)))
    assert await sent.only_end() == (State.SEALED, "encrypted")
    assert "SD-0001" in sent.decided(Routed).reason
    await here.link(LAWYER, sent)

    sent = await send(here.on, legal, legal.letter("lawyer@tls.example", button="encrypted", files=(pdf(20 * MIB),)))
    assert await sent.only_end() == (State.REPORTED, "")
    assert not here.packages(sent)


async def test_s4_without_a_button_twenty_mib_go_by_tls(here: SealingStage) -> None:
    clerk = somebody()
    sent = await send(here.on, clerk, clerk.letter("x@tls.example", files=(pdf(20 * MIB),)))
    assert await sent.only_end() == (State.DELIVERED, "tls")
    assert sent.arrived("x@tls.example").tls is not None
    assert not here.packages(sent)
    assert await sent.heard() == []


async def test_s4_an_inline_logo_tips_nothing_and_is_there(here: SealingStage) -> None:
    clerk, logo = somebody(), secrets.token_bytes(4096)
    message = clerk.letter(LAWYER, button="encrypted", html='<p>Dear <img src="cid:logo@here"></p>')
    page = message.get_body(("html",))
    assert isinstance(page, EmailMessage)
    page.add_related(logo, "image", "png", cid="<logo@here>", filename="logo.png", disposition="inline")
    message.make_mixed()
    message.add_attachment(b"y" * LIMIT, maintype="application", subtype="pdf", filename="f.pdf")
    sent = await send(here.on, clerk, message)
    assert await sent.only_end() == (State.SEALED, "encrypted")
    async with here.reader(await here.link(LAWYER, sent)) as reader:
        await reader.ask_code()
        await reader.open(await code(here, LAWYER, sent))
        parts = [(await reader.get(f"{reader.home}/part/{number}")).content for number in range(4)]
    assert logo in parts and b"y" * LIMIT in parts


@dataclass(frozen=True, slots=True)
class Astray:
    """A Restricted message to a look-alike, released by an officer; ``passphrase`` is what its sender was told."""

    sent: Sent
    passphrase: str
    link: str


async def astray(here: SealingStage, monkeypatch: pytest.MonkeyPatch) -> Astray:
    worker = somebody()
    sent = await send(here.on, worker, worker.letter(WRONG, level="restricted", button="encrypted"))
    assert sent.held == (WRONG,)
    assert sent.decided(Held).floor is Protection.SEALED
    assert not here.packages(sent)

    release = ("queue", "release", sent.queue_id, "--reason", "asked by telephone")
    monkeypatch.setenv("SUDO_USER", worker.address)
    assert (await ask(here.on.folder, *release)).code == 1
    assert sent.held == (WRONG,)
    monkeypatch.setenv("SUDO_USER", "ig.officer@derbyshire.gov.uk")
    assert (await ask(here.on.folder, *release)).code == 0
    assert await sent.only_end() == (State.SEALED, "encrypted")
    passphrase = after("Passphrase", await here.mail(worker.address, sent, "Sealed"))
    return Astray(sent, passphrase, await here.link(WRONG, sent))


async def test_s10_a_code_would_need_a_proven_mail_host_and_the_passphrase_opens_it(
    here: SealingStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.on.world.hosts[PUBLIC_SECTOR.name].behave(Behaviour(shown=Shown.SELF_SIGNED))
    one = await astray(here, monkeypatch)
    sent, writer = one.sent, one.sent.writer
    async with here.reader(one.link) as reader:
        assert "If your mailbox can be reached safely" in (await reader.ask_code()).text
        (package,) = here.packages(sent)
        await here.on.until(lambda: bool(events(here, EventKind.ACCEPTED, f"a code for {package}")))
        (asked,) = events(here, EventKind.ACCEPTED, f"a code for {package}")
        await here.on.until(lambda: bool(here.on.events(asked.queue_id, EventKind.ATTEMPT)))
        assert "That was not right" in (await reader.open("amber-basin-cedar-delta-ember-fable")).text
        assert writer.word in (await reader.open(one.passphrase)).text
        assert same_body(sent, await reader.original())
    here.on.world.hosts[PUBLIC_SECTOR.name].behave(Behaviour())
    assert WRONG in whole(await here.mail(writer.address, sent, "Opened"))
    (attempt, *_) = here.on.events(asked.queue_id, EventKind.ATTEMPT)
    assert isinstance(attempt.outcome, Declined | Deferred)
    assert all(one.passphrase not in whole(mail) for mail in here.mails(WRONG, sent, ""))
    assert here.mails(WRONG, sent, "Your code") == []
    await here.forgotten(one.passphrase, writer.word)
    assert one.passphrase.encode() not in here.on.clear_bytes()
    assert not sent.in_the_clear()


def events(here: SealingStage, kind: EventKind, text: str) -> list[Event]:
    return [event for event in here.on.events() if event.kind is kind and event.text == text]


async def test_s10_not_for_me_locks_it_tells_both_and_the_link_looks_like_none(
    here: SealingStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await astray(here, monkeypatch)
    sent, writer = one.sent, one.sent.writer
    (package,) = here.packages(sent)
    async with here.reader(one.link) as reader:
        assert "Thank you" in (await reader.disown()).text
        for mailbox in (writer.address, OFFICER):
            assert WRONG in whole(await here.mail(mailbox, sent, "Not for them"))
        unknown = await reader.get(f"/m/{'A' * 43}")
        assert unknown.status == 404
        assert await reader.land() == unknown

        # Closed besides by an officer, opened again, and closed once more: it says the same.
        assert (await ask(here.on.folder, "portal", "restore", package)).code == 0
        assert (await reader.land()).status == 200
        assert (await ask(here.on.folder, "portal", "revoke", package)).code == 0
        assert await reader.land() == unknown
        refused = await reader.post(f"{one.link}/open", {"secret": one.passphrase, "who": ""})
        assert (refused.status, refused.content) == (unknown.status, unknown.content)

    shown = (await ask(here.on.folder, "portal", "show", package, "--json")).json
    (kept,) = shown["readers"]
    assert (kept["recipient"], kept["access"], kept["opened"]) == (WRONG, "revoked", 0)
    told = [(event["what"], event["who"]) for event in shown["history"] if event["what"] != "landed"]
    officer = "ig.officer@derbyshire.gov.uk"
    assert told == [("sealed", ""), ("not for me", ""), ("restored", officer), ("revoked", officer)]
    assert all(datetime.fromisoformat(event["at"]).tzinfo is not None for event in shown["history"])
    explained = (await ask(here.on.folder, "explain", "--queue-id", sent.queue_id)).out
    assert "passphrase" in explained
