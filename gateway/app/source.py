"""Where the supervisor gets a configuration from: read, checked as a whole, and reduced to what it needs itself."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, assert_never

from gateway.app.wiring import Address, LocalAddress, Wiring
from gateway.config.bundle import read_bundle
from gateway.config.checks.at_rest import at_rest_warnings
from gateway.config.checks.trust import DANE_OFF, trust_warnings
from gateway.config.checks.warnings import policy_warnings
from gateway.config.files import check_files
from gateway.config.load import examine
from gateway.config.page import Page
from gateway.config.problems import ConfigError
from gateway.config.settings import Settings
from gateway.listeners.options import LocalSocket, MilterOptions, TcpSocket


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A valid configuration. ``bundle`` is what the workers load, ``hash`` names it, ``policy_hash`` its policy.

    ``policy`` is the policy's file, ``policy_text`` what it says, its registers included. ``watched`` are the
    files whose change is to be loaded by itself.
    """

    bundle: bytes
    hash: str
    policy_hash: str
    wiring: Wiring
    policy: str = ""
    policy_text: bytes = b""
    watched: tuple[Path, ...] = ()
    warnings: tuple[str, ...] = ()


class Source(Protocol):
    """Reads the files anew at each call."""

    def read(self) -> Configuration:
        """Blocks on the disk. Raises ConfigError with every problem."""
        ...


class Files:
    """The configuration file and all that it names."""

    def __init__(self, config: Path) -> None:
        # A reload finds them again wherever the process stands then.
        self._config = config.absolute()

    def read(self) -> Configuration:
        """See `Source`."""
        bundle = read_bundle(self._config)
        examined = examine(bundle)
        files = check_files(examined)
        if files.problems:
            raise ConfigError((*examined.problems, *files.problems))
        loaded = examined.loaded()
        page = Page(str(bundle.policy))
        policy_warnings(page, loaded.policy, datetime.now(UTC).date(), bundle)
        trust_warnings(page, loaded.settings)
        at_rest_warnings(page, loaded.settings, loaded.policy)
        said = [str(warning) for warning in (*loaded.warnings, *files.warnings, *page.warnings)]
        return Configuration(
            bundle=bundle.to_bytes(),
            hash=bundle.hash,
            policy_hash=loaded.policy.hash,
            policy=str(bundle.policy),
            policy_text=bundle.policy_text,
            wiring=wiring_of(loaded.settings),
            watched=bundle.paths if loaded.settings.watch else (),
            warnings=tuple(said if loaded.settings.dns.trust_ad else [*said, DANE_OFF]),
        )


def wiring_of(settings: Settings) -> Wiring:
    """What of the settings stays until a restart."""
    admin, desk, pages = settings.admin, settings.desk, settings.pages
    return Wiring(
        hostname=settings.hostname,
        workers=settings.workers,
        spool=settings.spool_dir,
        smtp=tuple(Address(name=smtp.name, host=smtp.host, port=smtp.port) for smtp in settings.smtp),
        admin=Address(name="admin", host=admin.host, port=admin.port) if admin else None,
        log_level=settings.log_level,
        desk=Address(name="desk", host=desk.host, port=desk.port) if desk else None,
        portal=Address(name="portal", host=pages.host, port=pages.port) if pages else None,
        spool_keys=settings.spool_keys,
        milter=tuple(_milter(milter) for milter in settings.milter),
        audit=settings.audit,
    )


def _milter(milter: MilterOptions) -> Address | LocalAddress:
    match milter.where:
        case TcpSocket(host, port):
            return Address(name=milter.name, host=host, port=port)
        case LocalSocket(path, permissions):
            return LocalAddress(name=milter.name, path=path, permissions=permissions)
        case _:
            assert_never(milter.where)
