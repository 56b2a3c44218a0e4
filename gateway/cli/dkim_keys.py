"""Makes keys that sign mail (`sealpost certs dkim`): the files, the records for DNS, and the configuration's block."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, assert_never

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.cli.errors import Usage
from gateway.core.address import BadAddress, parse_domain
from gateway.sandbox.authority import write_secret
from gateway.signing.keys import PrivateKey
from gateway.signing.record import zone_line

RSA_BITS: Final = 2048
"""What a signer should use (RFC 8301 section 3.2)."""


class Kind(StrEnum):
    """The word of ``--type``."""

    RSA = "rsa"
    ED25519 = "ed25519"
    BOTH = "both"

    @property
    def all(self) -> tuple["Kind", ...]:
        """The kinds of the keys to make."""
        return (Kind.RSA, Kind.ED25519) if self is Kind.BOTH else (self,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One new key in its file."""

    path: Path
    domains: tuple[str, ...]
    selector: str
    key: PrivateKey

    @property
    def records(self) -> str:
        """The lines for the zone of each domain."""
        return "\n".join(zone_line(self.selector, domain, self.key) for domain in self.domains)

    @property
    def block(self) -> str:
        """What the configuration has to say; JSON's lists and texts are TOML's."""
        return (
            f"[[dkim]]\ndomains = {json.dumps(self.domains)}\nselector = {json.dumps(self.selector)}\n"
            f"key = {json.dumps(f'file:{self.path}')}"
        )


def make_keys(directory: Path, domains: Sequence[str], selector: str, kind: Kind) -> list[Made]:
    """Writes a file for each key, whose selector ends in the first letter of its kind: no two can share one.

    Raises:
        Usage: a name cannot be used, or a file is there already.
        OSError: a file cannot be written.
    """
    names = tuple(dict.fromkeys(_name("--domain", domain) for domain in domains))
    wanted = {each: _name("--selector", f"{selector}{each[0]}") for each in kind.all}
    paths = {each: directory / f"dkim-{name}.pem" for each, name in wanted.items()}
    for path in paths.values():
        if path.exists():
            raise Usage(f"{path} is there already, and mail may be signed with it; take another selector")
    directory.mkdir(parents=True, exist_ok=True)
    made = [Made(path=paths[each], domains=names, selector=wanted[each], key=_new(each)) for each in wanted]
    for one in made:
        pem = one.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_secret(one.path, pem)
    return made


def _name(option: str, text: str) -> str:
    try:
        return parse_domain(text)
    except BadAddress as error:
        raise Usage(f"{option} `{text}`: {error}") from error


def _new(kind: Kind) -> PrivateKey:
    match kind:
        case Kind.RSA:
            return generate_private_key(public_exponent=65537, key_size=RSA_BITS)
        case Kind.ED25519:
            return Ed25519PrivateKey.generate()
        case Kind.BOTH:
            raise ValueError("one key has one kind")
        case _:
            assert_never(kind)
