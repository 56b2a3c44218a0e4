"""The proof: what the recording hosts have on their tapes, held against what each message demanded.

Nothing in it comes from the gateway. A tape that is not whole proves nothing, which is said.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.core.tls import Protection
from gateway.sandbox.dialogue import Visit
from gateway.selftest.mail import MARK, Sent
from gateway.selftest.outside import Outside, Watched

_MARKER: Final = re.compile(rb"%s[0-9a-f]{32}" % MARK.encode())
_TRUSTED_VERSIONS: Final = ("TLSv1.2", "TLSv1.3")
"""All others are deprecated (RFC 8996)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A message that left with less than it demands. ``where`` says at which host, ``how`` it came there."""

    sent: Sent
    where: str
    how: str

    def __str__(self) -> str:
        wanted = f"{self.sent.kind}, at least {self.sent.floor.label}"
        return f"{wanted}, for the host that {self.sent.trap.done}: seen {self.how} at {self.where}"


@dataclass(frozen=True, slots=True)
class Proof:
    """``arrived`` are the markers of messages that a host took for their recipients; a report about one is not it.

    ``gaps`` say where something may have been missed.
    """

    arrived: frozenset[str]
    violations: tuple[Violation, ...]
    gaps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Sight:
    marker: str
    at: Watched
    how: str
    most: Protection


def prove(outside: Outside, sent: Iterable[Sent]) -> Proof:
    """Reads all tapes."""
    known = {each.marker: each for each in sent}
    sights = [sight for watched in outside.watched for sight in _sights(watched)]
    return Proof(
        arrived=frozenset(_arrived(outside, known)),
        violations=tuple(_violations(sights, known)),
        gaps=tuple(
            f"{watched.host.spec.name} was told more than it can record"
            for watched in outside.watched
            if not watched.complete
        ),
    )


def _arrived(outside: Outside, known: Mapping[str, Sent]) -> Iterator[str]:
    for watched in outside.watched:
        for arrival in watched.host.arrivals:
            domains = [address.rpartition("@")[2] for address in arrival.rcpt_to]
            for found in _MARKER.findall(arrival.content):
                sent = known.get(found.decode())
                if sent is not None and sent.trap.domain in domains:
                    yield sent.marker


def _violations(sights: Iterable[_Sight], known: Mapping[str, Sent]) -> Iterator[Violation]:
    told: set[tuple[str, str, str]] = set()
    for sight in sights:
        sent = known.get(sight.marker)
        key = (sight.marker, sight.at.what, sight.how)
        if sent is None or key in told:
            continue
        told.add(key)
        if sent.floor > sight.most:
            yield Violation(sent=sent, where=f"{sight.at.host.spec.name} ({sight.at.what})", how=sight.how)
        elif not sent.kept:
            how = f"{sight.how}, though the gateway never took it"
            yield Violation(sent=sent, where=sight.at.host.spec.name, how=how)


def _sights(watched: Watched) -> Iterator[_Sight]:
    for visit in watched.host.visits:
        for marker in _MARKER.findall(visit.tape.clear):
            yield _Sight(marker.decode(), watched, "in the clear", watched.in_clear)
        how, most = _inside(visit, watched)
        for marker in _MARKER.findall(visit.tape.secured):
            yield _Sight(marker.decode(), watched, how, most)


def _inside(visit: Visit, watched: Watched) -> tuple[str, Protection]:
    version = visit.tls.version if visit.tls is not None else "a handshake that did not end"
    if version in _TRUSTED_VERSIONS:
        return f"inside {version}", watched.in_tls
    return f"inside {version}", watched.in_clear
