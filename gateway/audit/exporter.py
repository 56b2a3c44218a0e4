"""The exporter: takes audit events out of the spool, in order, to the chains of their shards; nothing twice or missed.

Where it stopped, the end of each chain tells. It blocks, and belongs in a thread of a process without mail. Left out on
purpose: the spool's own copy, which is swept by age, but never before it has been exported.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from gateway.audit.chain import Chain
from gateway.audit.files import ChainError, shard_folder
from gateway.audit.keys import Signer
from gateway.audit.options import AuditOptions
from gateway.core.audit_line import Gap
from gateway.core.audit_record import DAMAGED, Record, told
from gateway.flow.ports import SpoolError
from gateway.spool.lock import SpoolLock
from gateway.spool.outgoing import Kept, events_after, last_seq, shards_of

_PAGE: Final = 500
"""Events that are written at once: with one wait for the disk, and about a mebibyte in memory."""


@dataclass(frozen=True, slots=True)
class Stepped:
    """What a step did: events exported, files removed, and what keeps single shards from it, by shard."""

    events: int
    removed: int
    troubles: tuple[tuple[int, str], ...]


class Exporter:
    """Of all shards of one spool. Holds the folder's lock from `open` to `close`."""

    def __init__(self, spool_dir: Path, options: AuditOptions) -> None:
        """Raises BadAuditKey."""
        self._spool_dir = spool_dir
        self._options = options
        self._signer = Signer(options.key)
        self._lock = SpoolLock(options.folder / "lock")
        self._chains: dict[int, Chain] = {}

    def open(self) -> None:
        """Raises SpoolError if another process exports to the folder, or it cannot be used."""
        self._lock.acquire()

    def step(self, now: datetime) -> Stepped:
        """Exports all that is there by now, signs what is due, and removes what is no longer kept."""
        events = removed = 0
        troubles: list[tuple[int, str]] = []
        for shard, path in shards_of(self._spool_dir):
            try:
                chain = self._chain(shard, path)
                events += self._export(chain, path, now)
                removed += self._care(chain, now)
            except (ChainError, SpoolError, OSError) as error:
                # What is in memory may be ahead of the file: the next step begins with what the file says.
                self._chains.pop(shard, None)
                troubles.append((shard, str(error)))
        return Stepped(events, removed, tuple(troubles))

    def close(self, now: datetime) -> None:
        """Exports and signs the rest, and gives the folder free."""
        try:
            self.step(now)
            for chain in self._chains.values():
                self._sign(chain, now)
        except OSError:
            pass  # What is not signed now is signed by the next process.
        finally:
            self._chains.clear()
            self._lock.release()

    def _chain(self, shard: int, path: Path) -> Chain:
        chain = self._chains.get(shard)
        if chain is None:
            chain = Chain(shard_folder(self._options.folder, shard), shard, self._signer)
            if chain.seq > last_seq(path):
                raise ChainError(
                    f"the chain ends with event {chain.seq} and the spool knows none of that number: it is another"
                    " spool, or an older copy of it; move the shard's chain aside to begin a new one"
                )
            self._chains[shard] = chain
        return chain

    def _export(self, chain: Chain, path: Path, now: datetime) -> int:
        count = 0
        while page := events_after(path, chain.seq, _PAGE):
            chain.turn(now, self._options.file_size)
            for kept in page:
                _add(chain, kept, now)
            self._sign_if_due(chain, now)
            chain.flush(now)
            count += len(page)
        return count

    def _care(self, chain: Chain, now: datetime) -> int:
        self._sign_if_due(chain, now)
        chain.flush(now)
        if self._options.legal_hold:
            return 0
        return chain.remove_old((now - self._options.keep).date(), now)

    def _sign_if_due(self, chain: Chain, now: datetime) -> None:
        if chain.unsigned and (chain.anchored is None or now - chain.anchored >= self._options.anchor_every):
            chain.anchor(now)

    def _sign(self, chain: Chain, now: datetime) -> None:
        if chain.unsigned:
            chain.anchor(now)
            chain.flush(now)


def _add(chain: Chain, kept: Kept, now: datetime) -> None:
    if chain.begun and kept.seq > chain.seq + 1:
        chain.add(Gap(at=now.isoformat(), first=chain.seq + 1), seq=kept.seq - 1)
    if kept.event is None:
        chain.add(Record(kind=DAMAGED, at=kept.at.isoformat(), queue_id=kept.queue_id), seq=kept.seq)
        return
    record, persons = told(kept.event)
    chain.add(record, persons, seq=kept.seq)
