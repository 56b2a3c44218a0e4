"""The page for the service desk: the rules with their advice, the ways with their limits, exceptions, contacts."""

from collections.abc import Iterator

from gateway.config.describe.document import Bullets, Rows, Section
from gateway.config.describe.tables import contacts, routes, rows
from gateway.core.policy import Policy
from gateway.core.sizes import exactly


def desk_page(policy: Policy) -> Iterator[Section]:
    """Its sections."""
    yield Section(
        "Rules, in order",
        (Rows("The first that applies decides", ("Rule", "If", "Then", "Advice"), tuple(rows(policy))),),
    )
    yield Section("Ways", (Rows("Routes and their limits", ("Route", "What it is", "Limits"), tuple(routes(policy))),))
    waivers = tuple(
        f"{waiver.route}: {waiver.sender.words} to {waiver.recipient.words}, up to {exactly(waiver.up_to)} "
        f"until {waiver.until} ({waiver.reference})"
        for waiver in policy.registers.waivers
    )
    if waivers:
        yield Section("Exceptions", (Bullets(waivers),))
    yield contacts(policy)
