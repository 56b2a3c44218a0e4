"""The desk's pages as a browser gets them, by what they say, from its real application over a spool that is made up."""

from collections.abc import Iterator, Set
from dataclasses import dataclass, field, replace
from datetime import timedelta
from ipaddress import IPv4Network
from urllib.parse import urlencode

from starlette.types import Message as AsgiMessage

from gateway.core.facts import Attachment
from gateway.core.record import Event, EventKind, QueueId, RecipientRow, State
from gateway.core.release_link import Link
from gateway.desk.hands import By
from gateway.desk.options import DeskOptions
from gateway.desk.pages import DeskPages, InForce
from gateway.flow.ports import QueueFilter, QueueItem
from gateway.spool.reader import ShardReader
from tests.core.queued import DAY, FACTS, HELD, MESSAGE, NOW, ROW, SENDER, recipient
from tests.e2e.own_mail import CONTACT, KEY, LONG, ROLE

OFFICER = "ig@council.example"
PROXY = "192.0.2.1"
_LINK = Link(QueueId("000-abc"), ROLE, NOW + DAY)
_DECISION = replace(HELD, role=ROLE)
_WAITING = tuple(
    replace(ROW, number=number, recipient=recipient(address), decision=_DECISION, state=State.HELD)
    for number, address in enumerate(("gp@x.example", LONG, "clerk@y.example"))
)
_FILE = Attachment(name=f"{'plan' * 40}.pdf", type="application/pdf", bytes=9_999)
_MESSAGE = replace(MESSAGE, facts=replace(FACTS, attachments=(_FILE,)))
_CONTENT = (
    b"Subject: the plan\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nA text\r\n" + b"word" * 200 + b"\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\n<p>The <i>same</i></p>\r\n--b--\r\n"
)


@dataclass
class _Spool(ShardReader):
    """One message with those recipients; ``decided`` says that one of them left before."""

    waiting: tuple[RecipientRow, ...]
    decided: bool = False

    def items(self, filter: QueueFilter, limit: int | None = None) -> Iterator[QueueItem]:
        return iter([QueueItem(message=_MESSAGE, row=row) for row in self.waiting])

    def events(self, queue_id: QueueId | None = None, after: int = 0) -> Iterator[tuple[int, Event]]:
        first = Event(kind=EventKind.DECIDED, at=NOW, queue_id=_LINK.queue_id, address="a@x.example")
        accepted = replace(first, kind=EventKind.ACCEPTED, address="", reverse_path=SENDER)
        released = replace(first, kind=EventKind.OPERATOR, text=f"released by {OFFICER} ({ROLE})")
        history = (accepted, replace(first, decision=_DECISION), *((released,) if self.decided else ()))
        return iter(enumerate(history))

    def beginning(self, queue_id: QueueId, limit: int) -> bytes:
        return _CONTENT


@dataclass
class _Hands:
    """A gateway that answers with ``problem``."""

    problem: str | None = None

    async def release(self, by: By, numbers: Set[int]) -> str | None:
        return self.problem

    async def give_back(self, by: By, numbers: Set[int], note: str) -> str | None:
        return self.problem

    async def shown(self, by: By, number: int) -> str | None:
        return self.problem


@dataclass
class Desk:
    """The application in one situation."""

    waiting: tuple[RecipientRow, ...] = _WAITING
    decided: bool = False
    problem: str | None = None
    late: timedelta = field(default_factory=timedelta)

    async def page(self, user: str = OFFICER, form: dict[str, str] | None = None) -> str:
        """What that person sees; ``form`` is one of the page's own, without its proof."""
        pages = DeskPages(_in_force, _Spool(self.waiting, self.decided), _Hands(self.problem), lambda: NOW + self.late)
        proof = {"proof": _LINK.form_token(user, KEY)}
        body = None if form is None else urlencode(proof | form).encode()
        sent: list[AsgiMessage] = []

        async def receive() -> AsgiMessage:
            return {"type": "http.request", "body": body or b"", "more_body": False}

        async def send(message: AsgiMessage) -> None:
            sent.append(message)

        await pages.application()(_scope("GET" if body is None else "POST", user), receive, send)
        return b"".join(message.get("body", b"") for message in sent).decode()


def _in_force() -> InForce:
    options = DeskOptions(
        host="127.0.0.1",
        port=0,
        url="https://desk.council.example",
        proxies=(IPv4Network(f"{PROXY}/32"),),
        user_header="x-remote-user",
        releasers={ROLE: frozenset({OFFICER, SENDER.key})},
        readers=frozenset({OFFICER}),
    )
    return InForce(options=options, key=KEY, organisation="Example council", contact=CONTACT)


def _scope(method: str, user: str) -> dict[str, object]:
    return {
        "type": "http",
        "method": method,
        "scheme": "https",
        "path": _LINK.path(KEY),
        "query_string": b"",
        "headers": [
            (b"x-remote-user", user.encode()),
            (b"content-type", b"application/x-www-form-urlencoded"),
        ],
        "client": (PROXY, 1),
    }


async def desk_pages() -> dict[str, str]:
    """All of them."""
    release = {"action": "release", "to": "0"}
    return {
        "desk: to be decided": await Desk().page(),
        "desk: one recipient": await Desk(_WAITING[:1], decided=True).page(),
        "desk: own message": await Desk().page(SENDER.key),
        "desk: content": await Desk().page(form={"action": "show"}),
        "desk: no recipient chosen": await Desk().page(form={"action": "release"}),
        "desk: no note": await Desk().page(form={"action": "give back", "note": " "}),
        "desk: too late": await Desk((), decided=True, problem="it is decided").page(form=release),
        "desk: gateway away": await Desk(problem="the gateway is not running").page(form=release),
        "desk: nothing left": await Desk((), decided=True).page(),
        "desk: stranger": await Desk().page("clerk@council.example"),
        "desk: link that ran out": await Desk(late=2 * DAY).page(),
    }
