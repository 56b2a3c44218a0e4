"""What of a configuration only a restart can change: who we are, where we listen, how many, the spool, the log.

The supervisor holds these for life (sockets, locks, processes); a reload that changes one is refused by its name.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final

from gateway.audit.options import AuditOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where one listener listens. ``name`` is its name in the log and in systemd's LISTEN_FDNAMES; port 0 is any."""

    name: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAddress:
    """The same for a local socket, with the permissions of its file."""

    name: str
    path: Path
    permissions: int

    def __str__(self) -> str:
        return f"unix:{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """The settings that stay as they are until a restart. ``workers`` is as configured; 0 leaves it to the machine."""

    hostname: str
    workers: int
    spool: Path
    smtp: tuple[Address, ...]
    admin: Address | None
    log_level: str
    desk: Address | None = None
    portal: Address | None = None
    spool_keys: tuple[bytes, ...] = field(default=(), repr=False)
    milter: tuple[Address | LocalAddress, ...] = ()
    audit: AuditOptions | None = None

    @property
    def doors(self) -> tuple[Address | LocalAddress, ...]:
        """Where mail comes in, in the order in which workers get the sockets."""
        return (*self.smtp, *self.milter)


_KEYS: Final = {
    "smtp": "listen.smtp",
    "milter": "listen.milter",
    "admin": "listen.admin",
    "desk": "listen.desk",
    "portal": "listen.portal",
    "spool": "spool.url",
    "log_level": "log.level",
    "spool_keys": "secrets.spool",
}


def changed(before: Wiring, after: Wiring) -> tuple[str, ...]:
    """The configuration keys that differ, as the administrator wrote them."""
    names = (one.name for one in fields(Wiring))
    return tuple(_KEYS.get(name, name) for name in names if getattr(before, name) != getattr(after, name))
