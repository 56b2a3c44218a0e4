"""`sealpost mode`: ordered, in force in every worker, shown, and refused with a sentence."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.cli.errors import Usage
from gateway.cli.mode import read_until
from tests.app.house import house
from tests.cli.running import Service, sealpost, started

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
WHY = ("--reason", "a pilot", "--reference", "CHG-7")


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("48h", NOW + timedelta(hours=48)),
        ("365d", NOW + timedelta(days=365)),
        ("2026-11-22", datetime(2026, 11, 23, tzinfo=UTC)),
        ("2026-12-31", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-12-31T18:00", datetime(2026, 12, 31, 18, tzinfo=UTC)),
        ("2026-12-31T18:00+01:00", datetime(2026, 12, 31, 17, tzinfo=UTC)),
        ("2026-12-31T00:00", datetime(2026, 12, 31, tzinfo=UTC)),
    ],
)
def test_an_end_is_a_span_a_day_or_a_time(text: str, until: datetime) -> None:
    assert read_until(text, NOW) == until


@pytest.mark.parametrize("text", ["", "tomorrow", "48", "2026-13-01", "0s", "2026-11-21", "2026-11-22T12:30", "367d"])
def test_an_end_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Usage, match=r"is no time|is not in the future"):
        read_until(text, NOW)


def told_by(service: Service, alert: str) -> int:
    """How many workers told it."""
    return sum(line["name"] == alert for line in service.lines("alert"))


async def test_an_order_holds_in_every_worker_until_it_is_ended(tmp_path: Path) -> None:
    async with house(tmp_path, workers=2) as here, started(here) as service:
        rule = 'name  = "Public"\nroute = ["opportunistic"]'
        here.edit(here.household.policy, rule, 'name  = "Public"\nreject = true\nadvice = "Telephone."')
        assert (await sealpost(here, "reload")).code == 0
        observe = ("mode", "observe", "--baseline", "opportunistic", "--until", "2h", "--rule", "Public", *WHY)
        ran = await sealpost(here, *observe)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.startswith("observe for rule Public until ")
        assert ran.out.endswith(" UTC; every worker heeds it within 5 seconds\n")
        async with asyncio.timeout(30):
            await here.until(lambda: told_by(service, "mode-active") == 2)
        assert await service.metric('sealpost_mode_active{mode="observe"}') == 1
        for number in range(4):
            await here.send(f"r{number}@plain.example", level="public")
            [arrival] = await here.arrived(f"r{number}@plain.example")
            assert arrival.tls is None
        [line] = service.lines("mode ordered")
        assert (line["mode"], line["rule"], line["reference"], line["reason"]) == (
            "observe",
            "Public",
            "CHG-7",
            "a pilot",
        )
        shown = await sealpost(here, "mode", "show")
        assert "observe for rule Public until " in shown.out
        assert "a pilot (CHG-7); by " in shown.out
        [told] = json.loads((await sealpost(here, "mode", "show", "--json")).out)
        assert (told["mode"], told["rule"], told["baseline"]) == ("observe", "Public", "opportunistic")

        ended = await sealpost(here, "mode", "enforce", "--rule", "Public", *WHY)
        assert (ended.code, ended.out) == (0, "enforce for rule Public; every worker heeds it within 5 seconds\n")
        async with asyncio.timeout(30):
            await here.until(lambda: told_by(service, "mode-ended") == 2)
        assert await service.metric('sealpost_mode_active{mode="observe"}') == 0
        refused = await here.send("late@plain.example", "c@council.example", level="public")
        await here.arrived("c@council.example")
        assert refused
        assert len(here.world.inbox.to("late@plain.example")) == 0
        log = json.loads((await sealpost(here, "mode", "show", "--log", "--json")).out)
        assert [each["mode"] for each in log] == ["observe", "enforce"]


async def test_what_cannot_be_is_said_by_the_gateway(tmp_path: Path) -> None:
    async with house(tmp_path) as here, started(here) as service:
        for words, text in (
            (("soft", "--until", "2h", "--rule", "Publik"), "no rule `Publik`, did you mean `Public`?"),
            (("enforce",), "there is nothing to end: enforce for everything holds"),
            (("observe", "--until", "2h", "--baseline", "nowhere"), "`nowhere` is no route"),
            (("soft", "--until", "2h", "--sender", "group:nobody"), "the policy has no group `nobody`"),
        ):
            ran = await sealpost(here, "mode", *words, *WHY)
            assert (ran.code, ran.out) == (1, "")
            assert text in ran.err
            assert text in str(service.lines("mode refused")[-1]["problem"])
        assert service.lines("mode ordered") == []
        shown = await sealpost(here, "mode", "show")
        assert shown.out == "Nothing was ordered: the policy holds as it is written.\n"


async def test_an_order_needs_an_end_a_reason_and_a_gateway(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        for words in (
            ("soft", *WHY),
            ("soft", "--until", "2h", "--reference", "CHG-7"),
            ("soft", "--until", "2h", "--reason", " ", "--reference", "CHG-7"),
            ("observe", "--until", "2h", *WHY),
            ("enforce", "--until", "2h", *WHY),
            ("soft", "--until", "2h", *WHY),
        ):
            ran = await sealpost(here, "mode", *words)
            assert ran.code == 2, words
            assert "Traceback" not in ran.err
        assert "no gateway is running" in ran.err
        shown = await sealpost(here, "mode", "show", "--json")
        assert (shown.code, shown.out) == (0, "[]\n")
