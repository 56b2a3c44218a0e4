"""What an MTA in front would hear of a recipient, for `sealpost explain --listener` of a milter."""

from collections.abc import Mapping
from typing import assert_never

from gateway.core.carriage import may_stay, why_not_carried
from gateway.core.decision import Decision, Held, Open, Refused, Routed
from gateway.core.route import Route
from gateway.flow.custody import Custody


def at_mta(decision: Decision, custody: Custody, routes: Mapping[str, Route], *, inside: bool) -> str:
    """A sentence's end; empty for a listener that no MTA asks."""
    match custody:
        case Custody.RELAY:
            return ""
        case Custody.TAKEOVER:
            stays = may_stay(decision, routes, inside=inside)
            return "stays with the MTA if nobody else of the message needs us" if stays else "the message is taken over"
        case Custody.GATE:
            return _at_gate(decision, routes, inside=inside)
        case Custody.TAG:
            return "passes with a field, whatever was decided"
        case _:
            assert_never(custody)


def _at_gate(decision: Decision, routes: Mapping[str, Route], *, inside: bool) -> str:
    match decision:
        case Refused():
            return "the message is refused as a whole"
        case Open():
            return "the message is put off"
        case Routed() | Held():
            why = why_not_carried(decision, routes, inside=inside)
            if why:
                return f"the message is refused as a whole, because the MTA cannot {why}"
            return "passes with a field" if isinstance(decision, Routed) else "the MTA's quarantine, if all are held"
        case _:
            assert_never(decision)
