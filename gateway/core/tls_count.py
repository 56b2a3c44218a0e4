"""The TLS sessions of one domain on one day, counted as its report groups them (RFC 8460 section 4.4).

The sum is always that of all sessions: where there are too many kinds to keep apart, details are given up and never
counts. Left out on purpose: where the counts are kept, and for how long (`flow.tls_counts`).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from gateway.core.tlsrpt import Applied, PolicyType, Result, SessionSeen

MAX_POLICIES: Final = 64
"""Policies of a domain that are told apart; it has one, or one for each of its hosts, and changes them seldom."""
MAX_KINDS: Final = 1000
"""Kinds of sessions that are told apart under all of them."""

_LONGEST_DETAIL: Final = 200
_LONGEST_POLICY: Final = 2048
_LONGEST_HOSTS: Final = 1024
_LINE: Final = 64  # what each text takes besides its characters


@dataclass(frozen=True, slots=True)
class Failure:
    """One kind of failed session. Only the first ``detail`` is kept: it may say something else each time."""

    result: Result
    host: str = ""
    address: str = ""
    ours: str = ""
    detail: str = field(default="", compare=False)


Kind: TypeAlias = Failure | None
"""None: a session that was good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCount:
    """The sessions under one policy."""

    applied: Applied
    good: int
    failures: tuple[tuple[Failure, int], ...] = ()

    @property
    def failed(self) -> int:
        """All that failed."""
        return sum(times for _, times in self.failures)


class SessionCount:
    """Counts the sessions of one domain."""

    def __init__(self, domain: str) -> None:
        self._domain = domain
        self._policies: dict[Applied, Counter[Kind]] = {}
        self._kinds = 0

    @property
    def kinds(self) -> int:
        """How many counters it has; a measure of its size."""
        return self._kinds

    def note(self, seen: SessionSeen, *, room: bool = True) -> None:
        """Counts one session; without ``room`` only as a kind that there has to be anyway."""
        failure = None if seen.failure is None else _failure(seen, seen.failure)
        self._add(seen.applied, failure, 1, room=room)

    def add(self, counted: Iterable[PolicyCount]) -> None:
        """Counts what was counted elsewhere."""
        for one in counted:
            self._add(one.applied, None, one.good)
            for failure, times in one.failures:
                self._add(one.applied, failure, times)

    def policies(self) -> tuple[PolicyCount, ...]:
        """All of it, in an order that depends on nothing but what was counted."""
        return tuple(sorted((_counted(*one) for one in self._policies.items()), key=_order))

    def _add(self, applied: Applied, kind: Kind, times: int, *, room: bool = True) -> None:
        if times:
            kinds = self._policy(_cut(applied), room=room)
            if kind is not None and kind not in kinds and not (room and self._kinds < MAX_KINDS):
                kind = Failure(kind.result)
            self._kinds += kind not in kinds
            kinds[kind] += times

    def _policy(self, applied: Applied, *, room: bool) -> Counter[Kind]:
        if applied not in self._policies and not (room and len(self._policies) < MAX_POLICIES):
            applied = Applied(applied.type, self._domain)
        return self._policies.setdefault(applied, Counter())


def without_places(counted: Iterable[PolicyCount]) -> tuple[PolicyCount, ...]:
    """The same counts, failures told apart by their result alone."""
    return tuple(replace(one, failures=_by_result(one)) for one in counted)


def without_policies(domain: str, counted: Iterable[PolicyCount]) -> tuple[PolicyCount, ...]:
    """The same counts, told apart by the type of policy and the result alone: a few lines, whatever was counted."""
    count = SessionCount(domain)
    count.add(replace(one, applied=Applied(one.applied.type, domain)) for one in without_places(counted))
    return count.policies()


def _failure(seen: SessionSeen, result: Result) -> Failure:
    return Failure(result, seen.host, seen.address, seen.ours, seen.detail[:_LONGEST_DETAIL])


def _cut(applied: Applied) -> Applied:
    """A policy that is long beyond use is shown by its first lines; each that is kept takes 3 KiB at most."""
    strings, hosts = _first(applied.strings, _LONGEST_POLICY), _first(applied.mx_hosts, _LONGEST_HOSTS)
    return replace(applied, strings=strings, mx_hosts=hosts)


def _first(lines: tuple[str, ...], room: int) -> tuple[str, ...]:
    """As many as there is room for, and a mark where that is not all."""
    for number, line in enumerate(lines):
        room -= len(line) + _LINE
        if room < 0:
            return (*lines[:number], "…")
    return lines


def _counted(applied: Applied, kinds: Counter[Kind]) -> PolicyCount:
    failures = [(kind, times) for kind, times in kinds.items() if kind is not None]
    failures.sort(key=lambda one: (one[0].result, one[0].host, one[0].address, one[0].ours))
    return PolicyCount(applied=applied, good=kinds[None], failures=tuple(failures))


def _order(one: PolicyCount) -> tuple[int, str, tuple[str, ...], tuple[str, ...]]:
    applied = one.applied
    return list(PolicyType).index(applied.type), applied.domain, applied.strings, applied.mx_hosts


def _by_result(one: PolicyCount) -> tuple[tuple[Failure, int], ...]:
    results: Counter[Result] = Counter()
    for failure, times in one.failures:
        results[failure.result] += times
    return tuple((Failure(result), times) for result, times in results.items())
