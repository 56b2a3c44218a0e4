"""Which recipients of which messages somebody means: by sender, recipient, rule and age."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.core.address import BadAddress, NullPath, parse_address
from gateway.core.record import Message, RecipientRow

NULL_PATH: Final = "<>"
"""How mail without a reverse-path is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """All given parts must hold; what is empty says nothing.

    ``sender`` is an address, a domain behind an "@", or `NULL_PATH`; ``recipients`` are the keys of addresses.
    """

    sender: str = ""
    recipients: frozenset[str] = frozenset()
    rule: str = ""
    accepted_before: datetime | None = None

    def holds(self, message: Message, row: RecipientRow) -> bool:
        """Whether the recipient is meant."""
        return (
            (not self.sender or self._sent_by(message))
            and (not self.recipients or row.address.key in self.recipients)
            and (not self.rule or row.decision.rule == self.rule)
            and (self.accepted_before is None or message.accepted_at < self.accepted_before)
        )

    def _sent_by(self, message: Message) -> bool:
        if self.sender == NULL_PATH:
            return isinstance(message.envelope.reverse_path, NullPath)
        if self.sender.startswith("@"):
            return any(sender.endswith(self.sender.lower()) for sender in senders_of(message))
        return key_of(self.sender) in senders_of(message)


def senders_of(message: Message) -> frozenset[str]:
    """The keys of all that it says to be sent by: its reverse-path, its From and its Sender."""
    path, facts = message.envelope.reverse_path, message.facts
    named = (*facts.header_from, *facts.header_sender) if facts is not None else ()
    own = () if isinstance(path, NullPath) else (path.key,)
    return frozenset((*own, *map(key_of, named)))


def key_of(text: str) -> str:
    """The key of an address; of anything else the text in lower case."""
    try:
        return parse_address(text).key
    except BadAddress:
        return text.casefold()
