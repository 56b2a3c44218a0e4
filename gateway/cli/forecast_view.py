"""`sealpost simulate --from`: a forecast for people and scripts."""

from collections import Counter
from collections.abc import Iterator
from typing import TypedDict

from gateway.config.trial.forecast import Forecast


class CountJson(TypedDict):
    """So many recipients."""

    name: str
    count: int


class DomainJson(TypedDict):
    """A domain whose mail needs its TLS; ``without_tls`` is the route else, or that it comes back."""

    domain: str
    way: str
    without_tls: str
    count: int


class ForecastJson(TypedDict):
    """The whole answer. ``unknown`` counts recipients for whom a fact that a trace lacks could change the end."""

    policy: str
    messages: int
    recipients: int
    not_ours: int
    unreadable: int
    without_time: int
    without_size: int
    by_route: list[CountJson]
    by_rule: list[CountJson]
    unknown: list[CountJson]
    domains: list[DomainJson]


def forecast_json(policy: str, found: Forecast, limit: int) -> ForecastJson:
    """The answer as plain values."""
    return {
        "policy": policy,
        "messages": found.messages,
        "recipients": found.routes.total(),
        "not_ours": found.not_ours,
        "unreadable": found.unreadable,
        "without_time": found.no_time,
        "without_size": found.no_size,
        "by_route": _counts(found.routes),
        "by_rule": _counts(found.rules),
        "unknown": _counts(found.unknown),
        "domains": [
            {"domain": domain, "way": way, "without_tls": without, "count": count}
            for (domain, way, without), count in found.domains.most_common(limit)
        ],
    }


def _counts(counts: Counter[str]) -> list[CountJson]:
    return [{"name": name, "count": count} for name, count in _ordered(counts)]


def _ordered(counts: Counter[str]) -> list[tuple[str, int]]:
    """The most first; equal ones by name, so that two runs read alike."""
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def forecast_lines(policy: str, found: Forecast, limit: int) -> Iterator[str]:
    """The answer as lines."""
    yield f"{policy}: {found.messages:,} messages of the trace, {found.routes.total():,} recipients of ours"
    left_out = {
        "from senders that are not ours": found.not_ours,
        "lines or addresses that cannot be read": found.unreadable,
        "without a time that can be read (decided as of now)": found.no_time,
        "without a size (decided as empty)": found.no_size,
    }
    for what, count in left_out.items():
        if count:
            yield f"  {count:>9,}  {what}"
    yield from _table("By route, without label, button and attached files", found.routes)
    yield from _table("By rule", found.rules)
    yield from _table("Unknown to a trace, and could change where it goes", found.unknown)
    if found.domains:
        yield f"Domains that must offer TLS ({min(limit, len(found.domains)):,} of {len(found.domains):,})"
    for (domain, way, without), count in found.domains.most_common(limit):
        yield f"  {count:>9,}  {domain}: {way}; without TLS {without}"


def _table(title: str, counts: Counter[str]) -> Iterator[str]:
    if counts:
        yield title
    for name, count in _ordered(counts):
        yield f"  {count:>9,}  {name}"
