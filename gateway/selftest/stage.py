"""One stage of a self-test: a world, the gateway in it, everything that was sent, and the lines that follow.

Each stage has a folder, ports and databases of its own, so that several run at the same time.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from gateway.config.bundle import Bundle
from gateway.config.load import Loaded
from gateway.core.record import EventKind, State
from gateway.core.tls import Protection
from gateway.flow.ports import QueueFilter
from gateway.sandbox.behaviour import Behaviour
from gateway.selftest.connectors import GOOD, connectors
from gateway.selftest.engine import LONGEST, Engine, engine
from gateway.selftest.fault import Trap
from gateway.selftest.mail import Sent, send_all
from gateway.selftest.outside import Outside
from gateway.selftest.proof import Proof, prove
from gateway.selftest.result import Became

_EVENTS = 1000
_GIVEN_BACK = (State.REPORTED, State.UNREPORTABLE)


def _nothing(engine: Engine) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What is set up. ``sever`` cuts something of the gateway off before the first message.

    What has not come to its end ``within`` that time counts as waiting.
    """

    traps: Sequence[Trap]
    smarthosts: Behaviour = GOOD
    sever: Callable[[Engine], None] = _nothing
    within: timedelta = LONGEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What was sent, what is proven of it, and what became of each by its marker."""

    sent: tuple[Sent, ...]
    proof: Proof
    became: dict[str, Became]
    unprotected: int

    def to(self, trap: Trap) -> tuple[Sent, ...]:
        """What demanded protection and was for that domain."""
        return tuple(each for each in self.sent if each.trap == trap and each.floor > Protection.NONE)

    def counts(self, sent: Iterable[Sent]) -> Counter[Became]:
        """How many became what."""
        return Counter(self.became[each.marker] for each in sent)


async def play(stage: Stage, loaded: Loaded, bundle: Bundle, folder: Path) -> Played:
    """Plays it to its end. Raises what `engine` raises, and PortTaken."""
    async with Outside(folder / "certs", stage.traps, connectors(loaded.settings, stage.smarthosts)) as outside:
        async with engine(outside, loaded, bundle, folder) as running:
            stage.sever(running)
            sent = await _sent(running, stage.traps)
            await running.idle(stage.within)
            became = {each.marker: await _became(running, each) for each in sent}
            unprotected = running.unprotected
        # Only when the gateway has ended is every byte of it on the tapes.
        return Played(sent=sent, proof=prove(outside, sent), became=became, unprotected=unprotected)


async def _sent(running: Engine, traps: Sequence[Trap]) -> tuple[Sent, ...]:
    """To all domains at once, one after another to each."""
    async with asyncio.TaskGroup() as tasks:
        each = [tasks.create_task(_sent_to(running, trap)) for trap in traps]
    return tuple(sent for task in each for sent in task.result())


async def _sent_to(running: Engine, trap: Trap) -> list[Sent]:
    return [sent async for sent in send_all(running, trap, controls=trap.control)]


async def _became(running: Engine, sent: Sent) -> Became:
    if sent.queue_id is None:
        return Became.REFUSED if sent.refused else Became.NOT_TAKEN
    # Row 0 is the recipient; further ones are copies that the policy wishes for.
    events = [event for _, event in await running.spool.events(sent.queue_id, 0, _EVENTS) if event.recipient == 0]
    ended = next((event.state for event in events if event.kind is EventKind.ENDED), None)
    if ended is None:
        waiting = await running.spool.query(QueueFilter(queue_id=sent.queue_id), None, 1)
        return Became.WAITING if waiting else Became.LOST
    if ended in _GIVEN_BACK:
        return Became.REPORTED
    moved = any(event.kind is EventKind.MOVED for event in events)
    return Became.NEXT_ROUTE if moved else Became.DELIVERED
