"""Receipts as they come (mission R6): mail to the policy's domain for receipts, from a client that is admitted.

No rule decides about it, and it may come from anybody: it goes to the one for whom the receipt was asked, by the way of
our own notices, and the audit of the message that it is about says so. An address that we did not make, or that is
forgotten by now, is unknown. Nobody hears of a receipt that cannot be delivered, so its reverse-path becomes null.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from gateway.core.address import Address, NullPath, ReversePath, parse_address
from gateway.core.chronicle import entry_events
from gateway.core.decision import Routed
from gateway.core.envelope import Envelope, Notify, Recipient
from gateway.core.policy import Policy
from gateway.core.receipt import MOST_READ, Disposition, Ticket, read_disposition, read_ticket
from gateway.core.record import Entry, Event, EventKind, Kind, Message
from gateway.core.reply import Reply, reply
from gateway.core.tls import Protection
from gateway.flow.content import read_beginning
from gateway.flow.ports import Spool
from gateway.flow.receipts import ASKED, CONFIRMED, VALID_FOR, Asked, name_of, read_asked
from gateway.flow.shared import Shared

MOST_ANSWERS: Final = 10
"""Messages that one recipient's address takes: a receipt and a few replies, and no way to fill the audit."""

UNKNOWN: Final = reply(550, "5.1.1", "no receipt is waited for at this address")
ENOUGH: Final = reply(550, "5.7.1", "this address has taken as many receipts as it takes")
ALONE: Final = reply(452, "4.5.3", "a receipt has one recipient, send the rest in another transaction")
FOREIGN: Final = reply(550, "5.7.1", "mail of this sender's domain is not relayed here")

_ANSWER: Final = "receipt/answer/"


def is_receipt(policy: Policy, address: Address) -> bool:
    """Whether mail to that address is a receipt."""
    return bool(policy.receipts) and address.domain == policy.receipts


def may_send(policy: Policy, reverse_path: ReversePath) -> bool:
    """Whether mail from that path may leave; the null path's header From is looked at later."""
    return reverse_path is NullPath.NULL or policy.owns(reverse_path.domain)


def recipient_refused(
    shared: Shared, reverse_path: ReversePath, others: Iterable[Address], address: Address
) -> Reply | None:
    """Why mail from that path, to those ``others`` so far, may not go to that address too; None if it may."""
    policy = shared.book.current
    receipt = is_receipt(policy, address)
    if receipt and read_ticket(address, shared.system.hop_key) is None:
        return UNKNOWN
    # A receipt is alone from the first on, so the first tells of all; a thousand are not looked at for each of them.
    first = next(iter(others), address)
    if first != address and (receipt or is_receipt(policy, first)):
        return ALONE
    return None if receipt or may_send(policy, reverse_path) else FOREIGN


class Receiving:
    """Takes receipts into one spool."""

    def __init__(self, spool: Spool, shared: Shared) -> None:
        self._spool = spool
        self._shared = shared

    @property
    def route(self) -> str:
        """The way of all receipts."""
        return self._shared.system.routes[Kind.NOTICE]

    async def entry(self, message: Message, *, automatic: bool) -> Entry | Reply:
        """The receipt on its way to whom it is for, ready to commit, or why it is not taken. Raises SpoolError."""
        ticket = read_ticket(message.envelope.recipients[0].address, self._shared.system.hop_key)
        asked = await self._asked(ticket) if ticket is not None else None
        if ticket is None or asked is None:
            return UNKNOWN
        if not await self._takes(ticket, message):
            return ENOUGH
        content = await read_beginning(self._spool.bodies, message, MOST_READ)
        disposition = read_disposition(content, automatic=automatic)
        if disposition.confirms:
            # For longer than any reminder of it waits.
            await self._shared.state.put(CONFIRMED + name_of(ticket), b"", message.accepted_at + 2 * VALID_FOR)
        return self._passed_on(message, ticket, asked, disposition)

    async def _asked(self, ticket: Ticket) -> Asked | None:
        return read_asked(await self._shared.state.get(ASKED + name_of(ticket)))

    async def _takes(self, ticket: Ticket, message: Message) -> bool:
        """Whether there is a place left; the same message again, after a 451, has one already."""
        mark = message.message_id.strip() or self._shared.ids.new()
        own = hashlib.sha256(mark.encode("utf-8", "replace")).digest()
        until = message.accepted_at + VALID_FOR
        for place in range(MOST_ANSWERS):
            key = f"{_ANSWER}{name_of(ticket)}/{place}"
            if await self._shared.state.put_if_absent(key, own, until) == own:
                return True
        return False

    def _passed_on(self, message: Message, ticket: Ticket, asked: Asked, disposition: Disposition) -> Entry:
        recipient = Recipient(address=parse_address(asked.sender), notify=frozenset({Notify.NEVER}))
        # Without facts: no rule looked at it, and no policy is to be tried on it later.
        passed = replace(message, envelope=_envelope(message.envelope, recipient), facts=None)
        about = f"a receipt from {asked.recipient} about {ticket.queue_id}"
        row = self._shared.planner.start(0, recipient, _decision(self.route, about), message.accepted_at)
        told = Event(
            kind=EventKind.RECEIPT,
            at=message.accepted_at,
            queue_id=ticket.queue_id,
            recipient=ticket.number,
            address=asked.recipient,
            text=f"{disposition.value}; passed on as {message.queue_id}",
        )
        return Entry(message=passed, rows=(row,), events=(*entry_events(passed, (row,), about), told))


def _envelope(came: Envelope, recipient: Recipient) -> Envelope:
    return replace(
        came,
        reverse_path=NullPath.NULL,
        recipients=(recipient,),
        ret=None,
        envid=None,
        smtputf8=came.smtputf8 or not recipient.address.is_ascii,
    )


def _decision(route: str, about: str) -> Routed:
    """A receipt is mail from outside to inside, so it has no floor of ours."""
    return Routed(
        rule="[system] receipt",
        chain=(route,),
        floor=Protection.NONE,
        original_floor=Protection.NONE,
        reason=about,
        advice="",
    )
