"""What the supervisor and its workers, and the command line and the supervisor, say to each other (JSON in frames).

Strictly typed on both ends: what does not parse ends the conversation. Both ends are always of the same version,
because the supervisor executes its workers from its own installation.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal, TypeAlias

from pydantic import ConfigDict, Field, TypeAdapter

from gateway.core.modes import Mode
from gateway.telemetry.figures import Figures

MOST_PICKS: Final = 200
"""Messages of one operation; a longer list is sent in parts, between which other mail passes."""

_BYTES: Final = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The first message to a worker. ``listeners`` are inherited descriptors in the order of `Wiring.doors`."""

    __pydantic_config__: ClassVar[ConfigDict] = _BYTES

    kind: Literal["start"] = "start"
    slots: int
    listeners: tuple[int, ...]
    bundle: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """Take this configuration over, wholly or not at all."""

    __pydantic_config__: ClassVar[ConfigDict] = _BYTES

    kind: Literal["reload"] = "reload"
    bundle: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Accept nothing more, finish what is in hand within ``grace`` seconds, end."""

    kind: Literal["stop"] = "stop"
    grace: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """Recipients of one message, by their numbers; all of them for None."""

    queue_id: str
    numbers: tuple[int, ...] | None = None


Picks: TypeAlias = Annotated[tuple[Pick, ...], Field(min_length=1, max_length=MOST_PICKS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Make waiting recipients due now."""

    kind: Literal["retry"] = "retry"
    picks: Picks
    operator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Stop recipients on their way, until an operator releases them."""

    kind: Literal["hold"] = "hold"
    picks: Picks
    reason: str
    operator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reroute:
    """Send recipients by another route, where that gives their floor."""

    kind: Literal["reroute"] = "reroute"
    picks: Picks
    route: str
    reason: str
    operator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Take recipients out of the queue; the audit keeps who and why."""

    kind: Literal["delete"] = "delete"
    picks: Picks
    reason: str
    operator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Let held recipients go; only those that are held for ``role`` if it is given."""

    kind: Literal["release"] = "release"
    picks: Picks
    role: str | None
    reason: str
    operator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveBack:
    """Give recipients back to their sender at once, with a note; for a ``role`` only those that are held for it."""

    kind: Literal["give back"] = "give back"
    picks: Picks
    role: str | None
    note: str
    operator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowContent:
    """Record that somebody is about to see the content of a message; the pick is a recipient held for them."""

    kind: Literal["show content"] = "show content"
    picks: Picks
    role: str
    operator: str


Decide: TypeAlias = Release | GiveBack | ShowContent
"""What a person does about held mail."""

Operation: TypeAlias = Retry | Hold | Reroute | Delete | Decide


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMode:
    """Put a roll-out mode in force in all workers (see `gateway.flow.modes.Order`). To enforce has no ``until``."""

    kind: Literal["set mode"] = "set mode"
    mode: Mode
    until: datetime | None
    rule: str
    sender: str
    baseline: str
    reason: str
    reference: str
    operator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operate:
    """An operator's change for the worker that owns the message; the answer carries the same ``number``."""

    kind: Literal["operate"] = "operate"
    number: int
    operation: Annotated[Operation | SetMode, Field(discriminator="kind")]


ToWorker: TypeAlias = Start | Reload | Stop | Operate


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The worker runs with the configuration of this hash: its answer to Start and to a Reload that it took over."""

    kind: Literal["running"] = "running"
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReloaded:
    """The worker could not take a configuration over, and keeps the one before."""

    kind: Literal["not reloaded"] = "not reloaded"
    hash: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Sent every few seconds. ``shards`` are those it owns now; ``problem`` is why it takes no mail, in plain words."""

    kind: Literal["health"] = "health"
    shards: tuple[int, ...]
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operated:
    """How many recipients an operation changed, or why it could not be done."""

    kind: Literal["operated"] = "operated"
    number: int
    changed: int
    problem: str | None = None


FromWorker: TypeAlias = Running | NotReloaded | Health | Operated


@dataclass(frozen=True, slots=True, kw_only=True)
class AskReload:
    """`sealpost reload`: by whom, and the change or ticket that it belongs to."""

    kind: Literal["ask reload"] = "ask reload"
    operator: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskStatus:
    """Whether the gateway is ready, and with which configuration."""

    kind: Literal["ask status"] = "ask status"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskView:
    """`sealpost status` and `top`: all that the gateway knows of itself."""

    kind: Literal["ask view"] = "ask view"


Request: TypeAlias = AskReload | AskStatus | AskView | Operation | SetMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """It was done; ``text`` is one sentence."""

    kind: Literal["done"] = "done"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """An operation was applied to so many recipients; what was in hand, or changed before, was left alone."""

    kind: Literal["changed"] = "changed"
    recipients: int

    @property
    def text(self) -> str:
        """One sentence, as of any other answer."""
        return f"{self.recipients} recipients were changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDone:
    """It was not done, nothing changed; ``text`` says why, one line for each problem."""

    kind: Literal["not done"] = "not done"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerView:
    """``problem`` is why it takes no mail, in plain words; ``shards`` are those that it owns."""

    number: int
    shards: tuple[int, ...]
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerView:
    """A door: what comes in there, by which name, and where it listens."""

    serves: str
    name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The gateway at one moment. ``not_ready`` is why it does not take all mail; hashes are of what is in force."""

    kind: Literal["view"] = "view"
    at: datetime
    started_at: datetime
    version: str
    not_ready: str | None
    configuration: str
    policy: str
    listeners: tuple[ListenerView, ...]
    workers: tuple[WorkerView, ...]
    figures: Figures

    @property
    def text(self) -> str:
        """One sentence, as of any other answer."""
        return self.not_ready or "ready"


Answer: TypeAlias = Done | Changed | View | NotDone

TO_WORKER: Final = TypeAdapter[ToWorker](Annotated[ToWorker, Field(discriminator="kind")])
FROM_WORKER: Final = TypeAdapter[FromWorker](Annotated[FromWorker, Field(discriminator="kind")])
REQUEST: Final = TypeAdapter[Request](Annotated[Request, Field(discriminator="kind")])
ANSWER: Final = TypeAdapter[Answer](Annotated[Answer, Field(discriminator="kind")])
