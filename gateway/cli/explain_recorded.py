"""A message that went through the gateway, explained: from the queue while it waits, else from the audit.

What the policy of today would decide stands beside what was decided, and what the last attempt of each recipient came
to stands with its evidence, behind what its earlier routes came to. The queue keeps all facts but the message's
defects; the audit keeps no names of files either.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gateway.cli.errors import Finding, Usage
from gateway.cli.reload import spool_of
from gateway.config.bundle import find_config, read_bundle
from gateway.config.load import load
from gateway.config.trial.compare import is_copy
from gateway.config.trial.explained import Explained, Recorded, by_passphrase, judge
from gateway.config.trial.what_if import answered
from gateway.core.address import BadAddress, NullPath, ReversePath, parse_address
from gateway.core.decision import Decision
from gateway.core.facts import Facts
from gateway.core.outcome import Outcome
from gateway.core.policy import Policy
from gateway.core.record import Event, EventKind, QueueId, State
from gateway.flow.ports import QueueFilter, QueueItem, SpoolError
from gateway.spool.ids import shard_of
from gateway.spool.reader import ShardReader

_DEFECTS: Final = "whether its header or its parts are malformed"
_NAMES: Final = "the names of attached files, and the words where a label could not be read"


def explain_recorded(queue_id: str, config: Path | None, policy_file: Path | None) -> Explained:
    """Explains it by the policy of today.

    Raises:
        Finding: there is no such message, or it is our own, which no rule decides.
        Usage: this is no queue id, or the spool cannot be read.
    """
    if shard_of(queue_id) is None:
        raise Usage(f"`{queue_id}` is not a queue id; `sealpost queue list` shows them")
    bundle = read_bundle(find_config(config), policy_file)
    loaded = load(bundle)
    policy = loaded.policy
    facts, sender, recorded = _find(ShardReader(spool_of(config)), QueueId(queue_id))
    lost = (*recorded.lost, *_never_looked_for(facts, policy))
    return Explained(
        message=queue_id,
        door=None,
        answered=answered(sender, facts),
        defects=(),
        facts=facts,
        policy=policy,
        policy_file=str(bundle.policy),
        judged=judge(facts, [parse_address(address) for address in recorded.decisions], policy),
        recorded=Recorded(
            queue_id=queue_id,
            where=recorded.where,
            policy_hash=recorded.policy_hash,
            decisions=recorded.decisions,
            lost=lost,
            outcomes=recorded.outcomes,
            earlier=recorded.earlier,
        ),
        portal=loaded.settings.portal,
        by_passphrase=by_passphrase(loaded.settings),
    )


def _never_looked_for(facts: Facts, policy: Policy) -> tuple[str, ...]:
    """What rules of today ask the message, and nobody asked it then."""
    return tuple(f"whether {each.label}" for each in policy.detectors if each.id not in facts.looked)


def _find(reader: ShardReader, queue_id: QueueId) -> tuple[Facts, ReversePath, Recorded]:
    try:
        items = tuple(reader.items(QueueFilter(queue_id=queue_id, states=frozenset(State))))
        events = tuple(event for _, event in reader.events(queue_id))
    except SpoolError as error:
        raise Usage(str(error)) from error
    return _in_queue(items, events) if items else _in_audit(queue_id, events)


def _in_queue(items: tuple[QueueItem, ...], events: tuple[Event, ...]) -> tuple[Facts, ReversePath, Recorded]:
    message = items[0].message
    if message.facts is None:
        raise _ours(message.queue_id)
    recorded = Recorded(
        queue_id=message.queue_id,
        where="the queue",
        policy_hash=message.policy_hash,
        decisions={str(item.row.address): item.row.decision for item in items if not is_copy(item.row.decision)},
        lost=(_DEFECTS,),
        outcomes={str(item.row.address): item.row.last for item in items if item.row.last is not None},
        earlier=_earlier(events),
    )
    return message.facts, message.envelope.reverse_path, recorded


def _in_audit(queue_id: QueueId, events: tuple[Event, ...]) -> tuple[Facts, ReversePath, Recorded]:
    accepted = next((event for event in events if event.kind is EventKind.ACCEPTED), None)
    if accepted is None:
        raise Finding(f"there is no message {queue_id} in the queue or the audit")
    if accepted.facts is None:
        raise _ours(queue_id)
    recorded = Recorded(
        queue_id=queue_id,
        where="the audit",
        policy_hash=accepted.policy_hash,
        decisions=_decisions(events),
        lost=(_DEFECTS, _NAMES),
        outcomes={event.address: event.outcome for event in events if event.outcome is not None},
        earlier=_earlier(events),
    )
    return accepted.facts, accepted.reverse_path or NullPath.NULL, recorded


def _earlier(events: tuple[Event, ...]) -> Mapping[str, tuple[tuple[str, Outcome], ...]]:
    """What each route of a chain came to at last, but for the one that was tried last."""
    found: dict[str, dict[str, Outcome]] = {}
    for event in events:
        if event.kind is EventKind.ATTEMPT and event.outcome is not None:
            found.setdefault(event.address, {})[event.route] = event.outcome
    return {address: tuple(routes.items())[:-1] for address, routes in found.items()}


def _decisions(events: tuple[Event, ...]) -> Mapping[str, Decision]:
    """The last one of each recipient whose address can be read."""
    found: dict[str, Decision] = {}
    for event in events:
        if event.decision is not None and not is_copy(event.decision) and _readable(event.address):
            found[event.address] = event.decision
    return found


def _readable(address: str) -> bool:
    try:
        parse_address(address)
    except BadAddress:
        return False
    return True


def _ours(queue_id: str) -> Finding:
    return Finding(f"{queue_id} is the gateway's own mail: [system] says where it goes, and no rule is asked")
