"""The page for the data-protection officer: what is promised, held, told, agreed, and not enforced yet."""

from collections.abc import Iterator

from gateway.config.describe.document import Bullets, Paragraph, Rows, Section
from gateway.config.describe.rule_words import PROTECTION
from gateway.config.describe.tables import contacts, rows
from gateway.config.registers.warnings import partners_of
from gateway.core.modes import Rollout
from gateway.core.policy import Policy


def dpo_page(policy: Policy) -> Iterator[Section]:
    """Its sections."""
    floors = tuple((level, PROTECTION[policy.floors[level]]) for level in policy.reading.levels)
    yield Section(
        "What is promised",
        (Rows("No message ever leaves below its floor", ("Level", "Floor"), floors), *_lowered(policy)),
    )
    modes = tuple(_mode(rollout) for rollout in policy.rollouts)
    yield Section("What is not enforced yet", (Bullets(modes),) if modes else (Paragraph("Everything is enforced."),))
    yield Section(
        "Rules, in order", (Rows("What each does", ("Rule", "If", "Then"), tuple(row[:3] for row in rows(policy))),)
    )
    yield Section("Agreements", tuple(_agreements(policy)))
    reviews = tuple(_reviews(policy))
    if reviews:
        yield Section("Mailboxes and machines", (Bullets(reviews),))
    yield contacts(policy)


def _lowered(policy: Policy) -> Iterator[Bullets]:
    lowered = tuple(f"Except by “{rule.name}”: {rule.below_floor}" for rule in policy.rules if rule.below_floor)
    if lowered:
        yield Bullets(lowered)


def _mode(rollout: Rollout) -> str:
    scope = [f"the rule “{rollout.rule}”" if rollout.rule else "every rule"]
    if rollout.senders is not None:
        scope.append(f"senders {rollout.senders.place}")
    by = f", sent by {rollout.baseline}" if rollout.baseline else ""
    why = f": {rollout.reason}" if rollout.reason else ""
    reference = f" ({rollout.reference})" if rollout.reference else ""
    return f"{rollout.mode.value} for {', '.join(scope)}{by}, until {rollout.until:%Y-%m-%d %H:%M} UTC{why}{reference}"


def _agreements(policy: Policy) -> Iterator[Paragraph | Rows]:
    partners = partners_of(policy.registers.partners)
    if not partners:
        yield Paragraph("The policy keeps no register of partners.")
        return
    lines = tuple(
        (
            partner.name,
            f"{partner.agreement.value} {partner.reference}".strip() if partner.agreement else "none",
            ", ".join(level for level in policy.reading.levels if level in partner.levels),
            str(partner.expires or ""),
            str(partner.next_review or ""),
            partner.owner,
        )
        for partner in partners
    )
    yield Rows("Partners", ("Partner", "Agreement", "Covers", "Until", "Next review", "Owner"), lines)


def _reviews(policy: Policy) -> Iterator[str]:
    for key in sorted(policy.registers.mailboxes.addresses):
        mailbox = policy.registers.mailboxes.addresses[key]
        cleared = ", ".join(level for level in policy.reading.levels if level in mailbox.cleared) or "no level"
        yield (
            f"{mailbox.address} ({mailbox.kind.value}): cleared for {cleared}, owner {mailbox.owner}, "
            f"reviewed {mailbox.reviewed or 'never'}"
        )
    for system in policy.registers.systems:
        yield (
            f"{system.name}: without a label {system.level}, "
            f"owner {system.owner or 'none'}, review {system.review or 'none'}"
        )
