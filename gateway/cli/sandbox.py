"""`sealpost sandbox`: the gateway in a small world of its own, and `sandbox send`: a message through it, watched."""

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from gateway.cli.errors import Usage
from gateway.core.address import BadAddress, parse_address
from gateway.core.record import Event
from gateway.core.sizes import parse_size
from gateway.flow.ports import SpoolError
from gateway.sandbox.account import account
from gateway.sandbox.cast import NETWORK, WORTH_TRYING
from gateway.sandbox.gateway_process import GatewayDied
from gateway.sandbox.household import Household, Ports
from gateway.sandbox.letter import SUBJECT, TEXT, Letter, Submission, submit
from gateway.sandbox.runner import ADMIN, INBOX, PORTAL, SMTP, SandboxOptions, run_sandbox
from gateway.sandbox.sockets import LOOPBACK, PortTaken
from gateway.sandbox.spool_records import SpoolRecords
from gateway.sandbox.telling import Line, Tone, tell
from gateway.sandbox.watch import Pace, Unfinished, follow
from gateway.sandbox.world import DNS, MX
from gateway.spool.lock import Locked

DATA: Final = Path("sandbox-data")
_PORT_OPTIONS: Final = {
    SMTP: "--smtp-port",
    ADMIN: "--admin-port",
    INBOX: "--inbox-port",
    DNS: "--dns-port",
    MX: "--mx-port",
    PORTAL: "--portal-port",
}
_STYLES: Final = {Tone.PLAIN: "", Tone.GOOD: "green", Tone.WAITING: "yellow", Tone.BAD: "red"}

_Data = Annotated[Path, typer.Option("--data", help="The folder for everything that the sandbox writes.")]
_Port = typer.Option(metavar="PORT", min=0, max=65535, help="0 takes a free port.")

sandbox = typer.Typer()


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.add_typer(sandbox, name="sandbox")


@sandbox.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    smtp_port: Annotated[int, _Port] = 2525,
    admin_port: Annotated[int, _Port] = 9125,
    inbox_port: Annotated[int, _Port] = 8025,
    dns_port: Annotated[int, _Port] = 8053,
    mx_port: Annotated[int, _Port] = 2526,
    portal_port: Annotated[int, _Port] = 8026,
    data: _Data = DATA,
) -> None:
    """Start the gateway in a small world on loopback, to try it.

    Whatever arrives in that world can be read at once in a browser. Ctrl-C stops all of it.
    """
    if context.invoked_subcommand is not None:
        return
    wanted = Ports(smtp=smtp_port, admin=admin_port, inbox=inbox_port, dns=dns_port, mx=mx_port, portal=portal_port)
    try:
        asyncio.run(run_sandbox(SandboxOptions(data=data, ports=wanted), lambda ports: _welcome(ports, data)))
    except PortTaken as taken:
        option = _PORT_OPTIONS[taken.what]
        raise Usage(f"{taken}: stop what uses it, or give another port with {option} (0 takes a free one)") from taken
    except Locked as locked:
        raise Usage(f"{locked}: stop that sandbox, or give this one another folder with --data") from locked
    except GatewayDied as death:
        typer.echo(f"sealpost: {death}", err=True)
        raise typer.Exit(1) from death
    except OSError as error:
        raise Usage(f"the sandbox cannot start in {data}: {error.strerror or error}") from error
    typer.echo("The sandbox has stopped.")


def _welcome(ports: Ports, data: Path) -> None:
    where = "" if data == DATA else f" --data {data}"
    typer.echo(f"""\
The sandbox is ready.

  SMTP    {LOOPBACK}:{ports.smtp}
  inbox   {ports.inbox_url}   (what arrived; also /messages.json)
  portal  {ports.portal_url}   (where sealed messages are opened; the links arrive in the inbox)
  admin   http://{LOOPBACK}:{ports.admin}   (/metrics, /readyz, /healthz)
  DNS     {LOOPBACK}:{ports.dns}, MX hosts on {NETWORK}x:{ports.mx}
  files   {data}   (policy.toml, sealpost.toml, gateway.log)

Write to anybody at""")
    for domain, what in WORTH_TRYING:
        typer.echo(f"  {domain:<20}{what}")
    typer.echo(f"""
Try:
  .venv/bin/sealpost sandbox send{where} --classification restricted --to alice@tls.example --to bob@plain.example \
--attach 2MiB
  .venv/bin/sealpost sandbox send{where} --intent encrypted --to carol@plain.example --attach 20KiB

Ctrl-C stops all of it.""")


class Button(StrEnum):
    """The buttons of a mail program."""

    SECURE = "secure"
    ENCRYPTED = "encrypted"


def _address(text: str) -> str:
    try:
        return str(parse_address(text))
    except BadAddress as error:
        raise Usage(f"`{text}` is not an address: {error}") from error


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise Usage(f"--attach {text}: {error}") from error


def _field(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise Usage(f"--header {text}: a header field is a name, a colon and a value")
    return name.strip(), value.strip()


@sandbox.command()
def send(
    to: Annotated[list[str], typer.Option("--to", metavar="ADDRESS", help="A recipient; may be given again.")],
    sender: Annotated[str, typer.Option("--from", metavar="ADDRESS", help="The sender.")] = "officer@council.example",
    classification: Annotated[
        str | None,
        typer.Option(metavar="LEVEL", help="public, controlled or restricted; without it the message has no label."),
    ] = None,
    intent: Annotated[Button | None, typer.Option(help="The button that was pressed.")] = None,
    subject: Annotated[str, typer.Option(metavar="TEXT", help="The subject.")] = SUBJECT,
    text: Annotated[str, typer.Option(metavar="TEXT", help="The text.")] = TEXT,
    attach: Annotated[
        list[str] | None,
        typer.Option(metavar="SIZE", help="Attach a file of that size, such as 2MiB; may be given again."),
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option(metavar="FIELD", help='A further header field, "Name: value".')
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end instead.")] = False,
    data: _Data = DATA,
) -> None:
    """Send a message through the sandbox, and watch it.

    Tells what becomes of each recipient, and ends with the last one, or when what is left takes longer; Ctrl-C stops
    watching. Exits with 1 if the gateway refused the message.
    """
    letter = Letter(
        sender=_address(sender),
        recipients=tuple(_address(recipient) for recipient in to),
        classification=classification,
        intent=intent.value if intent else None,
        subject=subject,
        text=text,
        attachments=tuple(_size(size) for size in attach or ()),
        headers=tuple(_field(field) for field in header or ()),
    )
    house = Household(data)
    ports = house.read_ports()
    if ports is None:
        raise Usage(f"no sandbox has been started in {data}; start one with `sealpost sandbox`")
    submission = _submit(letter, house, ports)
    screen = Screen(quiet=as_json)
    screen.show_session(submission)
    seen = screen.watch(submission, house, ports)
    if as_json:
        typer.echo(json.dumps(account(submission, seen), ensure_ascii=False, indent=2))
    if submission.queue_id is None:
        raise typer.Exit(1)


def _submit(letter: Letter, house: Household, ports: Ports) -> Submission:
    try:
        content = letter.compose(datetime.now(UTC))
    except ValueError as error:
        raise Usage(f"the message cannot be made: {error}") from error
    try:
        return submit(letter, content, ports.smtp, house.certificates / "ca.pem")
    except ConnectionRefusedError as error:
        raise Usage(f"nothing listens on {LOOPBACK}:{ports.smtp}; start the sandbox with `sealpost sandbox`") from error
    except OSError as error:
        raise Usage(f"the gateway on {LOOPBACK}:{ports.smtp} did not take part in a dialogue: {error}") from error


class Screen:
    """Prints lines as they come, unless ``quiet``."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(quiet=quiet, highlight=False, soft_wrap=True)

    def show_session(self, submission: Submission) -> None:
        """What the gateway said, as it came."""
        for said in submission.said:
            self._print(f"{said.to} → {said.code} {said.text}", Tone.BAD if said.is_refusal else Tone.PLAIN)

    def watch(self, submission: Submission, house: Household, ports: Ports) -> list[Event | Unfinished]:
        """Prints what happens, as it happens; returns all of it."""
        seen: list[Event | Unfinished] = []
        if submission.queue_id is None:
            return seen
        pace = Pace(
            now=lambda: datetime.now(UTC),
            sleep=lambda span: time.sleep(span.total_seconds()),
            running=house.is_lived_in,
        )
        try:
            for one in follow(SpoolRecords(house.spool), submission.queue_id, pace):
                seen.append(one)
                for line in _lines(one):
                    self._print(f"{line.recipient or 'message'}: {line.text}", line.tone)
        except KeyboardInterrupt:
            self._print("No longer watching; the gateway goes on.", Tone.PLAIN)
        except SpoolError as error:
            raise Usage(f"the sandbox's spool cannot be read: {error}") from error
        self._print(f"What arrived can be read at {ports.inbox_url}", Tone.PLAIN)
        return seen

    def _print(self, text: str, tone: Tone) -> None:
        self._console.print(Text(text, style=_STYLES[tone]))


def _lines(one: Event | Unfinished) -> Iterator[Line]:
    if isinstance(one, Event):
        yield tell(one)
        return
    for row in one.rows:
        when = row.due_at.astimezone()
        left = max(row.due_at - datetime.now(UTC), timedelta())
        text = f"{row.state.value}, next attempt at {when:%H:%M:%S}, in {left.total_seconds():.0f} s"
        text += "; the sandbox has stopped" if one.stopped else "; not waiting for it"
        yield Line(str(row.address), text, Tone.WAITING)
