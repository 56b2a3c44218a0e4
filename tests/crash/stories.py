"""What can become of a message that a crash may interrupt, and the hosts that make it so."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.core.record import State
from tests.fakes.certificates import good
from tests.fakes.mx import Script

PARTNER, CONNECTOR, INSIDE = "partner.example", "encrypted.example", "internal.example"
HOSTS = (PARTNER, CONNECTOR, INSIDE)
LARGE = 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """``partner`` is what the recipients' host does, ``once`` what it does at the first visit.

    ``taker`` is the host that has the message in the end, ``letters`` how many of our own mails the sender gets.
    """

    to: tuple[str, ...]
    end: State
    taker: str = PARTNER
    size: int = 0
    letters: int = 0
    tls: bool = True
    partner: Mapping[str, str] = field(default_factory=dict[str, str])
    once: Mapping[str, str] | None = None

    def scripts(self) -> dict[str, Script]:
        """How the hosts behave."""
        scripts = {host: Script(tls=good(host)) for host in HOSTS}
        return {**scripts, PARTNER: self._script(self.partner)}

    def first(self) -> list[Script]:
        """How the recipients' host behaves at its first visits."""
        return [] if self.once is None else [self._script(self.once)]

    def _script(self, replies: Mapping[str, str]) -> Script:
        return Script(tls=good(PARTNER) if self.tls else None, replies=replies)


ONE, TWO = f"one@{PARTNER}.test", f"two@{PARTNER}.test"

STORIES: Mapping[str, Story] = {
    "relay": Story(to=(ONE, TWO), end=State.DELIVERED, size=LARGE),
    "bounce": Story(to=(ONE,), end=State.REPORTED, taker=INSIDE, letters=1, partner={"RCPT": "550 5.1.1 no such user"}),
    "next route": Story(to=(ONE,), end=State.DELIVERED, taker=CONNECTOR, letters=1, tls=False),
    "retry": Story(to=(ONE,), end=State.DELIVERED, once={"RCPT": "451 4.2.1 come back later"}),
}
