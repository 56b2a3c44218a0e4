"""The sandbox's data folder: the gateway's configuration for the chosen ports, and the note that says where things are.

Left out on purpose: keeping hand-made changes of sealpost.toml. The policy is kept once it is there, because changing
it and trying again is what the sandbox is for.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from string import Template
from typing import Final, Self, cast

from gateway.sandbox.authority import new_hop_key, write_secret
from gateway.sandbox.cast import GATEWAY
from gateway.sandbox.credentials import Credentials
from gateway.sandbox.sockets import LOOPBACK
from gateway.sealed.keys import new_keyring
from gateway.spool.lock import Locked, SpoolLock

_TEMPLATES: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The ports of one running sandbox, all on loopback. Without ``portal`` (0) what is sealed goes by a connector."""

    smtp: int
    admin: int
    inbox: int
    dns: int
    mx: int
    portal: int = 0

    @property
    def portal_url(self) -> str:
        """Where sealed messages are opened."""
        return f"http://{LOOPBACK}:{self.portal}"

    @property
    def inbox_url(self) -> str:
        """Where arrived mail can be read."""
        return f"http://{LOOPBACK}:{self.inbox}"

    def to_json(self) -> str:
        """For ``ports.json``."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Raises ValueError for anything but what `to_json` wrote."""
        data: object = json.loads(text)
        if not isinstance(data, dict):
            raise ValueError("not an object")
        found = {name: port for name, port in cast(dict[str, object], data).items() if isinstance(port, int)}
        try:
            return cls(**found)
        except TypeError as error:
            raise ValueError("not the ports of a sandbox") from error


class Household:
    """The files below one data folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.certificates = root / "certs"
        self.config = root / "sealpost.toml"
        self.policy = root / "policy.toml"
        self.spool = root / "spool"
        self.log = root / "gateway.log"
        self.ports = root / "ports.json"
        self.lock = root / "lock"

    def create(self) -> None:
        """Makes the folder. Raises OSError."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.certificates.mkdir(exist_ok=True)
        self.spool.mkdir(exist_ok=True, mode=0o700)

    def furnish(self, ports: Ports, credentials: Credentials) -> None:
        """Writes all that the gateway needs to start. Raises OSError."""
        credentials.issue("gateway.pem", (GATEWAY, "localhost", LOOPBACK))
        hop_key = self.certificates / "hop.key"
        if not hop_key.exists():
            write_secret(hop_key, new_hop_key())
        for keys in (self.certificates / "sealing.keys", self.certificates / "spool.keys"):
            if not keys.exists():
                write_secret(keys, new_keyring().to_bytes())
        if not self.policy.exists():
            shutil.copyfile(_TEMPLATES / "policy.toml", self.policy)
        parts = ("sealpost.toml", "portal.toml" if ports.portal else "connector.toml")
        template = Template("".join((_TEMPLATES / part).read_text(encoding="utf-8") for part in parts))
        numbers = {f"{name}_port": port for name, port in asdict(ports).items()}
        self.config.write_text(template.substitute(numbers), encoding="utf-8")
        self.ports.write_text(ports.to_json(), encoding="utf-8")

    def is_lived_in(self) -> bool:
        """Whether a sandbox runs here: it holds the lock for as long as it lives. Raises SpoolError."""
        try:
            with SpoolLock(self.lock):
                return False
        except Locked:
            return True

    def read_ports(self) -> Ports | None:
        """The ports of the sandbox that was last started here; None if none was, or its note is damaged."""
        try:
            return Ports.from_json(self.ports.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
