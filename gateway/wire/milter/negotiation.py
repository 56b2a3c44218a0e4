"""What both sides of a milter connection agree on (SMFIC_OPTNEG): version, actions, steps, and the macros to be sent.

Only what both know can be agreed on: an MTA drops a filter that asks for more than it offers. Left out on purpose: the
actions that the product does not take (other recipients, another sender or body, changed header fields), and the
steps that would hide a part of the message.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Final

from gateway.wire.errors import RemoteProtocolError
from gateway.wire.milter.packets import packet

VERSION: Final = 6


class Action(IntFlag):
    """What a filter may do to a message (SMFIF_*); offers hold bits that have no name here."""

    ADDHDRS = 0x01
    QUARANTINE = 0x20
    SETSYMLIST = 0x100


class Step(IntFlag):
    """How the conversation goes (SMFIP_*); offers hold bits that have no name here.

    With an ``NR_`` step the MTA waits for no answer, and none may be sent. ``RCPT_REJ`` shows recipients too that
    the MTA has refused. With ``HDR_LEADSPC`` header values come and go with the white space behind their colon.
    """

    NR_HDR = 0x80
    NOUNKNOWN = 0x100
    SKIP = 0x400
    RCPT_REJ = 0x800
    NR_CONN = 0x1000
    NR_HELO = 0x2000
    NR_MAIL = 0x4000
    NR_RCPT = 0x8000
    NR_DATA = 0x1_0000
    NR_UNKN = 0x2_0000
    NR_EOH = 0x4_0000
    NR_BODY = 0x8_0000
    HDR_LEADSPC = 0x10_0000


class MacroStage(IntEnum):
    """What SETSYMLIST calls the commands (SMFIM_*)."""

    CONNECT = 0
    HELO = 1
    MAIL = 2
    RCPT = 3
    DATA = 4
    END_OF_MESSAGE = 5
    END_OF_HEADERS = 6


_NO_ACTIONS: Final = Action(0)
_NO_STEPS: Final = Step(0)


@dataclass(frozen=True, slots=True)
class Offer:
    """What the MTA knows."""

    version: int
    actions: Action
    steps: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the filter asks for: needed, or taken where it is offered.

    ``macros`` names what is to be sent before a command, as the MTA writes it (``i``, ``{auth_authen}``); where an
    MTA cannot be asked, it sends what its own configuration says.
    """

    needed_actions: Action = _NO_ACTIONS
    needed_steps: Step = _NO_STEPS
    wished_steps: Step = _NO_STEPS
    macros: Mapping[MacroStage, tuple[str, ...]] = field(default_factory=dict[MacroStage, tuple[str, ...]])


@dataclass(frozen=True, slots=True)
class Agreement:
    """What holds for the rest of the connection."""

    actions: Action = _NO_ACTIONS
    steps: Step = _NO_STEPS


def agree(offer: Offer, terms: Terms) -> Agreement:
    """What both sides know of what is asked for.

    Raises:
        RemoteProtocolError: the MTA does not offer what is needed; the text names it.
    """
    if offer.version < VERSION:
        raise RemoteProtocolError(f"the MTA offers milter version {offer.version}, and {VERSION} is needed")
    missing = [
        *_names("SMFIF", terms.needed_actions & ~offer.actions),
        *_names("SMFIP", terms.needed_steps & ~offer.steps),
    ]
    if missing:
        raise RemoteProtocolError(f"the MTA does not offer what is needed: {', '.join(missing)}")
    asked = terms.needed_actions | (Action.SETSYMLIST if terms.macros else _NO_ACTIONS)
    return Agreement(offer.actions & asked, offer.steps & (terms.needed_steps | terms.wished_steps))


def _names(prefix: str, flags: Iterable[Action] | Iterable[Step]) -> list[str]:
    return [f"{prefix}_{flag.name}" for flag in flags]


def answer(agreed: Agreement, terms: Terms) -> bytes:
    """The packet that tells the MTA what was agreed on, with the macros if it can be asked for them."""
    said = b"".join(number.to_bytes(4) for number in (VERSION, agreed.actions, agreed.steps))
    if Action.SETSYMLIST in agreed.actions:
        for stage, names in terms.macros.items():
            said += stage.to_bytes(4) + " ".join(names).encode() + b"\0"
    return packet("O", said)
