"""The schools' trust: its S1, S2, S4 and S10 with real protected files and sealed messages, and the shipped kcsp.toml.

Its Egress is a host that records what it gets, and has trouble of two kinds: it refuses TLS for certain, or is silent.
"""

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.core.decision import Held
from gateway.core.outcome import Declined, Deferred, Delivered, Outcome
from gateway.core.record import EventKind, State
from gateway.core.sealing import Method
from gateway.sandbox.arrival import Arrival
from gateway.sandbox.behaviour import Act, Behaviour, Fault, Starttls
from gateway.sandbox.behaviour import Stage as At
from tests.e2e.asking import ask
from tests.e2e.scenes import MIB, TRUST, Sent, known, pdf, send, somebody
from tests.e2e.sealed_stage import ARCHIVE, PORTAL, SealingStage, after, parsed, sealing, unpacked, whole
from tests.e2e.shared_stage import attempted
from tests.e2e.stage import EGRESS, Setting, scenario_cast, wire

pytestmark = pytest.mark.asyncio(loop_scope="module")

PARISH, SURGERY, PARENT, WRONG = (
    "parish@plain.example", "gp@tls.example", "p@freemail.example", "j.smith@agancy.example",
)  # fmt: skip
COPY, DPO = "sent.archive@kcsp.org.uk", "dpo@kcsp.org.uk"
AGENCY = (
    "An agency (sample),agency.example,ISA,KCSP-0003,personal sensitive,"
    "2099-03-31,2026-03-31,2099-03-31,dpo@kcsp.org.uk,office@agency.example,,,\n"
)
CONFIDENTIAL = {"Sensitivity": "Company-Confidential"}
REFUSING = Behaviour(starttls=Starttls.NONE)
SILENT = Behaviour(faults=(Fault(stage=At.GREETING, answer=Act.CLOSE),))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[SealingStage]:
    """With an Egress that never offered TLS to anybody."""
    cast = tuple(replace(host, behaviour=REFUSING) if host == EGRESS else host for host in scenario_cast())
    setting = Setting(cast=cast, shipped="kcsp")
    async with sealing(tmp_path_factory, "sealed-trust", setting, archive=ARCHIVE) as built:
        yield built


def outcomes(sent: Sent, address: str) -> list[tuple[str, Outcome | None]]:
    """What each route came to for one recipient."""
    return [(event.route, event.outcome) for event in sent.attempts() if event.address == address]


def locked(here: SealingStage, address: str, sent: Sent) -> Arrival:
    """The one protected file that came for that address, which names none of the others."""
    (found,) = (one for one in here.on.world.inbox.to(address) if sent.writer.address.encode() in one.content)
    assert found.rcpt_to == (address,)
    assert sent.writer.word.encode() not in found.content
    return found


def holders(here: SealingStage, secret: str) -> list[tuple[str, ...]]:
    """Who got mail in which that stands, however it is encoded."""
    return [one.rcpt_to for one in here.on.world.inbox.newest() if secret in _said(one)]


def _said(arrival: Arrival) -> str:
    message = parsed(arrival.content)
    texts = [str(part.get_content()) for part in message.walk() if part.get_content_maintype() == "text"]
    return f"{message.items()}{texts}{arrival.content.decode('latin-1')}"


@pytest.mark.peer("7zz")
async def test_s1_egress_refuses_tls_and_a_protected_file_takes_its_place(here: SealingStage, tmp_path: Path) -> None:
    head, file = somebody(TRUST), pdf(400 * 1024)
    sent = await send(
        here.on, head, head.letter(SURGERY, subject="Your child", fields=CONFIDENTIAL, files=(file,)), copy=COPY
    )
    assert await sent.ended() == {SURGERY: (State.DELIVERED, "archive"), COPY: (State.DELIVERED, "internal")}
    (first, refused), (second, delivered) = outcomes(sent, SURGERY)
    assert (first, second) == ("egress", "archive")
    assert isinstance(refused, Declined) and "STARTTLS" in refused.detail
    assert isinstance(delivered, Delivered) and delivered.sealing is not None
    assert delivered.sealing.method is Method.ARCHIVE

    letter = await here.mail(head.address, sent, "Password")
    password = after("Password", letter)
    arrival = locked(here, SURGERY, sent)
    inside = unpacked(tmp_path / "x", arrival, password)
    assert inside[file.name] == file.content
    assert sent.writer.word.encode() in inside["message.txt"]
    assert inside["original.eml"].partition(b"\r\n\r\n")[2] == wire(sent.message).partition(b"\r\n\r\n")[2]
    outside = whole(parsed(arrival.content))
    assert "Your child" not in outside and file.name not in outside

    assert holders(here, password) == [(head.address,)]
    assert here.on.world.hosts[EGRESS.name].visits
    await here.forgotten(password, head.word)
    assert password.encode() not in here.on.clear_bytes()
    assert not sent.in_the_clear()


@pytest.mark.peer("7zz")
async def test_s1_each_organisation_has_a_password_of_its_own(here: SealingStage, tmp_path: Path) -> None:
    head = somebody(TRUST)
    sent = await send(here.on, head, head.letter(SURGERY, PARISH, level="personal"), copy=COPY)
    assert {state for state, _ in (await sent.ended()).values()} == {State.DELIVERED}
    await here.on.until(lambda: len(here.mails(head.address, sent, "Password")) == 2)
    letters = here.mails(head.address, sent, "Password")
    passwords = {to: after("Password", mail) for mail in letters for to in (SURGERY, PARISH) if to in whole(mail)}
    assert len(set(passwords.values())) == 2
    for number, (to, password) in enumerate(passwords.items()):
        assert (
            sent.writer.word.encode()
            in unpacked(tmp_path / str(number), locked(here, to, sent), password)["message.txt"]
        )
    # The host of one of them has no TLS at all: what crossed the wire tells nobody anything.
    assert locked(here, PARISH, sent).tls is None
    assert not sent.in_the_clear()
    assert not any(password.encode() in here.on.clear_bytes() for password in passwords.values())


async def test_s2_unlabelled_mail_comes_back_and_with_the_button_it_is_a_protected_file(here: SealingStage) -> None:
    head = somebody(TRUST)
    back = await send(here.on, head, head.letter(PARISH))
    assert await back.only_end() == (State.REPORTED, "tls")
    (report,) = await back.heard()
    assert report.text.startswith("What to do: Use Egress or a protected file.")

    sent = await send(here.on, head, head.letter(PARISH, button="secure"))
    assert await sent.only_end() == (State.DELIVERED, "archive")
    assert [route for route, _ in outcomes(sent, PARISH)] == ["secure", "egress", "archive"]
    assert not back.in_the_clear()


@pytest.mark.peer("7zz")
async def test_s4_the_protected_file_has_a_limit_of_its_own(here: SealingStage, tmp_path: Path) -> None:
    head, support, agency = somebody(TRUST), known("it.support@kcsp.org.uk"), "duty@care.example"
    file = pdf(16 * MIB)
    sent = await send(here.on, head, head.letter(PARENT, level="personal", files=(file,)), copy=COPY)
    assert (await sent.ended())[PARENT] == (State.DELIVERED, "archive")
    password = after("Password", await here.mail(head.address, sent, "Password"))
    assert unpacked(tmp_path / "x", locked(here, PARENT, sent), password)[file.name] == file.content

    over = await send(here.on, head, head.letter(PARENT, level="personal", files=(pdf(17 * MIB + 1),)))
    assert await over.only_end() == (State.REPORTED, "")
    (report,) = await over.heard()
    assert report.says("the limit is 17 MiB", "(1 byte too much)")

    large = await send(here.on, support, support.letter(agency, level="personal", files=(pdf(20 * MIB),)), copy=COPY)
    assert (await large.ended())[agency] == (State.DELIVERED, "archive")
    assert locked(here, agency, large)


@pytest.mark.asyncio(loop_scope="function")
async def test_s1_a_silent_egress_is_waited_for_and_no_password_is_made(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    setting = Setting(cast=scenario_cast(), shipped="kcsp")
    async with sealing(tmp_path_factory, "silent", setting, archive=ARCHIVE) as here:
        egress = here.on.world.hosts[EGRESS.name]
        egress.behave(SILENT)
        head = somebody(TRUST)
        sent = await send(here.on, head, head.letter(SURGERY, fields=CONFIDENTIAL), copy=COPY)
        await attempted(here.on, sent.queue_id, 3)
        waiting = [outcome for route, outcome in outcomes(sent, SURGERY) if route == "egress"]
        assert waiting and all(isinstance(outcome, Deferred) for outcome in waiting)
        assert here.on.events(sent.queue_id, EventKind.MOVED) == []

        egress.behave(Behaviour())
        assert (await sent.ended())[SURGERY] == (State.DELIVERED, "egress")
        assert sent.arrived(SURGERY).mx == EGRESS.name

        # Who showed TLS a moment ago has not lost it for certain: somebody may be in between.
        await here.on.process.stop()
        egress.behave(REFUSING)
        await here.on.start()
        second = await send(here.on, head, head.letter(SURGERY, fields=CONFIDENTIAL), copy=COPY)
        await here.on.until(lambda: len(outcomes(second, SURGERY)) >= 2)
        assert all(isinstance(outcome, Deferred) for _, outcome in outcomes(second, SURGERY))
        assert here.on.events(second.queue_id, EventKind.MOVED) == []
        assert [mail for one in (sent, second) for mail in here.mails(head.address, one, "Password")] == []
        assert not sent.in_the_clear()


@pytest.mark.asyncio(loop_scope="function")
async def test_s10_released_by_the_dpo_it_waits_for_a_spoken_passphrase_and_was_not_opened(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = Setting(cast=scenario_cast(), shipped="kcsp", partners=AGENCY)
    egress = f'{PORTAL}unlock = "passphrase"\n'
    async with sealing(tmp_path_factory, "spoken", setting, egress=egress) as here:
        head = somebody(TRUST)
        sent = await send(here.on, head, head.letter(WRONG, fields=CONFIDENTIAL), copy=COPY)
        assert sent.held == (WRONG,)
        assert sent.decided(Held, WRONG).role == "dpo"
        (told,) = await sent.heard(DPO)
        assert told.says(head.address, WRONG)
        monkeypatch.setenv("SUDO_USER", DPO)
        assert (await ask(here.on.folder, "queue", "release", sent.queue_id, "--reason", "asked")).code == 0
        assert (await sent.ended())[WRONG] == (State.SEALED, "egress")

        passphrase = after("Passphrase", await here.mail(head.address, sent, "Sealed"))
        async with here.reader(await here.link(WRONG, sent)) as reader:
            landing = await reader.land()
            assert "Send me a code" not in landing.text
            assert "The passphrase that the sender told you" in landing.text
            assert "Thank you" in (await reader.disown()).text
            assert (await reader.land()).status == 404
            assert (await reader.post(f"{reader.link}/open", {"secret": passphrase})).status == 404
        for mailbox in (head.address, DPO):
            assert WRONG in whole(await here.mail(mailbox, sent, "Not for them"))
        (package,) = here.packages(sent)
        (kept,) = (await ask(here.on.folder, "portal", "show", package, "--json")).json["readers"]
        assert (kept["opened"], kept["opened_at"], kept["access"], kept["unlock"]) == (
            0,
            None,
            "not for me",
            "passphrase",
        )
        assert holders(here, passphrase) == [(head.address,)]
        await here.forgotten(passphrase, head.word)
