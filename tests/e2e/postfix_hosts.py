"""Real Postfix servers: hosts that the council's routes end at, and the mail server in front of the gateway."""

import contextlib
import re
from collections.abc import Generator
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path

from gateway.sandbox.credentials import Credentials
from tests.e2e.stage import Stage
from tests.peers.postfix import Postfix, Service, postfix

_RECORDS = ("default_transport = record:",)


@contextlib.contextmanager
def relay(credentials: Credentials, name: str, port: int, *, clients_of: Path | None = None) -> Generator[Postfix]:
    """A relay that takes mail inside TLS only and records it; its Received field says how each message came.

    With ``clients_of``, the certificate of an authority, it takes mail only from clients whose own is signed by it.
    """
    certificate = credentials.issue(f"postfix-{name}.pem", (name,))
    demand = ("smtpd_tls_ask_ccert=yes", "smtpd_tls_req_ccert=yes") if clients_of else ()
    options = (
        "smtpd_tls_security_level=encrypt",
        "smtpd_tls_received_header=yes",
        f"smtpd_tls_cert_file={certificate}",
        f"smtpd_tls_key_file={certificate}",
        f"smtpd_tls_CAfile={clients_of or credentials.ca}",
        *demand,
    )
    with postfix(name, [Service(port=port, options=options)], _RECORDS) as instance:
        yield instance


@contextlib.contextmanager
def mail_server(on: Stage, port: int, *extra: str) -> Generator[Postfix]:
    """The organisation's own mail server: everything goes to the gateway, inside TLS, with its certificate checked."""
    settings = (
        f"relayhost = [127.0.0.1]:{on.smtp_port}",
        "smtp_tls_security_level = secure",
        "smtp_tls_secure_cert_match = gateway.derbyshire.gov.uk",
        f"smtp_tls_CAfile = {on.folder / 'ca.pem'}",
        "smtp_tls_loglevel = 1",
        *extra,
    )
    with postfix("mail.derbyshire.gov.uk", [Service(port=port)], settings) as instance:
        yield instance


@dataclass(frozen=True, slots=True)
class Received:
    """What Postfix's own, topmost Received field says; ``client`` is the name of a certificate that it verified."""

    by: str
    protocol: str
    tls_version: str | None
    client: str | None


_TLS = re.compile(r"\(using (\S+) with cipher")
_CLIENT = re.compile(r'\(Client CN "([^"]*)", Issuer "[^"]*" \(verified OK\)\)')
_BY = re.compile(r"\sby (\S+) \(Postfix\) with (\S+) id")


def received(mail: bytes) -> Received:
    """Reads it of a recorded message."""
    field = str(message_from_bytes(mail)["Received"])
    by, tls, client = _BY.search(field), _TLS.search(field), _CLIENT.search(field)
    assert by is not None, field
    return Received(by[1], by[2], tls[1] if tls else None, client[1] if client else None)


def header_of(mail: bytes) -> bytes:
    """The header block of a recorded message, whose lines end in LF."""
    return mail.partition(b"\n\n")[0]


def content_of(mail: bytes) -> bytes:
    """The body of a recorded message as it travelled, with CRLF lines."""
    return mail.partition(b"\n\n")[2].replace(b"\n", b"\r\n")
