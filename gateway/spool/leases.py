"""Leases: who may attempt what, kept in the memory of the process that owns the shard.

They vanish with the process, which is right, because its lock on the shard does too. A lease covers one message and
one next hop, so two deliveries of a message to the same hop never run side by side. Its time is counted in seconds that
only grow: a machine's clock that is set ahead must not end it while its delivery is under way. Not for use by two
threads.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

from gateway.core.record import Message, QueueId, RecipientRow
from gateway.flow.ports import Clock, Lease, LeaseLost

Group: TypeAlias = tuple[QueueId, str]
"""Queue id and next hop: the rows that one lease covers."""


class Leases:
    """All leases of one shard. A lease that ran out is lost only when its rows were given to another."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_group: dict[Group, Lease] = {}
        self._ends: dict[Group, float] = {}
        self._settling: set[int] = set()
        self._tokens = 0

    def taken(self, now: datetime) -> frozenset[Group]:
        """What a claim must pass over: under a lease that lives, or being settled just now."""
        at = self._seconds(now)
        return frozenset(group for group, lease in self._by_group.items() if self._is_kept(group, lease, at))

    def is_taken(self, group: Group, now: datetime) -> bool:
        """Whether a claim must pass it over."""
        lease = self._by_group.get(group)
        return lease is not None and self._is_kept(group, lease, self._seconds(now))

    def _is_kept(self, group: Group, lease: Lease, at: float) -> bool:
        return self._ends[group] > at or lease.token in self._settling

    def drop_expired(self, queue_id: QueueId, now: datetime) -> None:
        """Before somebody else changes the message: leases that ran out cannot settle any more."""
        taken = self.taken(now)
        for group in [group for group in self._by_group if group[0] == queue_id and group not in taken]:
            self._remove(group)

    def grant(self, message: Message, rows: Iterable[RecipientRow], next_hop: str, until: datetime) -> Lease:
        """A new lease; one on the same group that ran out is lost by it."""
        self._tokens += 1
        lease = Lease(token=self._tokens, message=message, rows=tuple(rows), next_hop=next_hop, until=until)
        self._keep(lease)
        return lease

    def renew(self, lease: Lease, until: datetime) -> Lease:
        """The lease with its new end. Raises LeaseLost."""
        self._check(lease)
        renewed = replace(lease, until=until)
        self._keep(renewed)
        return renewed

    def settling(self, lease: Lease, rows: Iterable[RecipientRow]) -> None:
        """Keeps the rows from everyone until `end` or `unsettled`, however long the disk takes.

        Raises:
            LeaseLost: they may be another's.
            ValueError: the new rows are not rows of the lease.
        """
        self._check(lease)
        if not {row.number for row in rows} <= {row.number for row in lease.rows}:
            raise ValueError("a settlement changes the rows of its lease and no others")
        self._settling.add(lease.token)

    def unsettled(self, lease: Lease) -> None:
        """The settlement failed: the lease is as it was before."""
        self._settling.discard(lease.token)

    def end(self, lease: Lease) -> None:
        """Gives the rows free; harmless for a lease that is lost."""
        self._settling.discard(lease.token)
        if self._holds(lease):
            self._remove(_group(lease))

    def _keep(self, lease: Lease) -> None:
        self._by_group[_group(lease)] = lease
        self._ends[_group(lease)] = self._seconds(lease.until)

    def _remove(self, group: Group) -> None:
        del self._by_group[group], self._ends[group]

    def _seconds(self, when: datetime) -> float:
        """A time by the clock as it is set now, in seconds that only grow."""
        return self._clock.monotonic() + (when - self._clock.now()).total_seconds()

    def _check(self, lease: Lease) -> None:
        if not self._holds(lease) or lease.token in self._settling:
            raise LeaseLost(f"the lease on {lease.message.queue_id} for {lease.next_hop!r} is lost")

    def _holds(self, lease: Lease) -> bool:
        held = self._by_group.get(_group(lease))
        return held is not None and held.token == lease.token


def _group(lease: Lease) -> Group:
    return lease.message.queue_id, lease.next_hop
