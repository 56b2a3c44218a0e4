"""`python -m bench.audit [EVENTS]`: seconds to export, verify and search a trail of that many events (one million).

The events are those of accepted and decided messages, as the spool has them, in one shard; the files have 64 MiB.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from gateway.audit.chain import Chain
from gateway.audit.files import shard_folder
from gateway.audit.keys import Signer, Trusted, new_key
from gateway.audit.search import search
from gateway.audit.trails import Chains
from gateway.audit.verify import verify
from gateway.core.audit_query import By, Criterion, Query
from gateway.core.audit_record import Persons, Record

SHARD = 0
FILE_SIZE = 64 * 1024 * 1024
PAGE = 500


def main() -> None:
    """Prints the figures."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        signer = Signer(new_key())
        took(
            "written and signed", events, lambda: write(Chain(shard_folder(folder, SHARD), SHARD, signer), events, now)
        )
        took("verified", events, lambda: whole(folder, Trusted((signer.public,)), now))
        query = Query(criteria=(Criterion(By.RECIPIENT, "client-77@partner-7.example"),))
        took(
            "searched for a recipient", events, lambda: print(len(list(search(Chains(folder), query))), "events found")
        )


def write(chain: Chain, events: int, now: datetime) -> None:
    """As the exporter does, in pages, an anchor after each twenty."""
    for page in range(0, events, PAGE):
        chain.turn(now, FILE_SIZE)
        for seq, (record, persons) in enumerate(told(page, min(PAGE, events - page), now), page + 1):
            chain.add(record, persons, seq=seq)
        if page % (20 * PAGE) == 0:
            chain.anchor(now)
        chain.flush(now)
    chain.anchor(now)
    chain.flush(now)


def told(start: int, count: int, now: datetime) -> Iterator[tuple[Record, Persons]]:
    """Two events of each message."""
    for number in range(start, start + count):
        queue_id = f"000-1j0vvpi{number // 2:09d}"
        if number % 2 == 0:
            accepted = Persons(sender="officer@council.example", message_id=f"<{number}@council.example>")
            yield (
                Record(kind="accepted", at=now.isoformat(), queue_id=queue_id, level="controlled", bytes=10240),
                accepted,
            )
        else:
            recipient = Persons(recipient=f"client-{number % 1000}@partner-{number % 10}.example")
            yield (
                Record(
                    kind="attempt",
                    at=now.isoformat(),
                    queue_id=queue_id,
                    number=0,
                    route="secure",
                    outcome="delivered",
                    host="mx.partner.example",
                    tls="TLSv1.3",
                    cipher="TLS_AES_256_GCM_SHA384",
                    grade="verified",
                ),
                recipient,
            )


def whole(folder: Path, trusted: Trusted, now: datetime) -> None:
    """Raises AssertionError if it is not."""
    assert not any(verdict.flaws for verdict in verify(folder, trusted, now))


def took(what: str, events: int, do: Callable[[], None]) -> None:
    """Does it and says how long it took."""
    start = time.monotonic()
    do()
    seconds = time.monotonic() - start
    print(f"{events} events {what}: {seconds:.1f} s")


if __name__ == "__main__":
    main()
