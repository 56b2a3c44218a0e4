"""A stage for end-to-end tests: the sandbox's world in the test's own loop, and the gateway as `sealpost run`.

Everything is on free loopback ports and in the test's own folder, so that the suite can run twice in parallel.
"""

import asyncio
import contextlib
import secrets
import shutil
import smtplib
import time
import urllib.request
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

from gateway.core.record import Event, EventKind, QueueId
from gateway.sandbox.authority import write_secret
from gateway.sandbox.behaviour import Behaviour, Demand
from gateway.sandbox.cast import INTERNAL, NETWORK, default_cast
from gateway.sandbox.gateway_process import GatewayProcess, run_command
from gateway.sandbox.mx_host import HostSpec
from gateway.sandbox.world import World, WorldOptions
from gateway.sealed.keys import new_keyring
from gateway.spool.reader import ShardReader
from gateway.spool.state_reader import read_state
from tests.fakes.ports import free_ports

POLICIES = Path(__file__).parents[2] / "policies"
OFFICER = "officer@derbyshire.gov.uk"
EVERYBODY = "Everybody (sample),*.example,ISA,ISA-0100,controlled restricted,2099-03-31,2026-03-31,2099-03-31,,,,,\n"
"""A line of the council's register: an agreement with everybody, so that nothing waits for one."""
HOMES = ("derbyshire.gov.uk", "kcsp.org.uk")
WHOLE = 200 * 1024 * 1024
"""A tape long enough for every byte that these tests send."""

CONFIG = """\
hostname = "gateway.derbyshire.gov.uk"
policy   = "policy.toml"
workers  = {workers}

[[listen.smtp]]
address     = "127.0.0.1:{smtp}"
certificate = "gateway.pem"
refusals    = "{refusals}"
[[listen.smtp.allow]]
networks = ["127.0.0.0/8"]

[listen.admin]
address = "127.0.0.1:{admin}"

[secrets]
hop   = "file:hop.key"
spool = "file:spool.keys"

[dns]
nameservers = ["127.0.0.1:{dns}"]

[tls]
ca = "ca.pem"

[mx]
port           = {mx}
allow_networks = ["127.0.0.0/8"]

[spool]
url = "sqlite:///{spool}"

[queue]
retry_min = "1s"
retry_max = "2s"
{queue}

[network]
internal = ["127.0.25.0/24"]

[routes.internal]
transport  = "smarthost"
host       = "{internal}:{mx}"
tls        = "encrypt"
protection = "internal"

[routes.opportunistic]
transport = "mx"
tls       = "may"

[routes.tls]
transport     = "mx"
tls           = "encrypt"
give_up_after = "{give_up_after}"

[routes.secure]
transport     = "mx"
tls           = "verify"
give_up_after = "{give_up_after}"

[routes.cjsm]
transport          = "smarthost"
host               = "{cjsm}"
match_name         = "relay.cjsm.example"
tls                = "verify"
protection         = "sealed"
client_certificate = "gateway.pem"

[routes.encrypted]
transport       = "smarthost"
host            = "{connector}"
match_name      = "connector.encrypted.example"
tls             = "verify"
protection      = "sealed"
add_header      = {{ "X-Council-Encrypt" = "yes" }}
max_attachments = "13MiB"

[routes.egress]
transport  = "smarthost"
host       = "{egress}"
match_name = "egress.encrypted.example"
tls        = "verify"
protection = "sealed"
max_attachments = "15MiB"

[routes.archive]
transport  = "smarthost"
host       = "{archive}"
match_name = "archive.encrypted.example"
tls        = "verify"
protection = "sealed"
max_attachments = "17MiB"

[system]
reports = "internal"
notices = "internal"
"""

EGRESS = HostSpec(name="egress.encrypted.example", address=f"{NETWORK}70", behaviour=Behaviour(demand=Demand.TLS))
ARCHIVE = HostSpec(name="archive.encrypted.example", address=f"{NETWORK}71", behaviour=Behaviour(demand=Demand.TLS))
PUBLIC_SECTOR = HostSpec(
    name="mx.good.example",
    address=f"{NETWORK}72",
    domains=(
        "freemail.example",
        "agency.example",
        "agancy.example",
        "care.example",
        "firm.example",
        "sol.example",
        "hospital.example",
        "hill.derbyshire.sch.uk",
        "abbey.derbyshire.sch.uk",
        "elm.derbyshire.sch.uk",
        "academy.example",
        "school.example",
        "essex.police.uk",
    ),
)
"""Everybody else who has good TLS: residents, partners, schools."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a test changes of the stage. ``cjsm`` and the like are "host:port"; empty means the world's own.

    ``policy`` is a text in place of the shipped one that ``shipped`` names; both find the shipped registers, which hold
    samples: ``partners`` are further lines of that organisation's register, ``further`` those of sealpost.toml.
    """

    cast: tuple[HostSpec, ...] = field(default_factory=default_cast)
    shipped: str = "derbyshire"
    policy: str = ""
    refusals: str = "report"
    workers: int = 1
    give_up_after: str = "48h"
    queue: str = ""
    cjsm: str = ""
    connector: str = ""
    egress: str = ""
    partners: str = ""
    further: str = ""


def scenario_cast() -> tuple[HostSpec, ...]:
    """The default cast, with the organisation's own host serving the shipped policies' domains, and more outside."""
    first, *others = default_cast()
    inside = HostSpec(name=first.name, address=first.address, domains=(*first.domains, *HOMES))
    return (inside, *others, EGRESS, ARCHIVE, PUBLIC_SECTOR)


@dataclass(slots=True)
class Stage:
    """The world, the gateway's folder and process, and what a test asks of them."""

    folder: Path
    world: World
    smtp_port: int
    admin_port: int
    process: GatewayProcess

    @property
    def config(self) -> Path:
        return self.folder / "sealpost.toml"

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    async def start(self) -> None:
        """Starts (or starts again) the gateway and waits until it is ready."""
        await self.process.start(self.admin_port)

    async def submit(self, message: EmailMessage | bytes, *recipients: str, sender: str = OFFICER) -> QueueId:
        """Sends a message as a client would; returns the queue id of the 250 reply."""
        content = message if isinstance(message, bytes) else wire(message)
        return await asyncio.to_thread(self._submit, content, recipients, sender)

    def _submit(self, content: bytes, recipients: Sequence[str], sender: str) -> QueueId:
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=60) as client:
            client.ehlo("desk.derbyshire.gov.uk")
            expect(client.docmd("MAIL", f"FROM:<{sender}>"), 250)
            for recipient in recipients:
                expect(client.docmd("RCPT", f"TO:<{recipient}>"), 250)
            code, text = client.data(content)
            expect((code, text), 250)
            return QueueId(text.decode().split()[-1])

    def events(self, queue_id: QueueId | None = None, *kinds: EventKind) -> list[Event]:
        """The audit events so far, of one message or all, of some kinds or all."""
        found = [event for _, event in ShardReader(self.spool).events(queue_id)]
        return [event for event in found if not kinds or event.kind in kinds]

    async def until(self, true: Callable[[], bool], seconds: float = 30) -> None:
        """Waits for something that another process does. Raises AssertionError after ``seconds``."""
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, self.trouble()
            await asyncio.sleep(0.05)

    async def ended(self, queue_id: QueueId, recipients: int = 1, seconds: float = 30) -> dict[str, Event]:
        """Waits until that many recipients of a message have their end; returns the end events by address."""
        await self.until(lambda: len(self.events(queue_id, EventKind.ENDED)) >= recipients, seconds)
        ends = self.events(queue_id, EventKind.ENDED)
        assert len(ends) == recipients, f"an end too many: {ends}"
        return {event.address: event for event in ends}

    def metric(self, sample: str) -> float:
        """The value of one sample, e.g. ``sealpost_unprotected_total``; 0 if it is not there."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/metrics", timeout=30) as page:
            lines = page.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{sample} ", f"{sample}{{")))

    def shared(self, prefix: str) -> Mapping[str, bytes]:
        """What the workers share under the keys that begin so."""
        return read_state(self.spool, prefix, 1000, datetime.now(UTC))

    def log(self) -> str:
        """What the gateway said."""
        path = self.folder / "gateway.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def trouble(self) -> str:
        """For a failing test: the newest log lines and events."""
        newest = "\n".join(str(event) for event in self.events()[-8:])
        return f"it did not come true\n{self.log()[-3000:]}\n{newest}"

    def clear_bytes(self) -> bytes:
        """Every byte that any host of the world got outside TLS; the tapes are complete or the test fails."""
        visits = [visit for host in self.world.hosts.values() for visit in host.visits]
        assert all(visit.tape.complete for visit in visits)
        return b"".join(visit.tape.clear for visit in visits)


def wire(message: EmailMessage) -> bytes:
    """The message as it travels, with CRLF lines."""
    return message.as_bytes(policy=message.policy.clone(linesep="\r\n"))


def expect(answer: tuple[int, bytes], code: int) -> None:
    """Raises AssertionError when the reply is another."""
    assert answer[0] == code, answer


@contextlib.asynccontextmanager
async def stage(folder: Path, setting: Setting | None = None, *, start: bool = True) -> AsyncGenerator[Stage]:
    """Builds the world and the gateway's folder, starts the gateway unless told not to, and ends all of it."""
    setting = setting or Setting(cast=scenario_cast())
    async with World(WorldOptions(directory=folder / "world", cast=setting.cast, tape_limit=WHOLE)) as world:
        smtp, admin = free_ports(2)
        _write(folder, setting, world, smtp=smtp, admin=admin)
        process = GatewayProcess(run_command(folder / "sealpost.toml"), folder / "gateway.log")
        built = Stage(folder, world, smtp, admin, process)
        try:
            if start:
                await built.start()
            yield built
        finally:
            await process.stop()


def _write(folder: Path, setting: Setting, world: World, *, smtp: int, admin: int) -> None:
    addresses = {spec.name: spec.address for spec in setting.cast}
    write_secret(folder / "hop.key", secrets.token_bytes(32))
    write_secret(folder / "spool.keys", new_keyring().to_bytes())
    (folder / "ca.pem").write_bytes(world.credentials.ca.read_bytes())
    write_secret(
        folder / "gateway.pem", world.credentials.issue("gateway.pem", ("gateway.derbyshire.gov.uk",)).read_bytes()
    )
    (folder / "policy.toml").write_text(setting.policy or (POLICIES / f"{setting.shipped}.toml").read_text())
    shutil.copytree(POLICIES / "registers", folder / "registers")
    with (folder / "registers" / setting.shipped / "partners.csv").open("a") as register:
        register.write(setting.partners)
    (folder / "sealpost.toml").write_text(
        CONFIG.format(
            smtp=smtp,
            admin=admin,
            dns=world.dns_port,
            mx=world.mx_port,
            spool=folder / "spool",
            internal=INTERNAL,
            cjsm=setting.cjsm or f"{addresses.get('relay.cjsm.example', INTERNAL)}:{world.mx_port}",
            connector=setting.connector or f"{addresses.get('connector.encrypted.example', INTERNAL)}:{world.mx_port}",
            egress=setting.egress or f"{addresses.get(EGRESS.name, INTERNAL)}:{world.mx_port}",
            archive=f"{addresses.get(ARCHIVE.name, INTERNAL)}:{world.mx_port}",
            refusals=setting.refusals,
            workers=setting.workers,
            give_up_after=setting.give_up_after,
            queue=setting.queue,
        )
        + setting.further
    )


def letter(
    *,
    classification: str = "",
    intent: str = "",
    subject: str = "Case file",
    to: str = "someone@tls.example",
    attach: Sequence[int] = (),
) -> EmailMessage:
    """A message of a member of staff; ``attach`` are decoded sizes in bytes."""
    message = EmailMessage()
    message["From"] = f"Officer <{OFFICER}>"
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = f"<{secrets.token_hex(8)}@desk.derbyshire.gov.uk>"
    message["Date"] = "Sun, 01 Nov 2026 09:00:00 +0000"
    if classification:
        message["X-Classification"] = classification
    if intent:
        message["X-Sealpost-Intent"] = intent
    message.set_content("Dear colleague,\n\nplease find the file attached: MARKER-OF-THE-TEXT.\n")
    for number, size in enumerate(attach):
        message.add_attachment(
            secrets.token_bytes(size), maintype="application", subtype="pdf", filename=f"file{number}.pdf"
        )
    return message
