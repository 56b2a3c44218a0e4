"""``[classification]``, ``[[labels]]``, ``[intent]`` and ``[disclosure]`` → how the policy reads a message."""

from gateway.config.conditions import INTENTS
from gateway.config.labels import read_labels
from gateway.config.names import Names, read_party
from gateway.config.page import Page, dotted
from gateway.config.policy_tables import DefaultTable, PolicyTable
from gateway.core.defaults import Default
from gateway.core.reading import Reading


def read_reading(page: Page, table: PolicyTable, names: Names) -> Reading | None:
    """How messages are read; None, and problems, if that cannot be told."""
    labels = [read_labels(page, dotted("labels", at), raw, names.levels) for at, raw in enumerate(table.labels)]
    defaults = [_default(page, number, each, names) for number, each in enumerate(table.classification.defaults)]
    known = tuple(default for default in defaults if default is not None)
    if table.classification.default not in names.levels or len(known) < len(defaults):
        return None
    try:
        return Reading(
            levels=names.levels,
            default=table.classification.default,
            sources=tuple(source for source in labels if source is not None),
            intent_header=table.intent.header,
            intent_marks={mark: INTENTS[intent] for mark, intent in table.intent.marks.items()},
            intent_remove=table.intent.remove,
            defaults=known,
            disclosure_mark=table.disclosure.mark,
        )
    except ValueError as exc:
        page.problem("intent.marks", str(exc))
        return None


def _default(page: Page, number: int, table: DefaultTable, names: Names) -> Default | None:
    key = dotted("classification", "defaults", number)
    if table.level not in names.levels:
        page.unknown(f"{key}.level", "level", table.level, names.levels)
        return None
    try:
        sender = None if table.sender is None else read_party(table.sender, names)
    except ValueError as exc:
        page.problem(f"{key}.sender", str(exc))
        return None
    try:
        return Default(level=table.level, listener=table.listener or "", network=table.network, sender=sender)
    except ValueError as exc:
        page.problem(key, str(exc))
        return None
