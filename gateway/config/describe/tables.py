"""Tables and lists that several pages of `gateway.config.describe.pages` show."""

from collections.abc import Iterator
from datetime import timedelta

from gateway.config.describe.condition_words import in_words
from gateway.config.describe.document import Bullets, Section
from gateway.config.describe.rule_words import fill, then, way
from gateway.core.policy import GoOn, Policy
from gateway.core.sizes import exactly


def rows(policy: Policy) -> Iterator[tuple[str, ...]]:
    """Each rule: its name, when it applies, what it does, what the sender is told."""
    for rule in policy.rules:
        warn = fill(rule.wishes.warn, policy) if rule.wishes.warn else ""
        advice = warn if isinstance(rule.action, GoOn) else fill(rule.advice, policy)
        yield rule.name, in_words(rule.when), "; ".join(then(rule)), advice


def routes(policy: Policy) -> Iterator[tuple[str, ...]]:
    """Each route: its name, what it is, its limits."""
    for name in sorted(policy.routes):
        route = policy.routes[name]
        limits = [
            f"attached files {exactly(route.max_attachments)}" if route.max_attachments is not None else "",
            f"message {exactly(route.max_message)}" if route.max_message is not None else "",
            f"tried for {_long(route.give_up_after)}" if route.give_up_after is not None else "",
        ]
        yield name, way(route), ", ".join(filter(None, limits)) or "none"


def _long(time: timedelta) -> str:
    """In the largest unit in which it is a whole number: 48 hours, 90 minutes, 1 second."""
    units = (("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)), ("second", timedelta(seconds=1)))
    name, unit = next((each for each in units if not time % each[1]), units[-1])
    return f"{time // unit} {name}{'' if time == unit else 's'}"


def contacts(policy: Policy) -> Section:
    """Whom to ask."""
    roles = [f"{role}: {mailbox}" for role, mailbox in sorted(policy.roles.items())]
    known = (f"{policy.organisation.contact}", f"postmaster: {policy.organisation.postmaster}", *roles)
    return Section("Contacts", (Bullets(known),))
