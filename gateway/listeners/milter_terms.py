"""What the milter listener asks of an MTA: the whole message, few answers, and the macros that are read here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.flow.custody import Custody
from gateway.wire.milter.negotiation import Action, MacroStage, Step, Terms

TLS: Final = ("tls_version", "cipher", "cipher_bits")
"""The macros that tell of the client's TLS, without braces."""

HOST: Final = "j"
"""The macro that says what the MTA calls itself."""

QUEUE_ID: Final = "i"
"""The macro that says what the MTA calls the message."""

# Nothing is decided before the end of a message, so nothing before it but envelopes wants an answer.
_STEPS: Final = (
    Step.NOUNKNOWN
    | Step.NR_CONN
    | Step.NR_HELO
    | Step.NR_DATA
    | Step.NR_HDR
    | Step.NR_EOH
    | Step.NR_BODY
    | Step.HDR_LEADSPC
)
_WRITTEN: Final = tuple(f"{{{name}}}" for name in TLS)
_MACROS: Final = MappingProxyType(
    {
        MacroStage.CONNECT: (HOST,),
        MacroStage.HELO: _WRITTEN,
        MacroStage.MAIL: (QUEUE_ID, *_WRITTEN),
        MacroStage.DATA: (QUEUE_ID,),
        MacroStage.END_OF_MESSAGE: (QUEUE_ID,),
    }
)
_ACTIONS: Final[Mapping[Custody, Action]] = MappingProxyType(
    {
        Custody.RELAY: Action(0),
        Custody.TAKEOVER: Action(0),
        Custody.GATE: Action.ADDHDRS | Action.QUARANTINE,
        Custody.TAG: Action.ADDHDRS,
    }
)


def terms_for(custody: Custody) -> Terms:
    """The terms; an MTA that does not offer what a mode needs is let go."""
    return Terms(needed_actions=_ACTIONS[custody], wished_steps=_STEPS, macros=_MACROS)
