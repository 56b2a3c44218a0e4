"""What follows for a message when none of its hosts took it: one outcome from the verdicts of the hosts.

Declined and Failed are for what every usable host proved; one host that could not be asked makes it Deferred. Left out
on purpose: everything about connections.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from gateway.core.outcome import Cause, Declined, Deferred, Failed
from gateway.core.reply import Status

Verdict: TypeAlias = Deferred | Declined | Failed
"""Why one host did not take the message. Failed is a host that cannot carry it, such as one without 8BITMIME."""


def combine(verdicts: Sequence[Verdict]) -> Verdict:
    """The outcome of the message from those of its usable hosts, best host first; there is at least one.

    Where any host failed for its protection, so does the message: without the demand it would have left. Its cause is
    then PROTECTION, whatever the other hosts said, so that its deadline leads to the next route. The alarm of any host
    is the message's.
    """
    deferred = [verdict for verdict in verdicts if isinstance(verdict, Deferred)]
    declined = [verdict for verdict in verdicts if isinstance(verdict, Declined)]
    if not deferred:
        return next((verdict for verdict in verdicts if isinstance(verdict, Failed)), verdicts[0])
    first = next((verdict for verdict in deferred if verdict.cause is Cause.PROTECTION), None)
    if first is None:
        first = _waits(declined[0], deferred[0]) if declined else deferred[0]
    return replace(
        first,
        handshake_failed=any(verdict.handshake_failed for verdict in deferred),
        alarm=next((verdict.alarm for verdict in deferred if verdict.alarm is not None), None),
    )


def _waits(declined: Declined, unknown: Deferred) -> Deferred:
    return Deferred(
        cause=Cause.PROTECTION,
        status=Status(4, declined.status.subject, declined.status.detail),
        detail=f"{declined.detail} Another host could not be asked: {unknown.detail}",
        evidence=declined.evidence,
    )
