"""What missing protection means, for staff who know none of its words (mission R13; RFC 8689 for REQUIRETLS).

The technical sentence stands behind it: an administrator needs that one. Left out on purpose: what to do, which is the
rule's advice, and what a remote server says of itself.
"""

from typing import Final, assert_never

from gateway.core.outcome import Alarm, Cause, Declined, Deferred, Delivered, Failed, Outcome, Proof, Sealed
from gateway.core.reply import Status

_ASKED: Final = "You, or your mail program, asked that every mail system on the way keeps this message encrypted"

# In the registry of RFC 5248: encryption needed, and (by RFC 8689) REQUIRETLS support required.
_BY_STATUS: Final = {
    (7, 10): f"{_ASKED} (REQUIRETLS). The recipient's mail system does not encrypt.",
    (7, 30): f"{_ASKED} (REQUIRETLS). The recipient's mail system does not promise to do that.",
}

_BY_PROOF: Final = {
    Proof.NO_STARTTLS: "It does not encrypt the mail that it gets.",
    Proof.NO_REQUIRETLS: _BY_STATUS[7, 30],
    Proof.NOT_AUTHENTIC: "Nobody vouches that mail for this recipient would reach the right mail system: somebody else"
    " could put theirs in its place, and we would not see it.",
    Proof.TLS_VERSION: "Its encryption is too old to rely on.",
    Proof.CERTIFICATE: "It could not prove that it is the right one: its certificate is not good.",
    # These two say themselves what is the matter.
    Proof.NO_KEY: "",
    Proof.SIZE: "",
}

_TOLD: Final = "Nothing was sent unprotected, and those who run our mail have been told."

_BY_ALARM: Final = {
    Alarm.TLS_LOST: "The recipient's mail system has encrypted mail before and does not now. That may be a fault"
    f" there, or somebody on the way who wants to read the message. {_TOLD}",
    Alarm.STRIPPED: "Something on the way to the recipient's mail system takes its encryption away: the message"
    f" could be read there. {_TOLD}",
}

_NOT_YET: Final = (
    "The recipient's mail system could not be reached protected, or could not prove that it is the right one. That is"
    " mostly a fault on its side."
)


def meaning(outcome: Outcome) -> str:
    """What the lack of protection means that it met; empty if it met none."""
    match outcome:
        case Declined():
            return _by_status(outcome.status) or _BY_PROOF[outcome.proof]
        case Deferred(alarm=Alarm() as alarm):
            return _BY_ALARM[alarm]
        case Deferred(cause=Cause.PROTECTION):
            return _by_status(outcome.status) or _NOT_YET
        case Deferred() | Failed() | Delivered() | Sealed():
            return ""
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(outcome)


def _by_status(status: Status) -> str:
    return _BY_STATUS.get((status.subject, status.detail), "")
