"""What rules and routes come to, in the words of people; shared by the pages of `gateway.config.describe.pages`."""

from collections.abc import Iterator
from typing import Final, assert_never

from gateway.core.policy import GoOn, Hold, Policy, Reject, Rule, Send
from gateway.core.route import Declared, Route
from gateway.core.sizes import exactly
from gateway.core.template import Template
from gateway.core.tls import Channel, Protection

PROTECTION: Final = {
    Protection.NONE: "no protection is demanded",
    Protection.ENCRYPTED: "the connection is always encrypted",
    Protection.VERIFIED: "the connection is always encrypted and the other side proves its name",
    Protection.SEALED: "the message itself is encrypted",
}
_WAY: Final = {
    Channel.PLAIN: "ordinary email, encrypted on the way where the recipient can",
    Channel.ENCRYPTED: "email that is always encrypted on the way",
    Channel.PKIX: "email that is always encrypted on the way to a mail system that proves its name",
}


def way(route: Route) -> str:
    """What a message is that goes by the route."""
    if route.declared is Declared.INTERNAL:
        return "internal email"
    kind = (
        f"an encrypted message ({route.name})"
        if route.declared in (Declared.SEALED, Declared.SEALING)
        else _WAY[route.demands]
    )
    limit = route.max_attachments
    return kind if limit is None else f"{kind}, with attached files up to {exactly(limit)}"


def then(rule: Rule) -> Iterator[str]:
    """What the rule does, in parts; the first is what becomes of the message."""
    match rule.action:
        case Send(chain):
            yield ", then ".join(chain)
        case Reject():
            yield "given back"
        case Hold(role):
            yield f"held for {role or 'an operator'}"
        case GoOn():
            yield "goes on"
        case _:
            assert_never(rule.action)
    wishes = rule.wishes
    if wishes.warn is not None:
        yield "the sender is told"
    yield from (f"{mailbox} is told" for mailbox in wishes.notify)
    yield from (f"a copy to {mailbox}" for mailbox in wishes.copies)
    if wishes.raises is not None:
        yield f"counts as {wishes.raises} at least"
    if rule.overridable:
        yield "a one-time token lets it pass"


def fill(template: Template, policy: Policy) -> str:
    """The sentence in general words."""
    return template.fill({"contact": policy.organisation.contact})
