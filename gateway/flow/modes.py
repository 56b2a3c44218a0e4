"""Roll-out modes that an operator orders while the gateway runs: in the memory that all workers share, until they end.

An order can only lead back to enforcing by itself: it has an end, one that names what the policy no longer has is left
out, and a memory that cannot be read leaves what was known, to its end. One that enforces is kept until all that it
overrules is over, so that its own end brings nothing back.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from gateway.core.domains import Group, parse_domains, parse_party
from gateway.core.modes import Mode, Rollout, overrules, stands
from gateway.core.nearest import did_you_mean
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
_ORGANISATION: Final = "organisation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What somebody ordered: a `Rollout` whose senders stand as they were named, by whom, and when.

    When one that enforces ends is for `give` to say.
    """

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


def in_words(mode: Mode, rule: str, senders: str, until: datetime | None) -> str:
    """What holds for whom, and until when."""
    scope = [f"rule {rule}"] if rule else []
    scope += [f"senders {senders}"] if senders else []
    end = f" until {until:%Y-%m-%d %H:%M %Z}" if until is not None else ""
    return f"{mode} for {' and '.join(scope) or 'everything'}{end}"


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
    rules = {rule.name for rule in policy.rules}
    if order.rule and order.rule not in rules:
        raise ValueError(f"the policy has no rule `{order.rule}`{did_you_mean(order.rule, rules)}")
    if order.mode is Mode.OBSERVE and order.baseline not in policy.routes:
        near = did_you_mean(order.baseline, policy.routes)
        raise ValueError(f"what is observed leaves by a baseline route, and `{order.baseline}` is no route{near}")
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
    if text == _ORGANISATION:
        return Group(f"the {_ORGANISATION}", domains=parse_domains(policy.organisation.domains))
    if not text.startswith(_GROUP):
        return parse_party(text)
    name = text.removeprefix(_GROUP)
    if name not in policy.groups:
        raise ValueError(f"the policy has no group `{name}`{did_you_mean(name, policy.groups)}")
    return policy.groups[name]


async def give(order: Order, state: StateStore, policy: Policy) -> None:
    """Puts the order in force in place of one of the same scope, and keeps it for the record.

    It reads what is ordered and writes it anew, so the supervisor lets only one order be given at a time.

    Raises:
        ValueError: it cannot be carried out, lasts too long, ends nothing, or there are too many; nothing changed.
        SpoolError: it could not be kept.
    """
    known = [each for each in await _orders(state) if each.until > order.at]
    if order.mode is Mode.ENFORCE:
        order = replace(order, until=_end(order, known, policy))
    elif not order.at < order.until <= order.at + LONGEST:
        raise ValueError("a mode ends in the future, and within a year")
    resolve(order, policy)
    others = [each for each in known if not _replaces(order, each)]
    if len(others) >= MOST:
        raise ValueError(f"there are {MOST} modes in force already; enforce some of them first")
    orders = (*others, order)
    await state.put(f"{LOG}{order.at.isoformat()}", _ORDER.dump_json(order), order.at + LOG_KEPT)
    await state.put(KEY, _ORDERS.dump_json(orders), max(each.until for each in orders))


def _replaces(order: Order, earlier: Order) -> bool:
    """What enforces stays beneath a mode that is ordered after it: that one's end must not bring the policy's back."""
    same = (order.rule, order.sender) == (earlier.rule, earlier.sender)
    return same and (order.mode is Mode.ENFORCE or earlier.mode is not Mode.ENFORCE)


def _end(order: Order, known: Sequence[Order], policy: Policy) -> datetime:
    """When all is over that the order overrules. Raises ValueError where nothing of it stands."""
    wanted = resolve(order, policy)
    told = _all(policy, _resolved(known, policy))
    rollouts = [rollout for rollout, _ in told]
    standing = {number: text for number, (_, text) in enumerate(told) if _relaxes(rollouts, number, order.at)}
    if not any(overrules(wanted, rollouts[number]) for number in standing):
        held = f"; in force: {'; '.join(standing.values())}" if standing else ""
        raise ValueError(f"there is nothing to end: {in_words(order.mode, order.rule, order.sender, None)} holds{held}")
    return max(each.until for each in rollouts if each.mode is not Mode.ENFORCE and overrules(wanted, each))


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


def _resolved(orders: Sequence[Order], policy: Policy) -> tuple[_Known, ...]:
    found: list[_Known] = []
    for order in orders:
        try:
            found.append(_Known(order, resolve(order, policy)))
        except ValueError:
            continue  # The policy has changed since; what it no longer names is enforced.
    return tuple(found)


def _all(policy: Policy, known: Sequence[_Known]) -> tuple[tuple[Rollout, str], ...]:
    """The policy's own and the orders, in the order in which they count, each with its words."""
    own = tuple((rollout, _of_policy(rollout)) for rollout in policy.rollouts)
    return own + tuple((each.rollout, str(each.order)) for each in known)


def _relaxes(rollouts: Sequence[Rollout], number: int, at: datetime) -> bool:
    """Whether that one stands and is another than to enforce, which is what holds without any."""
    return rollouts[number].mode is not Mode.ENFORCE and stands(rollouts, number, at)


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
            self._known = _resolved(orders, self._book.current)
        self._tell()

    def _tell(self) -> None:
        now = self._clock.now()
        told = _all(self._book.current, self._known)
        rollouts = [rollout for rollout, _ in told]
        active = [told[number] for number in range(len(told)) if _relaxes(rollouts, number, now)]
        modes = [rollout.mode for rollout, _ in active]
        self._gauge({mode: modes.count(mode) for mode in Mode if mode is not Mode.ENFORCE})
        texts = frozenset(text for _, text in active)
        for text in sorted(texts - self._told):
            self._events.alert("mode-active", "", text)
        for text in sorted(self._told - texts):
            self._events.alert("mode-ended", "", text)
        self._told = texts


def _of_policy(rollout: Rollout) -> str:
    senders = rollout.senders.label if rollout.senders else ""
    return f"{in_words(rollout.mode, rollout.rule, senders, rollout.until)}, by the policy"
