"""What the gateway remembers of the mail that it accepted: whom somebody here wrote to, and what was refused lately.

Only keyed hashes and days are kept, in the memory that all workers share (mission R15, R16). It is written behind the
mail's back: nothing waits for it, and what cannot be written is forgotten, which makes a known recipient look new and
never a new one known.
"""

import asyncio
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from gateway.core.address import Address
from gateway.core.conditions.history import refusal_id
from gateway.core.decision import Refused
from gateway.core.facts import Answer, Facts, OutsideFact
from gateway.core.record import Kind, Message, RecipientRow, State
from gateway.flow.labels_seen import LabelsSeen
from gateway.flow.ports import Clock, Events, StateStore

CONTACT_KEPT: Final = timedelta(days=400)
REFUSAL_KEPT: Final = timedelta(hours=24)
YOUNG: Final = timedelta(days=30)
"""Before it has seen a month of mail, the history takes everybody for known."""
MOST_WAITING: Final = 10_000
"""Recipients and refusals that wait to be written; more are forgotten."""
PAUSE: Final = timedelta(minutes=1)
"""After the memory could not be written."""

_ON_ITS_WAY: Final = frozenset({State.QUEUED, State.DELIVERED, State.SEALED, State.LEFT})
_FOR_EVER: Final = timedelta(days=36_500)


class History:
    """One configuration's; ``key`` makes the hashes, so with another key a new history begins."""

    def __init__(self, state: StateStore, clock: Clock, key: bytes, events: Events) -> None:
        self._state = state
        self._clock = clock
        self._key = key
        self._events = events
        self._labels = LabelsSeen(state)
        self._contacts: dict[str, None] = {}
        self._refusals: dict[str, None] = {}
        self._waiting = asyncio.Event()
        self._begun_key = f"history/begun/{self._hash('')}"
        self._begun = False
        self._day = date.min
        self._today: set[str] = set()

    def accepted(self, message: Message, rows: Iterable[RecipientRow]) -> None:
        """Takes note of a message that was committed, or refused in the session. It never waits and never fails."""
        if message.facts is not None:
            self._labels.note(message.facts.classification.labels)
        self.settled(message, rows)

    def settled(self, message: Message, rows: Iterable[RecipientRow]) -> None:
        """Takes note of what became of recipients, late decisions and released ones among them; as above.

        One counts as written to once its mail is on its way, so not while it is held or open.
        """
        facts = message.facts
        if message.kind is not Kind.RELAY or facts is None:
            return
        self._turn(self._clock.now().date())
        for row in rows:
            if row.state in _ON_ITS_WAY:
                self._note_contact(row.address)
            elif isinstance(row.decision, Refused):
                self._note_refusal(facts, row.address)
        self._waiting.set()

    async def run(self) -> None:
        """Writes what waits, until it is cancelled."""
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            if not await self.write():
                await self._clock.sleep_until(self._clock.now() + PAUSE)

    async def write(self) -> bool:
        """Writes what waits now; False, and somebody hears of it, if that cannot be done."""
        try:
            await self._write(self._clock.now())
        except Exception as error:
            self._events.broken("history", "", error)
            return False
        return True

    async def known(self, keys: Sequence[str]) -> Mapping[str, OutsideFact]:
        """Whether somebody here wrote to each `Address.key` before. Raises SpoolError."""
        places = {key: self._contact_key(key) for key in keys}
        found = await self._state.get_many([self._begun_key, *places.values()])
        if not self._is_grown(found.get(self._begun_key)):
            young = Answer(True, f"the history is younger than {YOUNG.days} days, so everybody counts as known")
            return dict.fromkeys(keys, young)
        return {key: _contact(found.get(place)) for key, place in places.items()}

    async def refused(self, ids: Sequence[str]) -> Mapping[str, OutsideFact]:
        """Whether each `refusal_id` was remembered. Raises SpoolError."""
        found = await self._state.get_many([_refusal_key(each) for each in ids])
        return {each: _refusal(_refusal_key(each) in found) for each in ids}

    def _note_contact(self, address: Address) -> None:
        if address.key not in self._today and len(self._contacts) < MOST_WAITING:
            self._contacts[address.key] = None

    def _note_refusal(self, facts: Facts, address: Address) -> None:
        if facts.fingerprint and len(self._refusals) < MOST_WAITING:
            self._refusals[_refusal_key(refusal_id(facts.fingerprint, address, facts.classification.level))] = None

    async def _write(self, now: datetime) -> None:
        contacts, self._contacts = self._contacts, {}
        refusals, self._refusals = self._refusals, {}
        if contacts and not self._begun:
            await self._begin(now)
        if refusals:
            await self._state.put_many(dict.fromkeys(refusals, b"1"), now + REFUSAL_KEPT)
        if contacts:
            places = [self._contact_key(key) for key in contacts]
            await self._state.put_many(dict.fromkeys(places, now.date().isoformat().encode()), now + CONTACT_KEPT)
            self._today.update(contacts)
        await self._labels.write(now)

    async def _begin(self, now: datetime) -> None:
        """The history begins with its first contact, and anew where nobody can read any more when it did."""
        own = now.isoformat().encode()
        if _read(await self._state.put_if_absent(self._begun_key, own, now + _FOR_EVER), now) is None:
            await self._state.put(self._begun_key, own, now + _FOR_EVER)
        self._begun = True

    def _turn(self, day: date) -> None:
        """A recipient is written once a day, as far as that can be remembered."""
        if day != self._day or len(self._today) > MOST_WAITING:
            self._day, self._today = day, set()

    def _is_grown(self, begun: bytes | None) -> bool:
        now = self._clock.now()
        began = _read(begun, now) if begun is not None else None
        return began is not None and now - began >= YOUNG

    def _contact_key(self, key: str) -> str:
        return f"history/k/{self._hash(key)}"

    def _hash(self, text: str) -> str:
        digest = hmac.digest(self._key, b"history\0" + text.encode(), "sha256")
        return urlsafe_b64encode(digest[:18]).decode()


def _read(value: bytes, now: datetime) -> datetime | None:
    """A time that is not to come; None for anything else."""
    try:
        at = datetime.fromisoformat(value.decode())
    except ValueError:
        return None
    return at if at.tzinfo is not None and at <= now else None


def _contact(last: bytes | None) -> Answer:
    try:
        day = date.fromisoformat(last.decode()) if last is not None else None
    except ValueError:
        day = None
    if day is None:
        return Answer(False, f"nobody here wrote to this address in the last {CONTACT_KEPT.days} days")
    return Answer(True, f"somebody here wrote to this address before, last on {day}")


def _refusal_key(refusal: str) -> str:
    return f"refused/{refusal}"


def _refusal(remembered: bool) -> Answer:
    return Answer(remembered, f"it was {'' if remembered else 'not '}refused in the last 24 hours")
