"""What somebody should look at in a policy that can be used: rules that do nothing, weak ends, registers, labels."""

from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from typing import Final

from gateway.config.bundle import Bundle
from gateway.config.checks.connectors import connector_warnings
from gateway.config.checks.implies import implies
from gateway.config.load import Examined
from gateway.config.page import Page, as_table, dotted
from gateway.config.registers.places import placed
from gateway.config.registers.warnings import register_warnings
from gateway.core.floors import unreachable
from gateway.core.policy import Choice, Hold, Policy, Reject, Rule, Send
from gateway.flow.labels_seen import SeenLabel

_MOST_LABELS: Final = 20


def policy_warnings(page: Page, policy: Policy, today: date, bundle: Bundle | None = None) -> None:
    """Rules that others take all mail from, chains that get weaker, and what the registers say of themselves.

    With the ``bundle`` that the policy was read from, a register's warning names its file and line.
    """
    for rule, earlier in shadowed(policy):
        page.warning(rule.key, f"`{rule.name}` can never be reached: `{earlier.name}` takes all that it matches")
    for rule in policy.rules:
        for text in _weaker(rule, policy):
            page.warning(f"{rule.key}.route", text)
        if isinstance(rule.action, Hold) and not rule.action.role:
            text = f"nobody is asked to look at what `{rule.name}` holds: say `release_by`"
            page.warning(rule.key, text)
    connector_warnings(page, policy)
    findings = register_warnings(policy, today)
    if bundle is not None:
        page.warnings.extend(placed(bundle, findings))
        return
    for finding in findings:
        page.warning(dotted("registers", finding.register), finding.text)


def shadowed(policy: Policy) -> Iterator[tuple[Rule, Rule]]:
    """Rules that an earlier one leaves nothing to because of what both say, each with that one.

    Those that are unreachable for another reason are `gateway.core.floors.unreachable`'s.
    """
    if policy.choose is not Choice.FIRST:
        return
    known = {rule.name for rule in unreachable(policy)}
    taking: list[Rule] = []
    for rule in policy.rules:
        earlier = next((one for one in taking if _covers(one, rule)), None)
        if earlier is not None and rule.name not in known:
            yield rule, earlier
        if rule.wishes.raises is not None:
            # The same words may mean other mail from here on.
            taking.clear()
        elif isinstance(rule.action, Send | Reject) and not rule.overridable:
            taking.append(rule)


def _covers(earlier: Rule, rule: Rule) -> bool:
    return earlier.when is not None and rule.when is not None and implies(rule.when, earlier.when)


def _weaker(rule: Rule, policy: Policy) -> Iterator[str]:
    if not isinstance(rule.action, Send):
        return
    routes = [policy.routes[name] for name in rule.action.chain if name in policy.routes]
    for first, then in pairwise(routes):
        if then.gives < first.gives:
            yield (
                f"the chain gets weaker: `{first.name}` gives {first.gives.label}, "
                f"`{then.name}` behind it only {then.gives.label}"
            )


def route_warnings(page: Page, examined: Examined) -> None:
    """Routes of the configuration that nothing goes by."""
    if examined.policy is None:
        return
    policy = examined.policy
    config = Page("").toml(examined.bundle.config_bytes) or {}
    used = {name for rule in policy.rules if isinstance(rule.action, Send) for name in rule.action.chain}
    used |= {rollout.baseline for rollout in policy.rollouts}
    used |= {str(name) for name in as_table(config.get("system")).values()}
    for name in sorted(examined.routes.names - used):
        page.warning(dotted("routes", name), f"no rule sends by `{name}`")


def label_warnings(page: Page, seen: tuple[SeenLabel, ...]) -> None:
    """Values of labels that came lately and that the policy does not name: they count as the highest level."""
    for label in seen[:_MOST_LABELS]:
        times = "once" if label.count == 1 else f"{label.count} times"
        page.warning(
            "labels", f"{label.source} said `{label.value}` {times}, last on {label.last}: no level is named for it"
        )
    if len(seen) > _MOST_LABELS:
        page.warning("labels", f"and {len(seen) - _MOST_LABELS} more values that no level is named for")
