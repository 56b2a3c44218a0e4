"""Short ways to build messages for the scan's tests; lines are given with LF and become CRLF."""

import base64

from gateway.core.facts import Scan
from gateway.core.scan import ScanLimits, Scanner


def crlf(text: str | bytes) -> bytes:
    """LF lines as CRLF lines; text is taken byte by byte, so samples may hold any byte."""
    data = text.encode("latin-1") if isinstance(text, str) else text
    return data.replace(b"\n", b"\r\n")


def scan(message: str | bytes, limits: ScanLimits | None = None) -> Scan:
    """The scan of a message given with LF lines."""
    return scan_bytes(crlf(message), limits)


def scan_bytes(message: bytes, limits: ScanLimits | None = None) -> Scan:
    scanner = Scanner(limits) if limits else Scanner()
    scanner.feed(message)
    return scanner.close()


def encoded(data: bytes) -> str:
    """Base64 in lines of 76 characters."""
    return base64.encodebytes(data).decode("ascii")


def multipart(*parts: str, boundary: str = "b", kind: str = "mixed", head: str = "From: a@council.example\n") -> str:
    """A multipart of parts that are each given as header, empty line and body."""
    body = "".join(f"--{boundary}\n{part}\n" for part in parts)
    return f'{head}Content-Type: multipart/{kind}; boundary="{boundary}"\n\n{body}--{boundary}--\n'


def named(name: str, data: bytes = b"12345", *, type_: str = "application/pdf", extra: str = "") -> str:
    """A base64 attachment part."""
    return (
        f'Content-Type: {type_}\nContent-Disposition: attachment; filename="{name}"\n'
        f"Content-Transfer-Encoding: base64\n{extra}\n{encoded(data)}"
    )
