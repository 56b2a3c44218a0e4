"""One stage for all tests of a module, so that a table of many rows starts one gateway and not one for each.

A module names it as its fixture and marks itself ``asyncio(loop_scope="module")``. Its rows tell their mail apart by a
`Token`.
"""

import contextlib
import re
import secrets
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from email.message import EmailMessage

import pytest

from gateway.core.outcome import Declined, Deferred, Delivered, Failed, Outcome, Sealed
from gateway.core.record import Event, EventKind, QueueId, State
from gateway.sandbox.zone import Trouble, Zone
from tests.e2e.stage import Setting, Stage, letter, stage


@contextlib.asynccontextmanager
async def module_stage(folders: pytest.TempPathFactory, name: str, setting: Setting) -> AsyncGenerator[Stage]:
    """A running stage in a folder of its own."""
    async with stage(folders.mktemp(name), setting) as built:
        yield built


@dataclass(frozen=True, slots=True)
class Token:
    """A word that one message has in its sender, recipient, subject and text, and that nothing else has."""

    word: str = field(default_factory=lambda: f"t{secrets.token_hex(8)}")

    @property
    def sender(self) -> str:
        return f"{self.word}@derbyshire.gov.uk"

    def at(self, domain: str) -> str:
        """A recipient."""
        return f"{self.word}@{domain}"

    def letter(self, domain: str, *, classification: str = "", intent: str = "", attach: tuple[int, ...] = ()) -> bytes:
        """A message as it travels."""
        message = letter(
            classification=classification, intent=intent, attach=attach, subject=self.word, to=self.at(domain)
        )
        return self.sign(message)

    def sign(self, message: EmailMessage) -> bytes:
        """The message with the token in its From and its text."""
        text = message.as_bytes(policy=message.policy.clone(linesep="\r\n"))
        text = re.sub(rb"(?m)^From: .*?\r$", f"From: {self.sender}\r".encode(), text, count=1)
        return text.replace(b"MARKER-OF-THE-TEXT", self.word.encode())


def add_names(on: Stage, **lines: tuple[str, ...]) -> None:
    """Adds names to the zone; an underscore stands for a dot, and the names end in ``.example``."""
    records = {f"{name.replace('_', '.')}.example": found for name, found in lines.items()}
    zone = on.world.dns.zone
    on.world.dns.zone = Zone(records={**zone.records, **records}, troubles=zone.troubles)


def trouble(on: Stage, name: str, kind: Trouble | None) -> None:
    """Puts a name of the zone into trouble, or out of it."""
    on.world.dns.zone = on.world.dns.zone.with_trouble(name, kind)


def told(outcome: Outcome | None) -> str:
    """An outcome in a few words, such as ``deferred 4.7.5 protection``."""
    match outcome:
        case Delivered():
            how = outcome.evidence
            return (
                f"delivered {'in the clear' if how.tls_version is None else 'verified' if how.verified else 'by TLS'}"
            )
        case Sealed():
            return outcome.sealing.grade
        case Deferred():
            return f"deferred {outcome.status} {outcome.cause.value}"
        case Declined():
            return f"declined {outcome.status} {outcome.proof.value}"
        case Failed():
            return f"failed {outcome.status}"
        case None:
            return "nothing"


async def attempted(on: Stage, queue_id: QueueId, count: int = 1) -> list[Event]:
    """Waits for so many attempts for a message; those that are there then."""
    await on.until(lambda: len(on.events(queue_id, EventKind.ATTEMPT)) >= count)
    return on.events(queue_id, EventKind.ATTEMPT)


def ends(on: Stage, queue_id: QueueId) -> list[tuple[State | None, str]]:
    """The ends of a message's recipients so far, with the route of each."""
    return [(event.state, event.route) for event in on.events(queue_id, EventKind.ENDED)]


def never_in_clear(on: Stage, *tokens: Token) -> None:
    """Nothing of these messages came to any host outside TLS, and the gateway agrees."""
    clear = on.clear_bytes()
    assert [token.word for token in tokens if token.word.encode() in clear] == []
    assert on.metric("sealpost_unprotected_total") == 0
