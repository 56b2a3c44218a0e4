"""Where the supervisor gets a configuration from: read, checked as a whole, and reduced to what it needs itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gateway.app.wiring import Address, Wiring
from gateway.config.bundle import read_bundle
from gateway.config.files import check_files
from gateway.config.load import examine
from gateway.config.problems import ConfigError
from gateway.config.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A valid configuration. ``bundle`` is what the workers load, ``hash`` names it, ``policy_hash`` its policy."""

    bundle: bytes
    hash: str
    policy_hash: str
    wiring: Wiring
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
        return Configuration(
            bundle=bundle.to_bytes(),
            hash=bundle.hash,
            policy_hash=loaded.policy.hash,
            wiring=wiring_of(loaded.settings),
            warnings=tuple(str(warning) for warning in (*loaded.warnings, *files.warnings)),
        )


def wiring_of(settings: Settings) -> Wiring:
    """What of the settings stays until a restart."""
    admin = settings.admin
    return Wiring(
        hostname=settings.hostname,
        workers=settings.workers,
        spool=settings.spool_dir,
        smtp=tuple(Address(name=smtp.name, host=smtp.host, port=smtp.port) for smtp in settings.smtp),
        admin=Address(name="admin", host=admin.host, port=admin.port) if admin else None,
        log_level=settings.log_level,
    )
