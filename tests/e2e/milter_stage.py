"""The stage with milter doors, and a real Postfix in front of one of them."""

import asyncio
import contextlib
import smtplib
import time
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Final, TypeAlias

from tests.e2e.stage import OFFICER, Setting, Stage, scenario_cast, stage, wire
from tests.fakes.ports import free_port, free_ports
from tests.peers.postfix import Postfix, Service, postfix

Told: TypeAlias = tuple[int, bytes | str]

MODES: Final[tuple[str, ...]] = ("takeover", "gate", "tag")


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """A stage and the port of its milter of each mode."""

    stage: Stage
    ports: Mapping[str, int]


@contextlib.asynccontextmanager
async def doors(folder: Path, *, workers: int = 1, further: str = "") -> AsyncGenerator[Doors]:
    """The gateway with a milter door for each mode; ``further`` are lines that each of them has."""
    ports: Mapping[str, int] = dict(zip(MODES, free_ports(len(MODES)), strict=True))
    tables = "".join(
        f'\n[[listen.milter]]\nname = "{mode}"\nmode = "{mode}"\naddress = "127.0.0.1:{port}"\n{further}\n'
        for mode, port in ports.items()
    )
    async with stage(folder, Setting(cast=scenario_cast(), workers=workers, further=tables)) as built:
        yield Doors(stage=built, ports=ports)


@dataclass(frozen=True, slots=True)
class Front:
    """A Postfix that asks a milter; what it carries itself is recorded and goes nowhere."""

    postfix: Postfix

    @property
    def port(self) -> int:
        return self.postfix.services[0].port

    async def submit(
        self, message: EmailMessage | bytes, *recipients: str, sender: str = OFFICER
    ) -> Mapping[str, Told]:
        """Hands a message over; the replies that refuse, by recipient, or by the step that failed."""
        content = message if isinstance(message, bytes) else wire(message)
        return await asyncio.to_thread(self._submit, content, recipients, sender)

    def _submit(self, content: bytes, recipients: Sequence[str], sender: str) -> Mapping[str, Told]:
        with smtplib.SMTP("127.0.0.1", self.port, timeout=120) as client:
            return send(client, content, recipients, sender)

    async def said(self, words: str, times: int = 1) -> str:
        """The log once it says so. Raises AssertionError after half a minute."""
        until = time.monotonic() + 30
        while self.postfix.log().count(words) < times:
            assert time.monotonic() < until, self.postfix.log()
            await asyncio.sleep(0.05)
        return self.postfix.log()


def send(client: smtplib.SMTP, content: bytes, recipients: Sequence[str], sender: str = OFFICER) -> Mapping[str, Told]:
    """One transaction on a connection that stands."""
    try:
        return client.sendmail(sender, list(recipients), content)
    except smtplib.SMTPRecipientsRefused as error:
        return error.recipients
    except smtplib.SMTPSenderRefused as error:
        return {"MAIL": (error.smtp_code, error.smtp_error)}
    except smtplib.SMTPDataError as error:
        return {"DATA": (error.smtp_code, error.smtp_error)}


@contextlib.contextmanager
def _postfix(milter: str, extra: Sequence[str]) -> Generator[Front]:
    port = free_port()
    lines = [
        f"smtpd_milters = {milter}",
        f"non_smtpd_milters = {milter}",
        "milter_default_action = tempfail",
        "default_transport = record",
        *extra,
    ]
    with postfix("mx.derbyshire.gov.uk", [Service(port=port)], lines) as instance:
        yield Front(instance)


@contextlib.asynccontextmanager
async def front(milter: int | str, *extra: str) -> AsyncGenerator[Front]:
    """A Postfix whose milter is at that port, or at what Postfix calls it."""
    name = f"inet:127.0.0.1:{milter}" if isinstance(milter, int) else milter
    with contextlib.ExitStack() as stack:
        yield await asyncio.to_thread(stack.enter_context, _postfix(name, extra))
