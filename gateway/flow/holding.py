"""Letters to the roles that held mail waits for, in the transaction that holds it: nothing waits that nobody knows of.

One for each role and message; recipients that are decided late have a letter of their own. Held for no role is the
operators' affair, who have a list of it.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from gateway.core.address import Address
from gateway.core.decision import Held
from gateway.core.hold_letter import Holding, build_hold_letter
from gateway.core.plan import HELD_BY_OPERATOR
from gateway.core.record import Entry, Kind, Message, Origin, RecipientRow, State
from gateway.core.release_link import Link
from gateway.flow.post import Letter, Post
from gateway.flow.shared import Shared

READABLE_FOR: Final = timedelta(days=7)
"""How long the link is good after the hold ends, for those who come late and want to know what became of it."""


def held_for(row: RecipientRow, role: str) -> bool:
    """Whether it is, or was, that role's to decide; what an operator stopped is nobody else's."""
    return isinstance(row.decision, Held) and row.decision.role == role and row.next_hop != HELD_BY_OPERATOR


def newly_held(before: RecipientRow, after: RecipientRow) -> bool:
    """Whether a late decision holds it."""
    return after.state is State.HELD and before.state is not State.HELD


async def hold_letters(post: Post, shared: Shared, message: Message, rows: Sequence[RecipientRow]) -> tuple[Entry, ...]:
    """One entry for each role, ready to commit. Raises like `Post.letter`."""
    held: dict[str, list[RecipientRow]] = {}
    for row in rows:
        if row.state is State.HELD and isinstance(row.decision, Held) and row.decision.role:
            held.setdefault(row.decision.role, []).append(row)
    entries: list[Entry] = []
    for role, waiting in held.items():
        mailbox = shared.book.current.roles.get(role)
        if mailbox is None:
            shared.events.alert("hold-untold", message.queue_id, f"nobody was told: there is no role {role} any more")
        else:
            holding = Holding(
                role=role,
                mailbox=str(mailbox),
                message=message,
                rows=waiting,
                link=_link(shared, message, role, waiting),
            )
            entries.append(await _entry(post, shared, holding, mailbox))
    return tuple(entries)


def _link(shared: Shared, message: Message, role: str, rows: Sequence[RecipientRow]) -> str:
    if not shared.system.desk_url:
        return ""
    until = max(row.deadline for row in rows) + READABLE_FOR
    return shared.system.desk_url + Link(message.queue_id, role, until).path(shared.system.hop_key)


async def _entry(post: Post, shared: Shared, holding: Holding, mailbox: Address) -> Entry:
    stamp, about = post.stamp(), holding.message.queue_id
    return await post.letter(
        Letter(
            kind=Kind.NOTICE,
            to=mailbox,
            text=build_hold_letter(holding, shared.identity, stamp),
            stamp=stamp,
            reason=f"a letter to {holding.role} about {about}",
            origin=Origin(about, -1, Kind.NOTICE),
        )
    )
