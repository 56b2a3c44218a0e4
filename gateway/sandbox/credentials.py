"""The certificates of the sandbox's world, good and bad, and the server contexts that show them.

Everything is made anew at each start and signed by an authority that only the sandbox's own configuration trusts.
"""

import hashlib
import ssl
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.sandbox.authority import Credential, Validity, issue, make_authority, self_signed, write_secret
from gateway.sandbox.behaviour import Behaviour, Demand, Shown, Versions

LIFETIME: Final = timedelta(days=90)
WRONG_NAME: Final = "mx.elsewhere.example"


class Credentials:
    """Makes what the world shows, in files of ``directory``; ``ca`` is what a client must trust."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._now = datetime.now(UTC)
        self._keys: dict[str, str] = {}
        self._authority = make_authority("Sealpost sandbox authority", self._good)
        self._stranger = make_authority("Authority that nobody knows", self._good)
        self.ca = directory / "ca.pem"
        self.ca.write_bytes(self._authority.certificate_pem)

    @property
    def _good(self) -> Validity:
        return Validity.lasting(self._now, LIFETIME)

    def issue(self, file_name: str, names: tuple[str, ...]) -> Path:
        """Writes a good certificate with its key for ``names``; returns the file."""
        return self._write(file_name, issue(self._authority, names, self._good))

    def server_context(self, host: str, behaviour: Behaviour, names: tuple[str, ...] = ()) -> ssl.SSLContext:
        """What ``host`` greets TLS clients with; its certificate is for ``names``, or else its own."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if behaviour.versions is Versions.TLS10_ONLY:
            _only_tls10(context)
        shown = self._shown(names or (host,), behaviour)
        self._keys[host] = hashlib.sha256(_public_key(shown)).hexdigest()
        context.load_cert_chain(self._write(f"{host}-{behaviour.shown.name.lower()}.pem", shown))
        if behaviour.demand is Demand.CLIENT_CERTIFICATE:
            # Optional in TLS, so that a client without one is told why in SMTP and not by a broken connection.
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(self.ca)
        return context

    def key_of(self, host: str) -> str:
        """SHA-256 in hex of the public key that a host shows now, for its TLSA record (RFC 6698 section 2.1)."""
        return self._keys[host]

    def _shown(self, names: tuple[str, ...], behaviour: Behaviour) -> Credential:
        makers: dict[Shown, Callable[[], Credential]] = {
            Shown.GOOD: lambda: issue(self._authority, names, self._good),
            Shown.SELF_SIGNED: lambda: self_signed(names, self._good),
            Shown.EXPIRED: lambda: issue(self._authority, names, self._past()),
            Shown.WRONG_HOST: lambda: issue(self._authority, (WRONG_NAME,), self._good),
            Shown.UNTRUSTED: lambda: issue(self._stranger, names, self._good),
        }
        return makers[behaviour.shown]()

    def _past(self) -> Validity:
        return Validity(start=self._now - timedelta(days=60), end=self._now - timedelta(days=30))

    def _write(self, file_name: str, credential: Credential) -> Path:
        path = self._directory / file_name
        write_secret(path, credential.pem)
        return path


def _public_key(credential: Credential) -> bytes:
    return credential.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _only_tls10(context: ssl.SSLContext) -> None:
    # Its ciphers and SHA-1 signatures are below OpenSSL's default security level.
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        # Python calls the version deprecated, which is the very reason that a host shows it here.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1
