"""`sealpost certs`: makes the certificates and the key that a first start needs, and shows what there is.

The certificates are for development and trial; the keys that sign mail are for use. Left out on purpose: requests to an
authority and renewal (RFC 8555), for which every system has its own program.
"""

import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final

import typer
from cryptography import x509
from rich.console import Console
from rich.table import Table

from gateway.audit.keys import Signer, new_key
from gateway.cli.dkim_keys import Kind, make_keys
from gateway.cli.errors import Usage
from gateway.core.address import BadAddress, parse_domain
from gateway.sandbox.authority import Validity, issue, make_authority, new_hop_key, write_secret
from gateway.sealed.keys import new_keyring

LIFETIME: Final = timedelta(days=365)
WARN: Final = timedelta(days=14)

_Directory = Annotated[Path, typer.Option("--directory", "-d", help="The folder of certificates and keys.")]

certs = typer.Typer(help="Make certificates and DKIM keys; show when they end.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.add_typer(certs, name="certs")


@certs.command()
def init(
    directory: _Directory = Path("certs"),
    hostname: Annotated[
        list[str] | None, typer.Option("--hostname", metavar="NAME", help="A name of the gateway; may be given again.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Make certificates for development and trial.

    An authority of their own, the gateway's certificate with its key, the key of the hop header, and
    the keys of sealed messages and of the spool.
    """
    wanted = [_host(name) for name in hostname or ()] or [socket.gethostname()]
    names = tuple(dict.fromkeys([*wanted, "localhost"]))
    try:
        made = _make(directory, names, force=force)
    except OSError as error:
        raise Usage(f"cannot write to {error.filename or directory}: {error.strerror}") from error
    for path, what in made:
        typer.echo(f"{path}  {what}")


@certs.command()
def audit(directory: _Directory = Path("certs")) -> None:
    """Make the key that signs the audit.

    And its public part, for those who verify. A file that is there is never replaced.
    """
    signer = new_key()
    files = {"audit.key": signer, "audit.pub": Signer(signer).public_pem}
    there = next((directory / name for name in files if (directory / name).exists()), None)
    if there is not None:
        raise Usage(f"{there} is there already; anchors that it signed need it, so a new key has another folder")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_secret(directory / name, content)
        (directory / "audit.pub").chmod(0o644)
    except OSError as error:
        raise Usage(f"cannot write to {error.filename or directory}: {error.strerror}") from error
    typer.echo(f"{directory / 'audit.key'}  the key that signs the audit; keep a copy elsewhere")
    typer.echo(f"{directory / 'audit.pub'}  its public part: `sealpost audit verify --public-key` needs no other")


@certs.command()
def dkim(
    domain: Annotated[
        list[str], typer.Option("--domain", metavar="NAME", help="A domain in From; may be given again.")
    ],
    selector: Annotated[
        str, typer.Option("--selector", help="A new name, such as s2026; each key's has one letter more.")
    ],
    kind: Annotated[Kind, typer.Option("--type", help="Some verifiers know RSA only.")] = Kind.BOTH,
    directory: _Directory = Path("certs"),
) -> None:
    """Make DKIM keys, and say what DNS and the configuration need.

    A file that is there is never replaced.
    """
    try:
        made = make_keys(directory, domain, selector, kind)
    except OSError as error:
        raise Usage(f"cannot write to {error.filename or directory}: {error.strerror}") from error
    for one in made:
        typer.echo(f"{one.path}  the key of the selector {one.selector}")
    typer.echo("\nPublish in DNS, before the keys are used:\n\n" + "\n".join(one.records for one in made))
    typer.echo("\nThen add to sealpost.toml:\n\n" + "\n\n".join(one.block for one in made))


def _host(text: str) -> str:
    """An address, or a name as certificates have it (A-labels)."""
    try:
        return str(ip_address(text))
    except ValueError:
        pass
    try:
        return parse_domain(text)
    except BadAddress as error:
        raise Usage(f"--hostname `{text}`: {error}") from error


def _make(directory: Path, names: tuple[str, ...], *, force: bool) -> list[tuple[Path, str]]:
    validity = Validity.lasting(datetime.now(UTC), LIFETIME)
    authority = make_authority("Sealpost development authority", validity)
    files = [
        ("ca.key", authority.key_pem, "the key of the development authority"),
        ("ca.pem", authority.certificate_pem, "the development authority; clients that try the gateway trust it"),
        ("gateway.pem", issue(authority, names, validity).pem, f"key and certificate of {', '.join(names)}"),
        ("hop.key", new_hop_key(), "the key of the hop header"),
        (
            "sealing.keys",
            new_keyring().to_bytes(),
            "the key that wraps those of sealed messages; keep a copy elsewhere",
        ),
        ("spool.keys", new_keyring().to_bytes(), "the key that seals bodies in the spool; keep a copy elsewhere"),
    ]
    there = [directory / name for name, _, _ in files if (directory / name).exists()]
    if there and not force:
        raise Usage(f"{there[0]} is there already; --force replaces it and all that belongs to it")
    directory.mkdir(parents=True, exist_ok=True)
    for name, content, _ in files:
        write_secret(directory / name, content)
    (directory / "ca.pem").chmod(0o644)
    return [(directory / name, what) for name, _, what in files]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One certificate of one file."""

    path: Path
    names: str
    ends: datetime
    left: timedelta

    @property
    def is_finding(self) -> bool:
        """Expired, or soon to be."""
        return self.left < WARN


@certs.command()
def show(directory: _Directory = Path("certs")) -> None:
    """List certificates with their names and ends.

    Exits with 1 if one has expired or ends within 14 days.
    """
    shown = [one for path in sorted(directory.glob("*.pem")) for one in _read(path, datetime.now(UTC))]
    if not shown:
        raise Usage(f"there is no certificate in {directory}; `sealpost certs init` makes some")
    table = Table("File", "Names", "Ends", "Days left", box=None)
    for one in shown:
        style = "red" if one.is_finding else ""
        table.add_row(str(one.path), one.names, f"{one.ends:%Y-%m-%d %H:%M} UTC", str(one.left.days), style=style)
    Console().print(table)
    for one in (one for one in shown if one.is_finding):
        when = "has expired" if one.left <= timedelta() else f"ends in {one.left.days} days"
        typer.echo(f"{one.path}: the certificate of {one.names} {when}; put a new one in its place.")
    if any(one.is_finding for one in shown):
        raise typer.Exit(1)


def _read(path: Path, now: datetime) -> list[Shown]:
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except ValueError:
        # A file with a key alone has no certificate to show.
        return []
    except OSError as error:
        raise Usage(f"cannot read {path}: {error.strerror}") from error
    return [
        Shown(
            path=path,
            names=_names(certificate),
            ends=certificate.not_valid_after_utc,
            left=certificate.not_valid_after_utc - now,
        )
        for certificate in found
    ]


def _names(certificate: x509.Certificate) -> str:
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return certificate.subject.rfc4514_string()
    return ", ".join(str(name.value) for name in alternative)
