"""What a policy would make of a message trace, before any mail flows; no network is asked.

A trace knows addresses, time and size. Each message is decided as if it had no label, no button and no attached files;
then each of these, and what is outside, is varied by itself: whether that would change the end is counted.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Final

from gateway.config.trial.compare import End, end
from gateway.config.trial.message_trace import Traced
from gateway.config.trial.what_if import Assumed, envelope, likely_route, with_outside
from gateway.core.address import Address, NullPath
from gateway.core.classify import gather
from gateway.core.decide import decide
from gateway.core.facts import Attachment, Classification, Facts, Intent, Scan
from gateway.core.policy import Policy
from gateway.core.tls import Starttls

_BACK: Final = "comes back"


@dataclass(frozen=True, slots=True)
class Prospect:
    """The end of one message for one recipient, the facts that could change it, and the way without TLS."""

    end: End
    depends_on: frozenset[str]
    without_tls: str


@dataclass(slots=True)
class Forecast:
    """Counts of recipients. ``domains`` are those whose mail needs their TLS, as (domain, way, way without TLS)."""

    messages: int = 0
    not_ours: int = 0
    unreadable: int = 0
    no_time: int = 0
    no_size: int = 0
    routes: Counter[str] = field(default_factory=Counter[str])
    rules: Counter[str] = field(default_factory=Counter[str])
    unknown: Counter[str] = field(default_factory=Counter[str])
    domains: Counter[tuple[str, str, str]] = field(default_factory=Counter[tuple[str, str, str]])


def forecast(lines: Iterable[Traced | None], policy: Policy, now: datetime) -> Forecast:
    """Decides each line; mail that others sent to us is only counted."""

    @lru_cache(maxsize=10_000)
    def look(sender: Address | None, to: Address, at: datetime, size: int) -> Prospect:
        return _prospect(sender, to, at, size, policy)

    total = Forecast()
    for line in lines:
        total.messages += 1
        if line is None:
            total.unreadable += 1
        elif line.sender is not None and not policy.owns(line.sender.domain):
            total.not_ours += 1
        else:
            _count(total, line)
            for recipient in line.recipients:
                _add(total, recipient, look(line.sender, recipient, _hour(line.at or now), line.size or 0))
    return total


def _count(total: Forecast, line: Traced) -> None:
    total.unreadable += line.unreadable
    total.no_time += line.at is None
    total.no_size += line.size is None


def _hour(at: datetime) -> datetime:
    """Rules look at the day, or at whole hours, and the same question need not be asked again within one."""
    return at.replace(minute=0, second=0, microsecond=0)


def _add(total: Forecast, recipient: Address, prospect: Prospect) -> None:
    way = prospect.end.route_text
    total.routes[way] += 1
    total.rules[prospect.end.rule] += 1
    for fact in prospect.depends_on:
        total.unknown[fact] += 1
    if prospect.without_tls:
        total.domains[recipient.domain, way, prospect.without_tls] += 1


def _prospect(sender: Address | None, to: Address, at: datetime, size: int, policy: Policy) -> Prospect:
    facts = _facts(sender, to, at, size, policy)
    decision = decide(facts, to, policy).decision
    base = end(decision, policy.routes)
    changing = {what for what, other in _variations(facts, policy) if _differs(base, other, to, policy)}
    first, without = (likely_route(decision, policy.routes, tls) for tls in (Starttls.YES, Starttls.NO))
    depends = base.action == "route" and first != without
    return Prospect(base, frozenset(changing), (without or _BACK) if depends else "")


def _facts(sender: Address | None, to: Address, at: datetime, size: int, policy: Policy) -> Facts:
    scan = Scan(fields=(), attachments=(), message_bytes=size, header_bytes=0)
    return with_outside(gather(scan, envelope(sender or NullPath.NULL, [to]), policy, at), Assumed())


def _variations(facts: Facts, policy: Policy) -> Iterator[tuple[str, Facts]]:
    """The facts with one thing otherwise, and the name of that thing."""
    for level in policy.reading.levels:
        yield "label", replace(facts, classification=Classification(level=level, source="a label"))
    for intent in (Intent.SECURE, Intent.ENCRYPTED):
        yield "button", replace(facts, intent=intent, intent_source="a button")
    files = (Attachment(name="", type="application/octet-stream", bytes=facts.message_bytes),)
    yield "attached files", replace(facts, attachments=files, attachment_bytes=facts.message_bytes)
    yield "what is in the message", replace(facts, looked=frozenset())
    for tls in (Starttls.YES, Starttls.NO):
        yield "the recipient's TLS", with_outside(facts, Assumed(tls=tls))
    for assumed in (Assumed(known=False), Assumed(resent=True)):
        yield "what was sent before", with_outside(facts, assumed)


def _differs(base: End, facts: Facts, to: Address, policy: Policy) -> bool:
    return end(decide(facts, to, policy).decision, policy.routes).way != base.way
