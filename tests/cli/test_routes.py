"""`sealpost routes`: what each route gives, and what was found of its host."""

import asyncio
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter

from gateway.app.system import SystemClock
from gateway.core.grade import Grade
from gateway.flow.health import PREFIX, Health
from gateway.spool.state import SharedState
from tests.cli.conftest import Call
from tests.config.test_connectors import connectors
from tests.config.test_portal import written

DUMP = TypeAdapter(Health).dump_json
NOW = datetime.now(UTC)
UP = Health(at=NOW - timedelta(minutes=3), since=NOW - timedelta(hours=30), seconds=0.2, grade=Grade.PINNED)
DOWN = Health(at=NOW - timedelta(seconds=30), since=NOW - timedelta(hours=2), seconds=30, grade=None, why="No answer.")


def world(folder: Path, **known: Health) -> Path:
    """The example with a spool of its own, and what a worker found."""
    config = connectors(folder, ("sqlite:///var/spool/sealpost", f"sqlite:///{folder}/spool"))
    (folder / "spool").mkdir()
    asyncio.run(remember(folder / "spool/state.db", {PREFIX + name: DUMP(each) for name, each in known.items()}))
    return config


async def remember(path: Path, values: Mapping[str, bytes]) -> None:
    state = await SharedState.open(path, SystemClock())
    await state.put_many(values, datetime.now(UTC) + timedelta(hours=1))
    await state.aclose()


def lines(out: str) -> dict[str, list[str]]:
    """The words of each route's line."""
    return {words[0]: words[1:] for line in out.splitlines()[1:] if (words := line.split())}


def test_each_route_is_listed_with_what_is_known_of_it(tmp_path: Path, call: Call) -> None:
    code, out, err = call("routes", "--config", world(tmp_path, cjsm=UP, encrypted=DOWN))
    assert (code, err) == (1, "")
    shown = {name: " ".join(words) for name, words in lines(out).items()}
    assert shown["internal"] == "smarthost internal — not looked at lately"
    assert shown["opportunistic"] == "mx none — —"
    assert re.fullmatch(r"smarthost sealed — up, pinned \(since 1 d, looked at \d+ min ago\)", shown["cjsm"])
    assert shown["encrypted"].startswith("smarthost sealed files 13 MiB, mail comes back down: No answer. (since 2 h, ")
    assert shown["cryptshare"] == "smarthost sealed message 150 MiB not looked at lately"


def test_all_well_is_no_finding_and_json_has_everything(tmp_path: Path, call: Call) -> None:
    code, out, _ = call("routes", "--json", "--config", world(tmp_path, cjsm=UP))
    found = {each["name"]: each for each in json.loads(out)}
    assert code == 0
    assert found["cjsm"]["health"]["grade"] == "pinned" and found["encrypted"]["health"] is None
    assert (found["encrypted"]["max_attachments"], found["encrypted"]["returns"]) == (13 * 1024 * 1024, True)
    assert found["secure"]["gives"] == "verified" and found["secure"]["writable"] is None


def test_a_route_that_seals_by_itself_needs_a_store_that_can_be_written(tmp_path: Path, call: Call) -> None:
    config = written(tmp_path, ("sqlite:///var/spool/sealpost", f"sqlite:///{tmp_path}/new/spool")).bundle.config
    code, out, _ = call("routes", "--config", config)
    assert code == 0
    assert " ".join(lines(out)["sealed"]) == "portal sealed — store writable"
    # The superuser may write anywhere but into what is no folder.
    (tmp_path / "new").write_text("")
    code, out, _ = call("routes", "--config", config)
    assert (code, " ".join(lines(out)["sealed"])) == (1, "portal sealed — store not there, or not writable")


def test_a_store_that_is_gone_is_seen_when_it_is_asked_for(tmp_path: Path, call: Call) -> None:
    config = written(tmp_path, ("sqlite:///var/spool/sealpost", f"sqlite:///{tmp_path}/spool")).bundle.config
    store = tmp_path / "spool/sealed/sealed.db"
    store.parent.mkdir(parents=True)
    store.touch()
    asyncio.run(remember(tmp_path / "spool/state.db", {}))
    assert call("routes", "--config", config)[0] == 0
    store.rename(tmp_path / "away.db")
    code, out, _ = call("routes", "--config", config)
    assert (code, " ".join(lines(out)["sealed"])) == (1, "portal sealed — store not there, or not writable")
    assert json.loads(call("routes", "--json", "--config", config)[1])[-1]["writable"] is False
