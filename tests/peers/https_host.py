"""An HTTPS host for MTA-STS policies (RFC 8461 section 3.3), in a thread of the test's own process."""

import contextlib
import ssl
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

PATH = "/.well-known/mta-sts.txt"


@dataclass(slots=True)
class HttpsHost:
    """``policies`` are served by host name and may change at any time; ``asked`` are the names that were asked for."""

    address: str
    policies: dict[str, str]
    asked: list[str] = field(default_factory=list)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: HttpsHost, certificate: Path) -> None:
        self.host = host
        super().__init__((host.address, 443), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        # The handshake is the business of each connection's thread, so that a silent client stops nobody else.
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not trust us ends the handshake, which is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    timeout = 10

    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        host = self.server.host
        name = self.headers.get("Host", "").partition(":")[0]
        host.asked.append(name)
        policy = host.policies.get(name) if self.path == PATH else None
        body = (policy or "").encode()
        self.send_response(404 if policy is None else 200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """The test reads ``asked`` instead."""


@contextlib.contextmanager
def https_host(certificate: Path, address: str, *, policies: Mapping[str, str]) -> Generator[HttpsHost]:
    """Serves on port 443 until the end of the block; ``certificate`` is a file with key and chain. Needs root."""
    with _Server(HttpsHost(address, dict(policies)), certificate) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.host
        finally:
            server.shutdown()
            thread.join(10)
