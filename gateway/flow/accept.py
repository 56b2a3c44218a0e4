"""Accept: from the first byte of a message to the commit after which the gateway is responsible for it.

Scan, proofs, facts, one decision per recipient, loops, plan, commit, 250: in this order, once, for every listener. The
commit itself is `Taking`'s; who may relay at all, and the syntax of what a client says, are the listener's.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from gateway.core.address import Address, NullPath, ReversePath
from gateway.core.arrival import Arrival, read_arrival
from gateway.core.classify import gather
from gateway.core.content import Content
from gateway.core.decision import Decision, Open, Refused, Routed
from gateway.core.envelope import Envelope
from gateway.core.facts import Facts, Scan
from gateway.core.hop import is_loop
from gateway.core.override import read_marks
from gateway.core.policy import Policy
from gateway.core.record import BodyRef, Entry, Message, Origin
from gateway.core.refusal import postponement, softly_refused
from gateway.core.reply import Reply, reply
from gateway.core.scan import Scanner
from gateway.flow.custody import Custody, Fate, Left, Taken, TurnedAway
from gateway.flow.hashing import hashing
from gateway.flow.leaving import Leaving
from gateway.flow.options import Refusals
from gateway.flow.overrides import Attempt, Overrides
from gateway.flow.ports import BodyWriter, Spool, SpoolFull
from gateway.flow.profile import HeaderProof, Profile
from gateway.flow.receiving import ALONE, FOREIGN, Receiving, is_receipt, may_send, recipient_refused
from gateway.flow.returned import Returning
from gateway.flow.rulings import Rulings, rule
from gateway.flow.shared import Shared
from gateway.flow.taking import NO_BODY, Taking
from gateway.flow.taking_over import TakingOver

__all__ = ["Accept", "HeaderProof", "Profile", "Submission"]

NO_ROOM: Final = reply(452, "4.3.1", "no room for the message now, try again later")
NOT_PROVEN: Final = reply(550, "5.7.1", "the message lacks the proof of the sending system that this listener asks for")
NOT_OURS: Final = reply(550, "5.7.1", "mail with a null reverse-path needs a From of a domain that we send for")
LOOP: Final = reply(554, "5.4.6", "the message goes round in a loop")


class Accept:
    """The door of one spool. ``on_commit`` hears of each commit (`Dispatch.committed`)."""

    def __init__(self, spool: Spool, shared: Shared, on_commit: Callable[[Sequence[Entry]], None]) -> None:
        self._spool = spool
        self._shared = shared
        self._on_commit = on_commit

    def sender_allowed(self, reverse_path: ReversePath) -> bool:
        """Whether mail from that path may come at all; a receipt may be anybody's, as its recipient will show."""
        policy = self._shared.book.current
        return may_send(policy, reverse_path) or bool(policy.receipts)

    def recipient_refused(self, reverse_path: ReversePath, others: Iterable[Address], address: Address) -> Reply | None:
        """Why mail from that path, to those ``others`` so far, may not go to that address too; None if it may."""
        return recipient_refused(self._shared, reverse_path, others, address)

    def begin(self, envelope: Envelope, profile: Profile) -> "Submission":
        """Starts a message under the policy now in force. Raises SpoolFull."""
        return Submission(envelope, profile, self._spool, self._shared, self._on_commit)


class Submission:
    """One message on its way in; made by `Accept.begin`. After `finish` or `discard` it is over."""

    def __init__(
        self,
        envelope: Envelope,
        profile: Profile,
        spool: Spool,
        shared: Shared,
        on_commit: Callable[[Sequence[Entry]], None],
    ) -> None:
        self._envelope = envelope
        self._profile = profile
        self._spool = spool
        self._shared = shared
        self._edition = shared.book.edition
        self._taking = Taking(spool=spool, shared=shared, edition=self._edition, envelope=envelope, on_commit=on_commit)
        self._scanner = Scanner(text_bytes=self._edition.policy.text_bytes)
        self._returns = any(carrier.route.returns for carrier in shared.carriers.table.values())
        # Unless something works once, nobody asks whether a message came before, and a digest is not free.
        again = self._edition.policy.overridable or self._returns or profile.custody is Custody.TAKEOVER
        self._content = Content() if again else None
        self._hashing = hashing(shared.signer, self._edition.policy.organisation.domains)
        self._body: BodyWriter = spool.bodies.writer()

    def write(self, block: bytes) -> None:
        """Takes a block of at most 256 KiB, unstuffed, CRLF lines. Raises TooComplex, SpoolFull, SpoolError."""
        self._scanner.feed(block)
        if self._content is not None:
            self._content.feed(block)
        if self._hashing is not None:
            self._hashing.feed(block)
        self._body.write(block)

    def discard(self) -> None:
        """Forgets the message; harmless at any time before it is acknowledged."""
        self._body.discard()

    async def finish(self) -> Reply:
        """The answer to the client of a listener that carries all of it; 250 only after the message is durable.

        Raises: as `decide`.
        """
        fate = await self.decide()
        assert isinstance(fate, Taken | TurnedAway)
        return fate.reply

    async def decide(self) -> Fate:
        """What becomes of it; *taken* only after the message is durable.

        Raises:
            TooComplex: the message is past a limit of the scan (554 5.6.0 with its text).
            Exception: anything else is our fault (451 4.3.0), and nothing was kept.
        """
        try:
            return await self._finish(self._scanner.close())
        except SpoolFull:
            self.discard()
            return TurnedAway(NO_ROOM)
        except Exception:
            # Not for a cancellation: a commit that was under way may have happened, and then needs its body.
            self.discard()
            raise

    async def _finish(self, scan: Scan) -> Fate:
        policy, envelope, shared = self._edition.policy, self._envelope, self._shared
        arrival = read_arrival(scan, self._profile.names(), shared.system.hop_key)
        if not self._profile.proven(scan):
            return self._turn_away(NOT_PROVEN)
        facts = gather(scan, envelope, policy, shared.clock.now(), shared.system.hop_key)
        takes = self._profile.custody.takes
        if takes and any(is_receipt(policy, recipient.address) for recipient in envelope.recipients):
            return await self._receive(scan, arrival, facts)
        if not may_send(policy, envelope.reverse_path):
            return self._turn_away(FOREIGN)
        if envelope.reverse_path is NullPath.NULL and not _from_us(facts, policy):
            return self._turn_away(NOT_OURS)
        rulings, told, origin = await self._decided(facts, scan, arrival)
        if arrival.judged is not None:
            told = "; ".join(filter(None, (told, str(arrival.judged))))
        if takes and is_loop(arrival.hop, _chosen(rulings.decisions), arrival.received):
            return self._turn_away(LOOP)
        if self._profile.custody is Custody.RELAY or origin is not None:
            return await self._carry(scan, arrival, rulings, told, origin)
        unkept = replace(NO_BODY, size=scan.message_bytes)
        fate = await self._without_us(self._message(scan, arrival, rulings.facts, unkept), rulings, told)
        return fate or await self._carry(scan, arrival, rulings, told, None)

    async def _carry(self, scan: Scan, arrival: Arrival, rulings: Rulings, told: str, origin: Origin | None) -> Fate:
        """It is ours to carry, or to give back."""
        decided = self._taking.decided(rulings)
        refused = [(recipient, decision) for recipient, decision in decided if isinstance(decision, Refused)]
        if refused and self._in_session(len(refused)):
            self.discard()
            answer = await self._taking.refuse(self._message(scan, arrival, rulings.facts, NO_BODY), rulings, refused)
            return TurnedAway(self._told_refused(answer))
        softened = [
            (recipient, decision)
            for recipient, decision in decided
            if isinstance(decision, Open) and softly_refused(decision)
        ]
        if softened and self._in_session(len(softened)):
            return self._turn_away(postponement(softened, self._edition.policy.organisation.contact))
        if self._profile.custody is Custody.TAKEOVER and self._content is not None:
            content = self._content.digest(rulings.facts.sender)
            taking_over = TakingOver(taking=self._taking, shared=self._shared, body=self._body, content=content)
            message = replace(self._message(scan, arrival, rulings.facts, NO_BODY), origin=origin)
            return self._told(await taking_over.take(message, rulings, told))
        message = self._message(scan, arrival, rulings.facts, await self._body.finish())
        return Taken(await self._taking.keep(replace(message, origin=origin), rulings, told))

    async def _without_us(self, message: Message, rulings: Rulings, told: str) -> Fate | None:
        """What becomes of it if the MTA carries it; None if we have to."""
        profile = self._profile
        leaving = Leaving(
            taking=self._taking, shared=self._shared, policy=self._edition.policy, custody=profile.custody
        )
        there = f"judged in mode {profile.custody.value} for an MTA that calls it {profile.known_as or 'nothing yet'}"
        fate = await leaving.judge(message, rulings, "; ".join(filter(None, (told, there))))
        if fate is None:
            return None
        self.discard()
        return self._told(fate)

    async def _decided(self, facts: Facts, scan: Scan, arrival: Arrival) -> tuple[Rulings, str, Origin | None]:
        """The decisions, the audit's sentence, and the message that it was before, if a sealing host hands it back."""
        content = self._content
        if self._returns and content is not None and self._profile.custody.takes:
            returning = Returning(self._shared, self._envelope.recipients, lambda: content.digest(facts.sender))
            returned = await returning.judge(scan, arrival, facts)
            if returned is not None:
                return returned.rulings, returned.told, returned.origin
        return *await self._judged(facts, scan, arrival), None

    async def _judged(self, facts: Facts, scan: Scan, arrival: Arrival) -> tuple[Rulings, str]:
        """The decisions, and the audit's sentence if one-time tokens got the message past some rule."""
        policy, shared = self._edition.policy, self._shared
        addresses = [recipient.address for recipient in self._envelope.recipients]

        def judge(facts: Facts, addresses: Sequence[Address]) -> Awaitable[Rulings]:
            return rule(facts, addresses, policy, shared.lookups, shared.queue.door_wait, rollouts=shared.rollouts())

        judged, marks = await judge(facts, addresses), read_marks(scan, policy)
        if not marks or not policy.overridable or self._content is None:
            return judged, ""
        content = self._content.digest(facts.sender) if arrival.message_id.strip() else b""
        attempt = Attempt(addresses=addresses, content=content, policy=policy, judge=judge)
        return await Overrides(shared).overrule(judged, marks, attempt)

    async def _receive(self, scan: Scan, arrival: Arrival, facts: Facts) -> Fate:
        """A receipt goes to the one for whom it was asked; no rule decides about it."""
        receiving = Receiving(self._spool, self._shared)
        if len(self._envelope.recipients) > 1:
            return self._turn_away(ALONE)
        if is_loop(arrival.hop, frozenset({receiving.route}), arrival.received):
            return self._turn_away(LOOP)
        message = self._message(scan, arrival, facts, await self._body.finish())
        entry = await receiving.entry(message, automatic=facts.automatic)
        if isinstance(entry, Reply):
            return self._turn_away(entry)
        return Taken(await self._taking.pass_on(entry))

    def _in_session(self, refused: int) -> bool:
        """A null path has nobody to report to; else it is the listener's way, and only if nobody gets the message."""
        if self._envelope.reverse_path is NullPath.NULL:
            return True
        return self._profile.refusals is Refusals.SESSION and refused == len(self._envelope.recipients)

    def _turn_away(self, answer: Reply) -> Fate:
        self.discard()
        if self._profile.custody is Custody.TAG:
            return Left()
        return TurnedAway(self._told_refused(answer))

    def _told(self, fate: Fate) -> Fate:
        if isinstance(fate, TurnedAway):
            self._told_refused(fate.reply)
        return fate

    def _told_refused(self, answer: Reply) -> Reply:
        client = self._envelope.client
        self._shared.events.refused(self._profile.listener, client.address, answer.lines[0], answer.code)
        return answer

    def _message(self, scan: Scan, arrival: Arrival, facts: Facts, body: BodyRef) -> Message:
        body_hash = self._hashing.digest() if self._hashing is not None else ""
        return self._taking.message(scan, arrival, facts, body, body_hash)


def _from_us(facts: Facts, policy: Policy) -> bool:
    """Whether every address of the header From lies in a domain of ours, and there is one."""
    domains = [address.rpartition("@")[2].casefold() for address in facts.header_from]
    return bool(domains) and all(policy.owns(domain) for domain in domains)


def _chosen(decisions: tuple[Decision, ...]) -> frozenset[str]:
    return frozenset(decision.chain[0] for decision in decisions if isinstance(decision, Routed))
