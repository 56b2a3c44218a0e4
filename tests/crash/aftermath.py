"""What is there when a gateway has crashed and others have worked on its spool until nothing waited."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.core.record import EventKind, State
from gateway.spool.reader import ShardReader
from tests.crash.life import Life
from tests.crash.pipeline import message
from tests.crash.stories import HOSTS, INSIDE, Story
from tests.fakes.mx import FakeMx
from tests.flow.gate import SENDER


def contents(host: FakeMx) -> list[bytes]:
    """Every message that the host was sent to its final dot, whether or not anybody heard its reply."""
    said = [b"".join(piece.data for piece in conversation.heard) for conversation in host.conversations]
    return [found for each in said for found in re.findall(rb"\r\nDATA\r\n(.*?)\r\n\.\r\n", each, re.DOTALL)]


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What is there when all is over. ``copies`` are by host."""

    story: Story
    life: Life
    at: str
    spool: Path
    copies: Mapping[str, list[bytes]]

    @property
    def doubled(self) -> bool:
        """Whether the taker has a second copy."""
        return len(self.copies[self.story.taker]) > 1

    def check(self) -> None:
        """Raises AssertionError for what a crash must not leave."""
        ends = self._ends()
        letters = {queue_id for queue_id, found in ends.items() if set(found) == {str(SENDER)}}
        mail = set(ends) - letters
        assert self.life.acknowledged <= mail
        assert len(mail) <= 1, "one message came in"
        assert all(ends[queue_id] == {to: [self.story.end] for to in self.story.to} for queue_id in mail)
        assert len(letters) == len(mail) * self.story.letters
        assert all(ends[queue_id] == {str(SENDER): [State.DELIVERED]} for queue_id in letters)
        assert list((self.spool / "shard-000" / "bodies").iterdir()) == []
        self._check_copies(len(mail))

    def _check_copies(self, mail: int) -> None:
        wanted = dict.fromkeys(HOSTS, 0) | {INSIDE: self.story.letters * mail}
        if self.story.end is State.DELIVERED:
            wanted[self.story.taker] = mail
        more = {host: len(self.copies[host]) - wanted[host] for host in HOSTS}
        assert min(more.values()) >= 0, f"lost: {more}"
        assert sum(more.values()) <= self.life.in_flight(self.at), f"sent twice without need: {more}"
        if self.story.end is State.DELIVERED:
            body = message(self.story.size).partition(b"\r\n\r\n")[2]
            assert all(content.endswith(body.removesuffix(b"\r\n")) for content in self.copies[self.story.taker])

    def _ends(self) -> dict[str, dict[str, list[State | None]]]:
        """By queue id and address the ends of everything that the audit knows of."""
        ends: dict[str, dict[str, list[State | None]]] = {}
        for _, event in ShardReader(self.spool).events():
            found = ends.setdefault(event.queue_id, {})
            if event.kind is EventKind.ENDED:
                found.setdefault(event.address, []).append(event.state)
        return ends
