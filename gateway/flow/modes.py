"""Roll-out modes that an operator orders while the gateway runs: in the memory that all workers share, until they end.

An order can only lead back to enforcing by itself: it has an end, one that names what the policy no longer has is left
out, and a memory that cannot be read leaves what was known, to its end.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from gateway.core.domains import Group, parse_party
from gateway.core.modes import Mode, Rollout
from gateway.core.policy import Policy
from gateway.flow.policies import PolicyBook
from gateway.flow.ports import Clock, Events, SpoolError, StateStore

KEY: Final = "modes"
LOG: Final = "modes/log/"
MOST: Final = 50
"""Orders that can be in force at the same time."""
LONGEST: Final = timedelta(days=366)
LOG_KEPT: Final = timedelta(days=400)
EVERY: Final = timedelta(seconds=2)
"""Between looks, so that an order takes effect in every worker within five seconds."""

_GROUP: Final = "group:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What somebody ordered: a `Rollout` whose senders stand as they were named, by whom, and when."""

    mode: Mode
    until: AwareDatetime
    rule: str = ""
    sender: str = ""
    baseline: str = ""
    reason: str
    reference: str
    operator: str
    at: AwareDatetime

    def __str__(self) -> str:
        return in_words(self.mode, self.rule, self.sender, self.until)


def in_words(mode: Mode, rule: str, senders: str, until: datetime) -> str:
    """What holds for whom, and until when."""
    scope = [f"rule {rule}"] if rule else []
    scope += [f"senders {senders}"] if senders else []
    return f"{mode} for {' and '.join(scope) or 'everything'} until {until:%Y-%m-%d %H:%M %Z}"


_ORDERS: Final = TypeAdapter(tuple[Order, ...])
_ORDER: Final = TypeAdapter(Order)


def read_orders(stored: bytes | None) -> tuple[Order, ...]:
    """What is kept under `KEY`. Raises ValueError for bytes that are no orders."""
    return () if stored is None else _ORDERS.validate_json(stored)


def read_log(values: Mapping[str, bytes]) -> tuple[Order, ...]:
    """What is kept under `LOG`, oldest first; what cannot be read is left out."""
    found: list[Order] = []
    for _, value in sorted(values.items()):
        try:
            found.append(_ORDER.validate_json(value))
        except ValidationError:
            continue
    return tuple(found)


def resolve(order: Order, policy: Policy) -> Rollout:
    """The order under that policy. Raises ValueError, in a sentence, for one that it cannot be carried out under."""
    if order.rule and order.rule not in {rule.name for rule in policy.rules}:
        raise ValueError(f"the policy has no rule `{order.rule}`")
    if order.mode is Mode.OBSERVE and order.baseline not in policy.routes:
        raise ValueError(f"what is observed leaves by a baseline route, and `{order.baseline}` is no route")
    if order.mode is not Mode.OBSERVE and order.baseline:
        raise ValueError("only what is observed leaves by a baseline route")
    return Rollout(
        mode=order.mode,
        until=order.until,
        rule=order.rule,
        senders=_senders(order.sender, policy) if order.sender else None,
        baseline=order.baseline,
        reason=order.reason,
        reference=order.reference,
    )


def _senders(text: str, policy: Policy) -> Group:
    if not text.startswith(_GROUP):
        return parse_party(text)
    if text.removeprefix(_GROUP) not in policy.groups:
        raise ValueError(f"the policy has no group `{text.removeprefix(_GROUP)}`")
    return policy.groups[text.removeprefix(_GROUP)]


async def give(order: Order, state: StateStore, policy: Policy) -> None:
    """Puts the order in force in place of one of the same scope, and keeps it for the record.

    Raises:
        ValueError: it cannot be carried out, lasts too long, or there are too many; nothing changed.
        SpoolError: it could not be kept.
    """
    if not order.at < order.until <= order.at + LONGEST:
        raise ValueError("a mode ends in the future, and within a year")
    resolve(order, policy)
    scope = order.rule, order.sender
    others = [each for each in await _orders(state) if each.until > order.at and (each.rule, each.sender) != scope]
    if len(others) >= MOST:
        raise ValueError(f"there are {MOST} modes in force already; enforce some of them first")
    orders = (*others, order)
    await state.put(f"{LOG}{order.at.isoformat()}", _ORDER.dump_json(order), order.at + LOG_KEPT)
    await state.put(KEY, _ORDERS.dump_json(orders), max(each.until for each in orders))


async def _orders(state: StateStore) -> tuple[Order, ...]:
    """What is in force; bytes that are no orders are replaced, because nobody obeys them."""
    try:
        return read_orders(await state.get(KEY))
    except ValueError:
        return ()


@dataclass(frozen=True, slots=True)
class _Known:
    """An order and what it means under the policy in force."""

    order: Order
    rollout: Rollout


class Modes:
    """The orders in force as one worker knows them. ``gauge`` hears how many hold of each mode, the policy's too."""

    def __init__(
        self,
        state: StateStore,
        clock: Clock,
        book: PolicyBook,
        events: Events,
        gauge: Callable[[Mapping[Mode, int]], None],
    ) -> None:
        self._state = state
        self._clock = clock
        self._book = book
        self._events = events
        self._gauge = gauge
        self._known: tuple[_Known, ...] = ()
        self._told: frozenset[str] = frozenset()
        self._failing = False

    def current(self) -> tuple[Rollout, ...]:
        """What was ordered and has not ended. The policy's own modes are not among them."""
        now = self._clock.now()
        return tuple(known.rollout for known in self._known if now < known.rollout.until)

    async def run(self) -> None:
        """Looks again and again, until it is cancelled."""
        while True:
            await self.look()
            await self._clock.sleep_until(self._clock.now() + EVERY)

    async def look(self) -> None:
        """Reads what is ordered now, and tells of what began or ended."""
        try:
            orders = read_orders(await self._state.get(KEY))
        except (SpoolError, ValueError) as error:
            if not self._failing:
                self._events.broken("modes", "", error)
            self._failing = True
        else:
            self._failing = False
            self._known = tuple(self._resolved(orders))
        self._tell()

    def _resolved(self, orders: Sequence[Order]) -> list[_Known]:
        found: list[_Known] = []
        for order in orders:
            try:
                found.append(_Known(order, resolve(order, self._book.current)))
            except ValueError:
                continue  # The policy has changed since; what it no longer names is enforced.
        return found

    def _tell(self) -> None:
        now = self._clock.now()
        active = [(rollout.mode, _of_policy(rollout)) for rollout in self._book.current.rollouts if now < rollout.until]
        active += [(known.order.mode, str(known.order)) for known in self._known if now < known.order.until]
        self._gauge({mode: [each for each, _ in active].count(mode) for mode in Mode})
        texts = frozenset(text for _, text in active)
        for text in sorted(texts - self._told):
            self._events.alert("mode-active", "", text)
        for text in sorted(self._told - texts):
            self._events.alert("mode-ended", "", text)
        self._told = texts


def _of_policy(rollout: Rollout) -> str:
    senders = rollout.senders.label if rollout.senders else ""
    return f"{in_words(rollout.mode, rollout.rule, senders, rollout.until)}, by the policy"
