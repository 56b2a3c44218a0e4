"""Labels as other programs write them, end to end: what ours says decides how the message travels, theirs does not."""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from gateway.core.facts import LabelResult
from gateway.core.record import State
from tests.e2e.scenes import playing, send, somebody
from tests.e2e.stage import POLICIES, Setting, Stage, scenario_cast

pytestmark = pytest.mark.asyncio(loop_scope="module")

OURS, THEIRS = "11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"
CALM, GRAVE = "aaaaaaaa-0000-0000-0000-000000000001", "aaaaaaaa-0000-0000-0000-000000000002"
SOURCES = f"""
[[labels]]
source = "msip"
site   = "{OURS}"
labels = {{ "{CALM}" = "public", "{GRAVE}" = "restricted" }}

[[labels]]
source    = "protective-marking"
namespace = "gov.example"
values    = {{ "OFFICIAL" = "controlled", "OFFICIAL:Sensitive" = "restricted" }}
remove    = true
"""
SURGERY = "gp@tls.example"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    policy = (POLICIES / "derbyshire.toml").read_text() + SOURCES
    async with playing(tmp_path_factory, "labels", Setting(cast=scenario_cast(), policy=policy)) as built:
        yield built


def label(guid: str, site: str, *, enabled: bool = True) -> str:
    """One label as Outlook writes it."""
    said = {"Enabled": enabled, "SetDate": "2026-11-22T10:00:00Z", "Name": "Named That Year", "SiteId": site}
    return "; ".join(f"MSIP_Label_{guid}_{attribute}={value}" for attribute, value in said.items())


BOTH = f"{label(CALM, OURS)}; {label(GRAVE, THEIRS)}"
ROUTES = {"public": "opportunistic", "controlled": "tls", "restricted": "secure"}


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({"msip_labels": label(GRAVE, OURS)}, "restricted"),
        ({"msip_labels": label(CALM, OURS)}, "public"),
        ({"msip_labels": label(GRAVE, THEIRS)}, "controlled"),
        ({"msip_labels": label(GRAVE, OURS, enabled=False)}, "controlled"),
        ({"msip_labels": BOTH}, "public"),
        ({"msip_labels": label("aaaaaaaa-0000-0000-0000-000000000003", OURS)}, "restricted"),
        ({"msip_labels": label(CALM, OURS), "X-Classification": "restricted"}, "restricted"),
        ({"X-Protective-Marking": "VER=2018.4, NS=gov.example, SEC=OFFICIAL:Sensitive"}, "restricted"),
        ({"X-Protective-Marking": "VER=2018.4, NS=gov.other, SEC=OFFICIAL:Sensitive"}, "controlled"),
        (
            {
                "X-Protective-Marking": "VER=2018.4, NS=gov.example, SEC=OFFICIAL",
                "Subject": "a [SEC=OFFICIAL:Sensitive]",
            },
            "controlled",
        ),
        ({"Subject": "a [SEC=OFFICIAL:Sensitive]"}, "restricted"),
        ({"x-microsoft-classification": "Restricted"}, "restricted"),
        ({"Sensitivity": "Company-Confidential"}, "restricted"),
        ({"Sensitivity": "Normal"}, "controlled"),
    ],
)
async def test_the_label_decides_how_the_message_travels(on: Stage, fields: dict[str, str], level: str) -> None:
    officer = somebody()
    sent = await send(on, officer, officer.letter(SURGERY, fields=fields))
    assert await sent.only_end() == (State.DELIVERED, ROUTES[level])
    assert sent.facts.classification.level == level
    assert b"[SEC=" not in sent.arrived(SURGERY).header
    assert not sent.in_the_clear()


async def test_labels_that_disagree_are_all_recorded_and_counted(on: Stage) -> None:
    officer, before = somebody(), on.metric("sealpost_labels_total")
    fields = {"msip_labels": BOTH, "X-Classification": "controlled"}
    sent = await send(on, officer, officer.letter(SURGERY, fields=fields))
    assert await sent.only_end() == (State.DELIVERED, "tls")
    found = sent.facts.classification
    assert found.conflict
    assert sorted((one.level or "", one.result) for one in found.labels) == [
        ("", LabelResult.NO_LABEL),
        ("controlled", LabelResult.LEVEL),
        ("public", LabelResult.LEVEL),
    ]
    assert on.metric("sealpost_labels_total") == before + 3
