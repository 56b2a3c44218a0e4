"""A spool with events in it, a folder for its chains, and what tests do to both."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.audit.exporter import Exporter, Stepped
from gateway.audit.files import files_in, shard_folder
from gateway.audit.keys import Signer, Trusted
from gateway.audit.options import AuditOptions
from gateway.audit.verify import verify
from gateway.core.audit_chain import Flaw, Verdict
from gateway.core.audit_line import Line, Open, read_line
from gateway.core.record import Event
from tests.spool.audited import events, write
from tests.spool.samples import routed

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
"""The same in every process."""


@dataclass
class Place:
    """``options`` may be replaced between steps."""

    folder: Path
    options: AuditOptions = field(init=False)
    now: datetime = NOW
    count: int = 0

    def __post_init__(self) -> None:
        self.options = AuditOptions(folder=self.folder / "audit", key=KEY)

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    def accept(self, messages: int = 1, *, shard: int = 0, to: str = "amy@one.example") -> list[Event]:
        """Puts the two events of each new message into the spool."""
        groups: list[tuple[Event, ...]] = []
        for _ in range(messages):
            self.count += 1
            groups.append(events(f"{shard:03d}-{self.count:06d}", None, (to, routed())))
        write(self.spool, *groups, shard=shard)
        return [event for group in groups for event in group]

    def change(self, **options: object) -> None:
        self.options = replace(self.options, **options)

    def exporter(self) -> Exporter:
        exporter = Exporter(self.spool, self.options)
        exporter.open()
        return exporter

    def export(self, *, sign: bool = True) -> Stepped:
        """As a process would from its start to its end; without ``sign`` to one that was killed."""
        exporter = self.exporter()
        stepped = exporter.step(self.now)
        if sign:
            exporter.close(self.now)
        else:
            exporter._lock.release()
        return stepped

    def files(self, shard: int = 0) -> list[Path]:
        return [file.path for file in files_in(shard_folder(self.options.folder, shard))]

    def lines(self, shard: int = 0) -> list[Line]:
        return [read_line(data) for path in self.files(shard) for data in path.read_bytes().splitlines()]

    def queue_ids(self, shard: int = 0) -> list[str]:
        """Of all events in the chain, in order."""
        return [
            text.split('"', 1)[0]
            for line in self.lines(shard)
            for text in line.event.decode().split('"queue_id":"')[1:]
        ]

    def verdicts(self) -> Sequence[Verdict]:
        return verify(self.options.folder, Trusted((Signer(KEY).public,)), self.now)

    def flaws(self) -> list[Flaw]:
        return [found.flaw for verdict in self.verdicts() for found in verdict.flaws]

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)


def values(line: Line) -> dict[str, str]:
    """The personal values that can be read."""
    return {name: value.value for name, value in line.personal if isinstance(value, Open)}
