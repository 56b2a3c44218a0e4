"""`python -m bench.simulate [MESSAGES]`: how long `sealpost simulate` takes for an audit of so many messages."""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.config.builtin import BUILT_IN
from gateway.config.bundle import read_bundle
from gateway.config.load import load
from gateway.core.address import parse_address
from gateway.core.chronicle import entry_events
from gateway.core.decide import decide
from gateway.core.facts import Attachment, Classification, Facts, Intent, Label, LabelResult
from gateway.core.policy import Policy
from gateway.core.record import Event, EventKind, QueueId
from gateway.spool.codec import encode_event
from gateway.spool.schema import open_for_writing
from tests.spool.samples import message, row

ROOT = Path(__file__).parents[1]
SHARDS = 2


def furnish(folder: Path) -> Path:
    """The built-in configuration with the shipped policy beside it."""
    policy = (ROOT / "policies/starter.toml").read_text()
    (folder / "policy.toml").write_text(policy)
    (folder / "hop").write_bytes(bytes(32))
    config = folder / "sealpost.toml"
    config.write_text(BUILT_IN.decode().replace('policy = ""', 'policy = "policy.toml"'))
    return config


def events(policy: Policy, number: int, at: datetime) -> tuple[Event, ...]:
    """What the audit keeps of one message."""
    level = policy.reading.levels[number % len(policy.reading.levels)]
    label = Label(source="header X-Classification", raw=level, result=LabelResult.LEVEL, level=level)
    facts = Facts(
        at=at,
        classification=Classification(level=level, source=label.source, labels=(label,)),
        intent=Intent(number // 3 % 3),
        intent_source="header X-Sealpost-Intent",
        automatic=False,
        automatic_reason="",
        sender=f"officer{number % 500}@council.example",
        header_from=(f"officer{number % 500}@council.example",),
        visible=tuple(f"person{n}@partner{n}.example" for n in range(number % 4)),
        attachments=tuple(Attachment(name="", type="application/pdf", bytes=100_000) for _ in range(number % 3)),
        attachment_bytes=100_000 * (number % 3),
        message_bytes=200_000,
    )
    recipient = parse_address(f"person{number}@partner{number % 997}.example")
    decision = decide(facts, recipient, policy).decision
    to = replace(row(), recipient=replace(row().recipient, address=recipient), decision=decision)
    accepted = replace(
        message(QueueId(f"{number % SHARDS:03d}-{number:014d}"), (to,)),
        facts=facts,
        policy_hash=policy.hash,
        accepted_at=at,
    )
    told = entry_events(accepted, (to,))
    return (*told, *(replace(told[-1], kind=kind, decision=None) for kind in (EventKind.ATTEMPT, EventKind.ENDED)))


def fill(spool: Path, policy: Policy, count: int) -> None:
    """The audit of ``count`` messages of the last 29 days."""
    start = datetime.now(UTC) - timedelta(days=29)
    step = timedelta(days=28) / count
    for shard in range(SHARDS):
        folder = spool / f"shard-{shard:03d}"
        folder.mkdir(parents=True)
        db = open_for_writing(folder / "spool.db", 64 * 1024 * 1024)
        db.execute("BEGIN")
        for number in range(shard, count, SHARDS):
            rows = [encode_event(event) for event in events(policy, number, start + step * number)]
            db.executemany("INSERT INTO events (at, queue_id, message_id, record) VALUES (?, ?, ?, ?)", rows)
        db.execute("COMMIT")
        db.close()


def main(count: int) -> None:
    """Fills an audit and asks the command twice: with the same policy, and with one that reads a label otherwise."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = furnish(folder)
        policy = load(read_bundle(config)).policy
        fill(folder / "spool", policy, count)
        other = folder / "other.toml"
        other.write_text(
            (folder / "policy.toml").read_text().replace('restricted = "restricted"', 'restricted = "controlled"')
        )
        for candidate in (folder / "policy.toml", other):
            command = (sys.executable, "-m", "gateway", "simulate", "--config", str(config), "--policy", str(candidate))
            begin = time.monotonic()
            done = subprocess.run((*command, "--json"), stdout=subprocess.PIPE, check=False)
            seconds = time.monotonic() - begin
            told: dict[str, object] = json.loads(done.stdout)
            counts = {key: value for key, value in told.items() if isinstance(value, int)}
            print(f"{count:,} messages in {seconds:.1f} s, exit code {done.returncode}: {counts}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
