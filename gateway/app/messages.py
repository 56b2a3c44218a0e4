"""What the supervisor and its workers, and the command line and the supervisor, say to each other (JSON in frames).

Strictly typed on both ends: what does not parse ends the conversation. Both ends are always of the same version,
because the supervisor executes its workers from its own installation.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal, TypeAlias

from pydantic import ConfigDict, Field, TypeAdapter

from gateway.core.modes import Mode

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
class Retry:
    """Make the waiting recipients of one message, or of all (None), due now."""

    kind: Literal["retry"] = "retry"
    queue_id: str | None
    operator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Take a message, or its one ``recipient`` (an address), out of the queue; the audit keeps who and why."""

    kind: Literal["delete"] = "delete"
    queue_id: str
    recipient: str | None
    reason: str
    operator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Let held recipients go: those numbers, or all for None; only those that are held for ``role`` if it is given."""

    kind: Literal["release"] = "release"
    queue_id: str
    numbers: tuple[int, ...] | None
    role: str | None
    reason: str
    operator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveBack:
    """Give held recipients back to their sender at once, with a note; ``numbers`` and ``role`` as for a release."""

    kind: Literal["give back"] = "give back"
    queue_id: str
    numbers: tuple[int, ...] | None
    role: str | None
    note: str
    operator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowContent:
    """Record that somebody is about to see the content of a message; ``number`` is a recipient held for them."""

    kind: Literal["show content"] = "show content"
    queue_id: str
    number: int
    role: str
    operator: str


Decide: TypeAlias = Release | GiveBack | ShowContent
"""What a person does about held mail."""

Operation: TypeAlias = Retry | Delete | Decide


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


Request: TypeAlias = AskReload | AskStatus | Retry | Delete | Release | GiveBack | ShowContent | SetMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """It was done; ``text`` is one sentence."""

    kind: Literal["done"] = "done"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDone:
    """It was not done, nothing changed; ``text`` says why, one line for each problem."""

    kind: Literal["not done"] = "not done"
    text: str


Answer: TypeAlias = Done | NotDone

TO_WORKER: Final = TypeAdapter[ToWorker](Annotated[ToWorker, Field(discriminator="kind")])
FROM_WORKER: Final = TypeAdapter[FromWorker](Annotated[FromWorker, Field(discriminator="kind")])
REQUEST: Final = TypeAdapter[Request](Annotated[Request, Field(discriminator="kind")])
ANSWER: Final = TypeAdapter[Answer](Annotated[Answer, Field(discriminator="kind")])
