"""What both halves of the flow, accept and dispatch, share under one configuration."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.core.modes import Rollout
from gateway.core.plan import Planner
from gateway.core.report import Identity
from gateway.core.retry import Backoff
from gateway.flow.carriers import Carriers
from gateway.flow.history import History
from gateway.flow.options import PortalOptions, QueueOptions, SystemOptions
from gateway.flow.policies import PolicyBook
from gateway.flow.ports import Clock, Events, Ids, Jitter, Lookups, SealedStore, Signer, StateStore
from gateway.flow.repeats import Audit, no_audit
from gateway.flow.tally import Tally
from gateway.flow.unsigned import NoSigner


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The outside, the options, and the policy and routes in force, for the work on one spool.

    ``rollouts`` gives the modes that an operator ordered; the policy's own are the policy's. ``audit`` is that of all
    shards. ``sealed`` and ``portal`` are None where no route seals by itself.
    """

    book: PolicyBook
    carriers: Carriers
    lookups: Lookups
    history: History
    rollouts: Callable[[], Sequence[Rollout]] = tuple
    audit: Audit = no_audit
    state: StateStore
    system: SystemOptions
    queue: QueueOptions
    clock: Clock
    ids: Ids
    jitter: Jitter
    events: Events
    signer: Signer = field(default_factory=NoSigner)
    sealed: SealedStore | None = None
    portal: PortalOptions | None = None
    tally: Tally = field(init=False)

    def __post_init__(self) -> None:
        # A writer of its own: what it gathers is kept under its name alone.
        object.__setattr__(self, "tally", Tally(self.state, self.clock, self.ids))

    @property
    def planner(self) -> Planner:
        """Makes rows for the routes in force."""
        return Planner(self.carriers, self.queue.max_age, self.queue.hold_max)

    @property
    def backoff(self) -> Backoff:
        """How a recipient's retries spread."""
        return Backoff(first=self.queue.retry_min, most=self.queue.retry_max)

    @property
    def identity(self) -> Identity:
        """Who speaks in our own mail."""
        policy = self.book.current
        marks = tuple(dict.fromkeys(mark.upper() for mark in policy.reading.intent_marks))
        organisation = policy.organisation
        return Identity(
            hostname=self.system.hostname,
            contact=organisation.contact,
            postmaster=organisation.postmaster,
            marks=marks,
            buttonless=frozenset(rule.name for rule in policy.rules if rule.ignores_buttons),
            roles=policy.roles,
        )
