"""Taking a message over from the MTA that brought it: made durable once, also if its client hands it over again."""

from dataclasses import dataclass, replace
from typing import Final, assert_never

from gateway.core.record import Message
from gateway.core.reply import reply
from gateway.flow.custody import Fate, Taken, TurnedAway
from gateway.flow.ports import BodyWriter
from gateway.flow.repeats import First, Known, Repeats, Undecided, identity
from gateway.flow.rulings import Rulings
from gateway.flow.shared import Shared
from gateway.flow.taking import Taking

UNDECIDED: Final = reply(451, "4.3.0", "the same message is being taken already, try again later")


@dataclass(frozen=True, slots=True, kw_only=True)
class TakingOver:
    """For one message, whose bytes are in ``body``; ``content`` is the digest of what it says."""

    taking: Taking
    shared: Shared
    body: BodyWriter
    content: bytes

    async def take(self, message: Message, rulings: Rulings, told: str) -> Fate:
        """Its fate; the message comes without its body. Raises SpoolError, and then nothing was kept."""
        shared = self.shared
        repeats = Repeats(state=shared.state, audit=shared.audit, clock=shared.clock, events=shared.events)
        key = identity(message.envelope, message.message_id, self.content)
        found = await repeats.claim(key, message)
        match found:
            case First():
                try:
                    return await self._keep(message, rulings, told)
                except Exception:
                    await repeats.forget(found)
                    raise
            case Known(queue_id):
                self.body.discard()
                return Taken(await self.taking.suppress(message, queue_id))
            case Undecided():
                self.body.discard()
                return TurnedAway(UNDECIDED)
            case _:
                assert_never(found)

    async def _keep(self, message: Message, rulings: Rulings, told: str) -> Fate:
        whole = replace(message, body=await self.body.finish())
        return Taken(await self.taking.keep(whole, rulings, told))
