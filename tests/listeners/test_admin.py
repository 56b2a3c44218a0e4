"""The admin port: three pages, few and short connections, and an end when the gateway stops."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncGenerator

import pytest

from gateway.listeners import admin
from gateway.listeners.admin import AdminPages, serve_admin


class Pages:
    def __init__(self) -> None:
        self.reason: str | None = None
        self.thread: threading.Thread | None = None

    def metrics(self) -> bytes:
        self.thread = threading.current_thread()
        return b"sealpost_received_total 1.0\n"

    @property
    def pages(self) -> AdminPages:
        return AdminPages(metrics=self.metrics, content_type="text/x-metrics", not_ready=lambda: self.reason)


@contextlib.asynccontextmanager
async def served(pages: Pages) -> AsyncGenerator[int]:
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(serve_admin(pages.pages, sock))
        yield port
        serving.cancel()
    assert sock.fileno() == -1


async def get(port: int, path: str) -> tuple[int, str, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    return int(head.split(" ")[1]), head.lower(), body


async def test_metrics_are_read_in_a_thread_and_served_with_their_type() -> None:
    pages = Pages()
    async with served(pages) as port:
        status, head, body = await get(port, "/metrics")
        assert (status, body) == (200, "sealpost_received_total 1.0\n")
        assert "content-type: text/x-metrics" in head
        assert "server:" not in head
        assert pages.thread is not threading.main_thread()


async def test_alive_is_not_ready() -> None:
    pages = Pages()
    async with served(pages) as port:
        assert (await get(port, "/readyz"))[::2] == (200, "ready\n")
        pages.reason = "worker 1 is being replaced"
        assert (await get(port, "/readyz"))[::2] == (503, "worker 1 is being replaced\n")
        assert (await get(port, "/healthz"))[::2] == (200, "alive\n")


async def test_there_is_nothing_else_and_nothing_to_change() -> None:
    async with served(Pages()) as port:
        assert (await get(port, "/"))[0] == 404
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 405")
        writer.close()


async def test_an_endless_header_is_cut_off() -> None:
    async with served(Pages()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answer = b""
        with contextlib.suppress(ConnectionError):
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 200_000 + b"\r\n\r\n")
            answer = await reader.read()
        # What it had not read yet may make the kernel reset the connection in front of the answer.
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400")
        writer.close()
        assert (await get(port, "/healthz"))[0] == 200


async def test_more_connections_than_places_are_turned_away_and_silent_ones_give_theirs_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(admin, "_LIFETIME", 0.5)
    async with served(Pages()) as port:
        assert (await get(port, "/healthz"))[0] == 200
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(16)]
        assert (await get(port, "/healthz"))[0] == 503
        for reader, writer in silent:
            assert await reader.read() == b""
            writer.close()
        assert (await get(port, "/healthz"))[0] == 200
