"""Certificates in an LDAP directory (RFC 4511, RFC 4523): those of the entries that have the address.

One connection for each question, in threads of its own, so that a directory that is silent delays no file. Left out on
purpose: referrals, certificates of domains, and keeping answers.
"""

import asyncio
import socket
import ssl
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, cast
from urllib.parse import unquote, urlsplit

from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from gateway.core.address import Address
from gateway.sealed.cms.certificates import UNREADABLE
from gateway.sealed.recipients.found import Found, LookupFailed

with warnings.catch_warnings():
    # It asks pyasn1 for names that are going away there.
    warnings.simplefilter("ignore", DeprecationWarning)
    import ldap3  # pyright: ignore[reportMissingTypeStubs]
    from ldap3.core.exceptions import LDAPException  # pyright: ignore[reportMissingTypeStubs]
    from ldap3.utils import conv  # pyright: ignore[reportMissingTypeStubs]

_AT_ONCE: Final = 4
_STEP: Final = 5
"""Seconds for a connection, and for each answer."""
_TIMEOUT: Final = 20.0
"""Seconds for all of a question, waiting for its turn included."""
_MOST_ENTRIES: Final = 10
_MOST_CERTIFICATES: Final = 50
_CERTIFICATE: Final = "usercertificate"
_SIGNED: Final = "usersmimecertificate"
_ATTRIBUTES: Final = (
    "userCertificate",
    "userCertificate;binary",
    "userSMIMECertificate",
    "userSMIMECertificate;binary",
)
_PORTS: Final = {"ldap": 389, "ldaps": 636}


class _Server(Protocol):
    """What is used of ldap3's classes, which have no types."""

    tls: object


class _Connection(Protocol):
    response: Sequence[Mapping[str, object]] | None
    socket: socket.socket | None

    def open(self) -> object: ...
    def bind(self) -> object: ...
    def search(self, **options: object) -> object: ...
    def unbind(self) -> object: ...


_connection = cast("Callable[..., _Connection]", ldap3.Connection)
_server = cast("Callable[..., _Server]", ldap3.Server)
_escaped = cast(
    "Callable[[str], str]",
    conv.escape_filter_chars,  # pyright: ignore[reportUnknownMemberType]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapServer:
    """Where it is, and as whom it is asked (None: nobody). Without ``ca`` the system's authorities vouch for it."""

    host: str
    port: int
    tls: bool
    base: str
    bind_dn: str | None = None
    bind_password: str | None = field(default=None, repr=False)
    ca: Path | None = None


def parse_url(url: str) -> tuple[str, int, bool, str]:
    """Host, port, whether by TLS, and base of ``ldaps://host:port/base`` (RFC 4516 section 2).

    Raises:
        ValueError: not such a URL; the text says what it looks like.
    """
    parts = urlsplit(url)
    base = unquote(parts.path.removeprefix("/"))
    if parts.scheme not in _PORTS or not parts.hostname or not base or parts.query or parts.username:
        raise ValueError("a directory is ldaps://host/base, such as ldaps://ldap.example/ou=people,dc=example")
    return parts.hostname, parts.port or _PORTS[parts.scheme], parts.scheme == "ldaps", base


class LdapDirectory:
    """One directory."""

    def __init__(self, server: LdapServer) -> None:
        """Raises ValueError for authorities that cannot be read."""
        self._server = server
        self._handshake = _Handshake(server) if server.tls else None
        self._threads = _threads()
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def find(self, address: Address) -> Sequence[Found]:
        """The certificates of the address. Raises LookupFailed if the directory does not say."""
        try:
            async with asyncio.timeout(_TIMEOUT), self._turns:
                certificates = await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, address)
        except TimeoutError as error:
            raise LookupFailed("The directory of certificates did not answer in time.") from error
        except (LDAPException, OSError) as error:
            # Its text may have more in it than others should read.
            raise LookupFailed(f"The directory of certificates failed ({type(error).__name__}).") from error
        return [Found(der, str(address), believed=False) for der in certificates[:_MOST_CERTIFICATES]]

    def close(self) -> None:
        """Lets its threads end, without waiting for questions; it may be asked again."""
        self._threads.shutdown(wait=False)
        self._threads = _threads()

    def _ask(self, address: Address) -> list[bytes]:
        connection = self._connect()
        try:
            connection.open()
            connection.bind()
            connection.search(
                search_base=self._server.base,
                search_filter=_filter(address),
                attributes=_ATTRIBUTES,
                size_limit=_MOST_ENTRIES,
                time_limit=_STEP,
            )
            return [der for entry in connection.response or () for der in _certificates(entry)]
        finally:
            connection.unbind()
            # One that was never connected is not closed by that.
            if connection.socket is not None:
                connection.socket.close()

    def _connect(self) -> _Connection:
        at = self._server
        server = _server(at.host, at.port, use_ssl=at.tls, get_info=ldap3.NONE, connect_timeout=_STEP)
        if self._handshake is not None:
            server.tls = self._handshake
        return _connection(
            server,
            at.bind_dn,
            at.bind_password,
            auto_bind=ldap3.AUTO_BIND_NONE,
            auto_referrals=False,
            check_names=False,
            raise_exceptions=True,
            read_only=True,
            receive_timeout=_STEP,
        )


def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_AT_ONCE, "ldap")


class _Handshake:
    """In place of ldap3's own, which compares names itself, and by a function that Python is giving up."""

    def __init__(self, server: LdapServer) -> None:
        self._host = server.host
        try:
            self._context = ssl.create_default_context(cafile=server.ca)
        except OSError as error:
            raise ValueError(f"there are no authorities in PEM form in {server.ca}") from error

    def wrap_socket(self, connection: _Connection, do_handshake: bool = False) -> None:
        """As ldap3 calls it. Raises OSError."""
        assert connection.socket is not None
        connection.socket = self._context.wrap_socket(
            connection.socket, do_handshake_on_connect=do_handshake, server_hostname=self._host
        )


def _filter(address: Address) -> str:
    """By the attribute of most directories, or that of Microsoft's; what is not known there matches nothing."""
    text = _escaped(str(address))
    return f"(|(mail={text})(proxyAddresses=smtp:{text}))"


def _certificates(entry: Mapping[str, object]) -> Iterator[bytes]:
    """All that an entry of the answer holds; a reference to another directory holds nothing."""
    attributes = cast("Mapping[str, object]", entry.get("raw_attributes") or {})
    for name, values in attributes.items():
        kind = name.partition(";")[0].casefold()
        for value in cast("Sequence[bytes]", values):
            if kind == _CERTIFICATE:
                yield value
            elif kind == _SIGNED:
                yield from _of_signed(value)


def _of_signed(value: bytes) -> Iterator[bytes]:
    """userSMIMECertificate is a signed message without content (RFC 2798 section 2.8)."""
    try:
        yield from (each.public_bytes(Encoding.DER) for each in pkcs7.load_der_pkcs7_certificates(value))
    except UNREADABLE:
        return
