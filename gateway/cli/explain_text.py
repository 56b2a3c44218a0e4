"""`sealpost explain` for people: the facts, the rules in order, the decision, and what happens next."""

from collections.abc import Iterator

from gateway.cli.evidence_view import evidence_lines
from gateway.cli.explain_effects import duration, effect_lines
from gateway.cli.queue_view import outcome_line
from gateway.config.trial.compare import end
from gateway.config.trial.explained import Explained, Judged, Recorded
from gateway.config.trial.what_if import Described, describe, likely_route
from gateway.core.decision import Decision, Held, Routed
from gateway.core.facts import Label, LabelResult
from gateway.core.route import Declared, Route
from gateway.core.sizes import exactly, roughly
from gateway.core.tls import Channel

_CONNECTION = {
    Channel.PLAIN: "TLS where it is offered",
    Channel.ENCRYPTED: "enforced TLS",
    Channel.PKIX: "enforced TLS with a checked certificate",
    Channel.PINNED: "enforced TLS with a pinned certificate",
    Channel.DANE: "enforced TLS with DANE",
}
_AUTHENTIC = "to a host that its domain's MTA-STS policy, signed DNS or a pin names"
_UNANSWERED = "ends without a report, because automatic mail is never answered"
_SHOWN = 5
_PORTAL = "portal"
_DECLARED = {
    Declared.SEALED: "encrypted by the next host",
    Declared.SEALING: "the message itself is sealed by us",
    Declared.INTERNAL: "inside the organisation",
}


def as_text(explained: Explained) -> str:
    """The answer as lines."""
    recipients = (line for judged in explained.judged for line in _recipient(explained, judged))
    return "\n".join([*_facts(explained), *_more_facts(explained), *_recorded(explained.recorded), *recipients])


def _facts(explained: Explained) -> Iterator[str]:
    facts, found = explained.facts, explained.facts.classification
    yield f"{explained.message} ({roughly(facts.message_bytes)}), by {explained.policy_file}"
    yield f"  Level      {found.level} ({found.source})"
    for label in found.labels:
        yield f"  Label      {_label(label)}"
    if found.conflict:
        yield "  Conflict   the labels say different things; the highest holds"
    for defect in explained.defects:
        yield f"  Malformed  {defect}"
    yield f"  Button     {facts.intent.label}" + (f" ({facts.intent_source})" if facts.intent else "")
    yield f"  Automatic  {f'yes ({facts.automatic_reason})' if facts.automatic else 'no'}"
    yield f"  Files      {len(facts.attachments)}, {roughly(facts.attachment_bytes)} decoded"
    for file in facts.attachments:
        yield f"             {_printable(file.name) or '(no name)'}, {_printable(file.type)}, {roughly(file.bytes)}"


def _more_facts(explained: Explained) -> Iterator[str]:
    """What few messages have."""
    facts = explained.facts
    if facts.visible:
        more = f" and {facts.visible_more} more" if facts.visible_more else ""
        some = _printable(", ".join(facts.visible[:_SHOWN]))
        yield f"  Visible    {len(facts.visible)} addresses in To and Cc{more}: {some}"
    for found in explained.found:
        yield f"  Found      {found}"
    if facts.reference:
        yield f"  Reference  {_printable(facts.reference)}"
    if facts.owner:
        yield f"  Owner      {facts.owner} hears instead of the sender"
    if explained.door is not None:
        yield f"  Door       {explained.door}"


def _recorded(recorded: Recorded | None) -> Iterator[str]:
    if recorded is None:
        return
    yield f"  Recorded   in {recorded.where}, decided by the policy {recorded.policy_hash[:12]}"
    for lost in recorded.lost:
        yield f"  Not kept   {lost}"


def _printable(text: str) -> str:
    """A name out of the message, without what would steer the terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _label(label: Label) -> str:
    meaning = label.level if label.result is LabelResult.LEVEL and label.level else label.result.value
    return f"{label.source}: `{label.raw}` is {meaning}"


def _recipient(explained: Explained, judged: Judged) -> Iterator[str]:
    decision, level = judged.ruling.decision, judged.ruling.classification
    told = describe(decision)
    yield ""
    yield f"{judged.address}: {_headline(told, explained.answered)}"
    for entry in judged.entries:
        yield f"  Register   {entry}"
    for tried in judged.tried:
        yield f"  {tried.result.value:<9}  {tried.rule}: {tried.why}"
    yield from _before(explained, judged)
    yield f"  Decision   `{told.rule}`, because {told.reason[:1].lower()}{told.reason[1:]}"
    if level.level != explained.facts.classification.level:
        yield f"  Level      {level.level} ({level.source})"
    yield f"  Protection never below {told.floor}{_lowered(decision)}"
    for name in told.route:
        yield f"  Route      {_route(explained.policy.routes[name], explained.opened(name, level.level))}"
    for line in effect_lines(told, explained.policy):
        yield f"  {line}"
    if heard := explained.at_mta(judged.address, decision):
        yield f"  At the MTA {heard}"
    yield f"  Next       {_next(explained, decision)}"
    yield f"  Advice     {told.advice}"


def _before(explained: Explained, judged: Judged) -> Iterator[str]:
    """What was decided when the gateway took it, and what came of it; what follows is what today's policy says."""
    decision = explained.recorded.decisions.get(str(judged.address)) if explained.recorded else None
    if decision is not None:
        was = end(decision, explained.policy.routes)
        yield f"  Decided    `{was.rule}`: {was.route_text}, never below {was.floor.label}, because {decision.reason}"
    for route, outcome in explained.recorded.earlier.get(str(judged.address), ()) if explained.recorded else ():
        yield f"  Tried      {route}: {outcome_line(outcome)}"
    last = explained.recorded.outcomes.get(str(judged.address)) if explained.recorded else None
    if last is not None:
        yield f"  Came to    {outcome_line(last)}"
        yield from evidence_lines(last, " " * 13)


def _headline(told: Described, answered: bool) -> str:
    return {
        "route": f"goes by {', then '.join(told.route)}",
        "reject": "comes back to the sender" if answered else "is refused",
        "hold": "waits for a person",
        "open": "cannot be decided yet",
    }[told.action]


def _lowered(decision: Decision) -> str:
    if not isinstance(decision, Routed | Held) or decision.lowered_because is None:
        return ""
    return f" (lowered from {decision.original_floor.label}: {decision.lowered_because})"


def _route(route: Route, opened: str) -> str:
    parts = [_CONNECTION[route.demands], *((_AUTHENTIC,) if route.authentic else ())]
    if route.transport == _PORTAL:
        parts = [opened or "in the portal"]
    elif route.declared is not Declared.CONNECTION:
        parts.append(_DECLARED[route.declared])
    if route.max_attachments is not None:
        parts.append(f"attached files up to {exactly(route.max_attachments)}")
    if route.max_message is not None:
        parts.append(f"messages up to {exactly(route.max_message)}")
    if route.give_up_after is not None:
        parts.append(f"tried for {duration(route.give_up_after)}")
    return f"{route.name}: {', '.join(parts)}"


def _next(explained: Explained, decision: Decision) -> str:
    if explained.door is not None:
        return "nothing, because it is refused at the door"
    told = describe(decision)
    if told.action == "reject":
        return "it is given back with the advice below" if explained.answered else f"it {_UNANSWERED}"
    if told.action == "open":
        return f"it is accepted, and decided once this is known: {', '.join(getattr(decision, 'missing', ()))}"
    released = "once released, " if told.action == "hold" else ""
    likely = likely_route(decision, explained.policy.routes, explained.tls)
    failed = "it comes back with the advice below" if explained.answered else f"it {_UNANSWERED}"
    if likely is None:
        return f"{released}no route can carry it to a recipient without TLS: {failed}"
    at = told.route.index(likely)
    passed = f"{', '.join(told.route[:at])} cannot reach a recipient without TLS, so " if at else ""
    after = f"; if that proves impossible, by {', then by '.join(told.route[at + 1 :])}" if told.route[at + 1 :] else ""
    return f"{released}{passed}it leaves by {likely}{after}; else {failed}"
