"""R15 and R16 of the council's paper: a first message to an address, and one sent again with a lower label."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from gateway.core.decision import Held, Refused
from gateway.core.record import State
from gateway.flow.history import YOUNG, History
from gateway.spool.state import NAME, SharedState
from tests.core.queued import MESSAGE, ROW, recipient
from tests.e2e.scenes import pdf, playing, send, somebody
from tests.e2e.stage import Setting, Stage, scenario_cast
from tests.fakes.clock import SteppedClock
from tests.fakes.events import Heard

pytestmark = pytest.mark.asyncio(loop_scope="module")

FRIEND, STRANGER, SCHOOL = "gp@tls.example", "locum@tls.example", "head@hill.derbyshire.sch.uk"
SCHOOLS = "Schools (sample),hill.derbyshire.sch.uk,ISA,ISA-0100,controlled restricted,2099-03-31,,,,,,,\n"


def prepared(on: Stage) -> bytes:
    """Makes the spool's folder; the key of the history."""
    on.spool.mkdir()
    return (on.folder / "hop.key").read_bytes()


async def remember(on: Stage, *addresses: str) -> None:
    """Mail to these was accepted a little over a month ago."""
    clock, key = SteppedClock(datetime.now(UTC) - YOUNG - timedelta(days=1)), prepared(on)
    state = await SharedState.open(on.spool / NAME, clock)
    history = History(state, clock, key, Heard())
    history.accepted(MESSAGE, [replace(ROW, recipient=recipient(address)) for address in addresses])
    assert await history.write()
    await state.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    async with playing(
        tmp_path_factory, "history", Setting(cast=scenario_cast(), partners=SCHOOLS), start=False
    ) as built:
        await remember(built, FRIEND, SCHOOL)
        await built.start()
        yield built


async def test_r15_the_first_restricted_message_ever_to_an_address_waits(on: Stage) -> None:
    officer = somebody()
    sent = await send(on, officer, officer.letter(FRIEND, STRANGER, level="restricted"))
    assert sent.held == (STRANGER,)
    assert sent.decided(Held, STRANGER).rule == "Restricted to an address that looks wrong"
    assert (await on.ended(sent.queue_id, 1))[FRIEND].state is State.DELIVERED
    (notice,) = await sent.heard()
    assert notice.says("nobody here wrote to this address in the last 400 days", STRANGER)


async def test_r15_controlled_goes_and_makes_the_address_known(on: Stage) -> None:
    officer, new = somebody(), "nurse@tls.example"
    known = len(on.shared("history/k/"))
    first = await send(on, officer, officer.letter(new))
    assert await first.only_end() == (State.DELIVERED, "tls")
    assert await first.heard() == []
    await on.until(lambda: len(on.shared("history/k/")) > known)
    second = await send(on, officer, officer.letter(new, level="restricted"))
    assert await second.only_end() == (State.DELIVERED, "secure")


async def test_r16_what_was_refused_and_comes_again_lower_waits(on: Stage) -> None:
    officer, file, other = somebody(), pdf(), pdf()
    remembered = len(on.shared("refused/"))
    refused = await send(on, officer, officer.letter(SCHOOL, level="restricted", files=(file,)))
    assert refused.decided(Refused).rule == "Documents for a school go by the portal"
    await on.until(lambda: len(on.shared("refused/")) > remembered)

    lower = await send(on, officer, officer.letter(SCHOOL, level="public", files=(file,), subject="Another subject"))
    assert lower.held == (SCHOOL,)
    assert lower.decided(Held).rule == "Sent again with a lower label"
    (notice,) = await lower.heard()
    assert notice.says("Tell Information Governance why the label was lowered.")
    for message in (
        officer.letter(SCHOOL, level="public", files=(other,)),
        officer.letter(SCHOOL, level="restricted", button="secure", files=(file,)),
    ):
        assert (await (await send(on, officer, message)).only_end())[0] is State.DELIVERED
