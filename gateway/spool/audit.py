"""The audit of one message, whichever worker took it, for a worker that is asked about another's.

Left out on purpose: anything quick. It opens the shard's file for each question, which is asked once in a while.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.core.record import Event, QueueId
from gateway.spool.reader import ShardReader


@dataclass(frozen=True, slots=True)
class SpoolAudit:
    """Of all shards of one spool folder."""

    folder: Path

    async def story(self, queue_id: QueueId) -> Sequence[Event]:
        """All that is kept of the message; empty if nothing is known of it. Raises SpoolError."""
        return await asyncio.to_thread(lambda: [event for _, event in ShardReader(self.folder).events(queue_id)])
