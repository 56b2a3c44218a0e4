"""Roll-out modes and overrides, on a gateway with two workers: each takes effect, is counted, and ends."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.core.decision import Open, Refused, Routed
from gateway.core.record import EventKind, State
from gateway.core.tls import Protection
from tests.e2e.asking import ask
from tests.e2e.processes import PACE
from tests.e2e.scenes import known, playing, send, somebody
from tests.e2e.stage import POLICIES, Setting, Stage, scenario_cast, stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

PARISH, SURGERY = "parish@plain.example", "gp@tls.example"
OBSERVED, SOFT = "observed@derbyshire.gov.uk", "soft@derbyshire.gov.uk"
INTERNAL = "Internal only"
UNTIL = datetime.now(UTC).date() + timedelta(days=60)
MODES = f"""
[[modes]]
mode     = "observe"
sender   = "{OBSERVED}"
baseline = "opportunistic"
until    = {UNTIL}
reason   = "a trial"

[[modes]]
mode   = "soft"
sender = "{SOFT}"
until  = {UNTIL}
"""
MARKED = {"X-Handling": "internal only"}
WHY = ("--reason", "a trial", "--reference", "CHG-1")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    policy = (POLICIES / "derbyshire.toml").read_text() + MODES
    setting = Setting(cast=scenario_cast(), policy=policy, workers=2)
    async with playing(tmp_path_factory, "modes", setting) as built:
        yield built


async def test_observed_mail_leaves_by_the_baseline_and_is_counted_apart(on: Stage) -> None:
    writer, before = known(OBSERVED), on.metric("sealpost_observed_unprotected_total")
    sent = await send(on, writer, writer.letter(PARISH, fields=MARKED))
    assert await sent.only_end() == (State.DELIVERED, "opportunistic")
    assert sent.arrived(PARISH).tls is None
    decision = sent.decided(Routed)
    assert decision.instead is not None
    assert (decision.instead.rule, decision.instead.action) == (INTERNAL, "reject")
    assert (decision.floor, decision.original_floor) == (Protection.NONE, Protection.ENCRYPTED)
    assert await sent.heard() == []
    assert on.metric("sealpost_observed_unprotected_total") == before + 1
    assert on.metric("sealpost_unprotected_total") == 0
    await on.until(lambda: on.metric('sealpost_alerts_total{name="mode-active"}') > 0)

    other = somebody()
    assert await (await send(on, other, other.letter(PARISH, fields=MARKED))).only_end() == (State.REPORTED, "")


async def test_a_softened_refusal_waits_until_the_mode_is_ended(on: Stage) -> None:
    writer = known(SOFT)
    sent = await send(on, writer, writer.letter(SURGERY, fields=MARKED))
    assert sent.decided(Open).rule == INTERNAL
    assert await sent.heard() == []
    assert on.events(sent.queue_id, EventKind.ENDED) == []

    assert (await ask(on.folder, "mode", "enforce", "--sender", SOFT, *WHY)).code == 0
    assert await sent.only_end() == (State.REPORTED, "")
    (report,) = await sent.heard()
    assert report.says("Take the outside recipients out", f"Rule: {INTERNAL}")
    assert sent.arrivals() == []


async def test_an_ordered_mode_takes_effect_on_all_workers_while_it_lasts_and_ends_by_itself(on: Stage) -> None:
    writer = somebody()

    async def decided() -> tuple[str, bool]:
        """Which worker took a message, and whether it was only observed."""
        sent = await send(on, writer, writer.letter(SURGERY, fields=MARKED))
        (event,) = on.events(sent.queue_id, EventKind.DECIDED)
        return sent.queue_id.partition("-")[0], isinstance(event.decision, Routed)

    async def both_workers(observed: bool, seconds: float) -> float:
        """Waits until each worker decides so; how long that took."""
        began, agree = time.monotonic(), set[str]()
        while len(agree) < 2:
            worker, is_observed = await decided()
            agree = agree | {worker} if is_observed is observed else agree - {worker}
            assert time.monotonic() - began < seconds
            await asyncio.sleep(PACE)
        return time.monotonic() - began

    await both_workers(False, 30)
    order = ("mode", "observe", "--rule", INTERNAL, "--baseline", "opportunistic", "--until", "15s", *WHY)
    assert (await ask(on.folder, *order)).code == 0
    await both_workers(True, 15)
    await both_workers(False, 40)
    (shown,) = [one for one in (await ask(on.folder, "mode", "show", "--log", "--json")).json if one["rule"]]
    assert (shown["mode"], shown["reference"], shown["baseline"]) == ("observe", "CHG-1", "opportunistic")


OVERRIDABLE = """
[organisation]
name       = "Derbyshire County Council"
domains    = ["derbyshire.gov.uk"]
contact    = "the Service Desk"
postmaster = "postmaster@derbyshire.gov.uk"

[classification]
levels  = ["controlled"]
default = "controlled"
[classification.floor]
controlled = "encrypted"

[[labels]]
source = "header"
name   = "X-Classification"
values = { controlled = "controlled" }

[[rules]]
name     = "Figures stay here"
when     = { subject = { mark = ["[FIGURES]"] } }
reject   = true
override = true
advice   = "Ask the finance team first."

[[rules]]
name   = "The rest"
route  = ["encrypted"]
advice = "Ask the Service Desk."
"""


@pytest.mark.asyncio(loop_scope="function")
async def test_a_refusal_is_overridden_once_by_the_token_of_its_report(tmp_path: Path) -> None:
    async with stage(tmp_path, Setting(cast=scenario_cast(), policy=OVERRIDABLE)) as on:
        writer, stranger = somebody(), somebody()
        refused = await send(on, writer, writer.letter(SURGERY, subject="[FIGURES] for May"))
        assert refused.decided(Refused).overridable
        (report,) = await refused.heard()
        token = re.search(r"\[override: (\S+) your reason\]", report.text)
        assert token is not None
        subject = f"[FIGURES] for May [override: {token[1]} agreed with the director]"

        stolen = await send(on, stranger, stranger.letter(SURGERY, subject=subject))
        assert await stolen.only_end() == (State.REPORTED, "")
        without_reason = await send(on, writer, writer.letter(SURGERY, subject=f"[FIGURES] [override: {token[1]}]"))
        assert await without_reason.only_end() == (State.REPORTED, "")

        sent = await send(on, writer, writer.letter(SURGERY, subject=subject))
        assert await sent.only_end() == (State.DELIVERED, "encrypted")
        assert b"Subject: [FIGURES] for May\r\n" in sent.arrived(SURGERY).header
        (accepted,) = on.events(sent.queue_id, EventKind.ACCEPTED)
        assert accepted.text == f"override of Figures stay here by {writer.address}: agreed with the director"
        assert sent.facts.overridden == {"Figures stay here"}

        again = await send(on, writer, writer.letter(SURGERY, subject=subject))
        assert await again.only_end() == (State.REPORTED, "")
        assert on.metric('sealpost_overrides_total{result="granted"}') == 1
        assert on.metric('sealpost_overrides_total{result="used before"}') == 1
