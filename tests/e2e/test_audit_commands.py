"""The audit as an officer asks it: verified, searched, exported, a person taken out, a pack for a breach report."""

import csv
import json
import shutil
from pathlib import Path

from gateway.audit.files import files_in, shard_folder
from gateway.audit.keys import Signer, new_key
from gateway.sandbox.authority import write_secret
from tests.e2e.asking import Ran, ask
from tests.e2e.shared_stage import Token
from tests.e2e.stage import EVERYBODY, Setting, Stage, scenario_cast, stage
from tests.e2e.test_audit import AUDIT, told

SETTING = Setting(cast=scenario_cast(), partners=EVERYBODY, further=AUDIT)
AMY, BO = "amy@tls.example", "bo@tls.example"


def with_key(folder: Path) -> None:
    key = new_key()
    write_secret(folder / "audit.key", key)
    (folder / "audit.pub").write_bytes(Signer(key).public_pem)


async def send(on: Stage, *recipients: str) -> str:
    token = Token()
    letter = token.letter("tls.example", classification="restricted")
    queue_id = await on.submit(letter, *recipients, sender="=cmd@derbyshire.gov.uk")
    await on.until(lambda: told(on, "ended").count(queue_id) == len(recipients))
    return queue_id


async def audit(on: Stage, *words: object) -> Ran:
    return await ask(on.folder, "audit", *words)


async def test_what_left_is_found_counted_and_written_and_verifies(tmp_path: Path) -> None:
    async with stage(tmp_path, SETTING, start=False) as on:
        with_key(tmp_path)
        await on.start()
        both = await send(on, AMY, BO)
        await send(on, BO)
        found = (await audit(on, "search", "--recipient", AMY, "--json")).json
        assert {event["queue_id"] for event in found} == {both}
        assert {event["recipient"] for event in found} == {"", AMY, BO}
        assert [event["grade"] for event in found if event["outcome"] == "delivered"] == ["verified"] * 2
        mine = (await audit(on, "search", "--person", AMY, "--json")).json
        assert {event["recipient"] for event in mine} == {"", AMY}
        shown = await audit(on, "search", "--queue-id", both)
        assert all(word in shown.out for word in ("accepted", "restricted", AMY, "delivered, verified"))
        none = await audit(on, "search", "--recipient", "cy@tls.example")
        assert (none.code, none.sentence) == (1, "the audit knows nothing of it")
        less = await audit(on, "search", "--since", "1h", "--limit", "3")
        assert "only the first 3 events are shown" in less.err
        assert (await audit(on, "search")).code == 2
        counted = (await audit(on, "export", "--foi")).json
        (group,) = counted
        assert (group["level"], group["grade"], group["end"], group["recipients"]) == (
            "restricted",
            "verified",
            "delivered",
            3,
        )
        written = await audit(on, "export", "--format", "csv", "--output", "all.csv")
        assert (written.code, written.out) == (0, "")
        with (tmp_path / "all.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert {row["sender"] for row in rows} == {"", "'=cmd@derbyshire.gov.uk"}
        assert len(rows) == len((await audit(on, "export")).json)
        assert (await audit(on, "export", "--output", "all.csv")).code == 2
        await on.process.stop()
        (verdict,) = (await audit(on, "verify", "--json")).json
        assert (verdict["events"], verdict["flaws"], verdict["unsigned"]) == (len(rows), [], 0)


async def test_anybody_can_verify_a_copy_and_sees_a_change(tmp_path: Path) -> None:
    async with stage(tmp_path, SETTING, start=False) as on:
        with_key(tmp_path)
        await on.start()
        await send(on, AMY, BO)
        await on.process.stop()
        elsewhere = tmp_path / "elsewhere"
        shutil.copytree(tmp_path / "audit", elsewhere / "copy")
        shutil.copy(tmp_path / "audit.pub", elsewhere)
        whole = await ask(elsewhere, "audit", "verify", "--folder", "copy", "--public-key", "audit.pub")
        assert whole.code == 0 and "nothing" in whole.out
        (file,) = files_in(shard_folder(elsewhere / "copy", 0))
        file.path.write_bytes(file.path.read_bytes().replace(AMY.encode(), b"eve@tls.example"))
        changed = await ask(elsewhere, "audit", "verify", "--folder", "copy", "--public-key", "audit.pub")
        assert changed.code == 1 and "a line was changed" in changed.out
        (elsewhere / "other.pub").write_bytes(Signer(new_key()).public_pem)
        other = await ask(
            elsewhere, "audit", "verify", "--folder", str(tmp_path / "audit"), "--public-key", "other.pub"
        )
        assert other.code == 1 and "with a key that is not known" in other.out
        nothing = await ask(elsewhere, "audit", "verify", "--folder", ".", "--public-key", "audit.pub")
        assert (nothing.code, nothing.sentence) == (2, "there is no chain in .")
        bad = await ask(elsewhere, "audit", "verify", "--folder", "copy", "--public-key", str(tmp_path / "audit.key"))
        assert (bad.code, bad.sentence) == (2, "--public-key: this is not a public key in PEM form")


async def test_a_person_is_taken_out_while_the_gateway_runs_and_the_chain_still_verifies(tmp_path: Path) -> None:
    async with stage(tmp_path, SETTING, start=False) as on:
        with_key(tmp_path)
        await on.start()
        queue_id = await send(on, AMY, BO)
        asked = await ask(tmp_path, "audit", "redact", "--person", BO, stdin=b"n\n")
        assert asked.code == 1 and (await audit(on, "search", "--person", BO)).code == 0
        done = await audit(on, "redact", "--person", BO, "--yes")
        assert done.out.splitlines()[-1].endswith(f"lines no longer name {BO}.")
        assert (await audit(on, "search", "--person", BO)).code == 1
        shown = await audit(on, "search", "--queue-id", queue_id)
        assert "(taken out)" in shown.out and AMY in shown.out and BO not in shown.out
        await send(on, AMY)
        await on.process.stop()
        assert (await audit(on, "verify")).code == 0


async def test_a_pack_for_a_breach_report_says_who_could_read_it_and_how_it_travelled(tmp_path: Path) -> None:
    async with stage(tmp_path, SETTING, start=False) as on:
        with_key(tmp_path)
        await on.start()
        queue_id = await send(on, AMY, BO)
        made = await audit(on, "breach-pack", "--queue-id", queue_id, "--output", "packs")
        page, data = (tmp_path / path for path in made.out.split())
        assert {path.stat().st_mode & 0o777 for path in (page, data)} == {0o600}
        pack = json.loads(data.read_text())
        assert [(one["address"], one["grade"], one["end"]) for one in pack["recipients"]] == [
            (AMY, "verified", "delivered"),
            (BO, "verified", "delivered"),
        ]
        assert pack["level"] == "restricted" and pack["sealed"] == [] and "verify" in pack["audit"]
        assert pack["timeline"][0]["kind"] == "accepted"
        text = page.read_text()
        assert AMY in text and "certificate checked" in text and "<script" not in text
        again = await audit(on, "breach-pack", "--queue-id", queue_id, "--output", "packs")
        assert again.code == 2 and "is there already" in again.err
        none = await audit(on, "breach-pack", "--message-id", "nobody@knows.example")
        assert (none.code, none.sentence) == (1, "the audit knows nothing of this message")


async def test_without_a_chain_the_spool_is_searched(tmp_path: Path) -> None:
    async with stage(tmp_path, Setting(cast=scenario_cast(), partners=EVERYBODY)) as on:
        queue_id = await on.submit(Token().letter("tls.example", classification="restricted"), AMY)
        await on.ended(queue_id)
        found = (await audit(on, "search", "--recipient", AMY, "--json")).json
        assert [event["kind"] for event in found] == ["accepted", "decided", "attempt", "ended"]
        made = await audit(on, "breach-pack", "--queue-id", queue_id)
        assert made.code == 0
        assert "neither chained nor signed" in (tmp_path / f"breach-{queue_id}.json").read_text()
        refused = await audit(on, "verify")
        assert refused.code == 2 and "`sealpost certs audit` makes its key" in refused.sentence
