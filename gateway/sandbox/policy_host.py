"""A web server of the sandbox that shows the MTA-STS policies of many domains (RFC 8461 section 3.3), and nothing else.

One certificate is good for all their names. Left out on purpose: everything of HTTP but one GET for each connection.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from gateway.sandbox.server_stream import ServerStream
from gateway.sandbox.streams import serve_streams
from gateway.sandbox.tape import Tape, TapedReader

_PATH: Final = "/.well-known/mta-sts.txt"
_MAX_REQUEST: Final = 16 * 1024
_PATIENCE: Final = timedelta(seconds=10)


def policy_name(domain: str) -> str:
    """The host that a domain's policy is fetched from."""
    return f"mta-sts.{domain}"


class PolicyHost:
    """Runs within `serve`; ``policies`` maps domains to their files and may be replaced at any time."""

    def __init__(self, policies: Mapping[str, str], certificate: Path) -> None:
        self.policies = policies
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)

    async def serve(self, sock: socket.socket) -> None:
        """Serves on a listening socket until it is cancelled."""
        await serve_streams(sock, lambda: TapedReader(Tape(0)), self._converse)

    async def _converse(self, reader: TapedReader, writer: asyncio.StreamWriter) -> None:
        stream = ServerStream(reader, writer, timeout=_PATIENCE.total_seconds(), max_buffer=_MAX_REQUEST)
        try:
            await stream.start_tls(self._context)
            request = await stream.read_until(b"\r\n\r\n")
            await stream.write(self._answer(request.decode("latin-1").split("\r\n")))
        except (OSError, EOFError, asyncio.LimitOverrunError):
            # The client broke off, or did not like our certificate.
            return
        finally:
            await stream.finish()

    def _answer(self, lines: list[str]) -> bytes:
        policy = self.policies.get(_host(lines[1:]).removeprefix("mta-sts.").partition(":")[0])
        if policy is None or lines[0] != f"GET {_PATH} HTTP/1.1":
            return _response("404 Not Found", "there is no such policy\n")
        return _response("200 OK", policy)


def _host(fields: Iterable[str]) -> str:
    pairs = (field.partition(":") for field in fields)
    return next((value.strip().lower() for name, _, value in pairs if name.lower() == "host"), "")


def _response(status: str, text: str) -> bytes:
    body = text.encode()
    fields = ("Content-Type: text/plain", f"Content-Length: {len(body)}", "Connection: close")
    return "\r\n".join((f"HTTP/1.1 {status}", *fields, "", "")).encode() + body
