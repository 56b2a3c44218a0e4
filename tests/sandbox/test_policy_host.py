"""The policy host shows each domain's file over HTTPS, and nothing else."""

import asyncio
import http.client
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.sandbox.alongside import alongside
from gateway.sandbox.credentials import Credentials
from gateway.sandbox.policy_host import PolicyHost, policy_name
from gateway.sandbox.sockets import Place, bind, port_of

ADDRESS = "127.0.25.200"
PATH = "/.well-known/mta-sts.txt"


@asynccontextmanager
async def serving(folder: Path) -> AsyncGenerator[tuple[PolicyHost, int, ssl.SSLContext]]:
    credentials = Credentials(folder)
    names = tuple(map(policy_name, ("a.example", "b.example")))
    host = PolicyHost({"a.example": "version: STSv1\r\n"}, credentials.issue("policies.pem", names))
    sock = bind("the policy host", Place(socket.SOCK_STREAM, ADDRESS), 0)
    async with alongside(host.serve(sock)):
        yield host, port_of(sock), ssl.create_default_context(cafile=credentials.ca)


def get(port: int, context: ssl.SSLContext, name: str, path: str) -> tuple[int, str | None, bytes]:
    """Asks the host for a file under that name, which its certificate has to be for."""
    raw = socket.create_connection((ADDRESS, port), timeout=10)
    with context.wrap_socket(raw, server_hostname=name) as tls:
        tls.sendall(f"GET {path} HTTP/1.1\r\nHost: {name}:{port}\r\n\r\n".encode())
        answer = http.client.HTTPResponse(tls)
        answer.begin()
        return answer.status, answer.headers["Content-Type"], answer.read()


@pytest.mark.parametrize(
    ("domain", "path", "expected"),
    [
        ("a.example", PATH, (200, "text/plain", b"version: STSv1\r\n")),
        ("b.example", PATH, (404, "text/plain", b"there is no such policy\n")),
        ("a.example", "/", (404, "text/plain", b"there is no such policy\n")),
    ],
)
async def test_a_file_is_shown_under_its_own_name_alone(
    domain: str, path: str, expected: tuple[int, str, bytes], tmp_path: Path
) -> None:
    async with serving(tmp_path) as (_, port, context):
        assert await asyncio.to_thread(get, port, context, policy_name(domain), path) == expected


async def test_files_can_be_replaced_while_it_serves(tmp_path: Path) -> None:
    async with serving(tmp_path) as (host, port, context):
        host.policies = {"b.example": "later"}
        assert (await asyncio.to_thread(get, port, context, policy_name("b.example"), PATH))[2] == b"later"
        assert (await asyncio.to_thread(get, port, context, policy_name("a.example"), PATH))[0] == 404


async def test_a_client_that_speaks_no_tls_or_too_much_does_not_end_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, port, context):
        _, writer = await asyncio.open_connection(ADDRESS, port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        assert (await asyncio.to_thread(get, port, context, policy_name("a.example"), PATH))[0] == 200
