"""`python -m bench.trust`: microseconds of CPU that a message costs to know what its host has to be, with warm caches.

That is: what DNS and the domain's policy say of one MX host, and the demand that follows, for a domain with and without
an enforced MTA-STS policy and a pin. Handshakes are not in it.
"""

import asyncio
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.app.system import SystemClock
from gateway.core.demand import Demand, Wishes, need
from gateway.core.pin import Pin, Pins
from gateway.core.tls import Channel, MxAuth, Requirement
from gateway.net.dane import Dane
from gateway.net.dns import DnsOptions, Resolver
from gateway.net.mta_sts import Sts
from gateway.net.remote import Remote
from gateway.sandbox.alongside import alongside
from gateway.sandbox.dns_server import DnsServer
from gateway.sandbox.zone import Zone
from gateway.spool.state import SharedState

ROUNDS = 20_000
VERIFIED = Requirement(MxAuth.NONE, Channel.PKIX)
ZONE = Zone(
    records={
        "plain.example": ("MX 10 mx.plain.example.",),
        "mx.plain.example": ("A 127.0.0.1",),
        "sts.example": ("MX 10 mx.sts.example.",),
        "mx.sts.example": ("A 127.0.0.1",),
        "_mta-sts.sts.example": ('TXT "v=STSv1; id=1"',),
    }
)
POLICY = b"version: STSv1\nmode: enforce\nmx: *.sts.example\nmax_age: 86400\n"
PINS = Pins((Pin(name="P", domains=("*.example",), requirement=VERIFIED, fingerprints=frozenset({"ab" * 32})),))


async def fetch(domain: str) -> bytes:
    """The policy host."""
    return POLICY


async def main() -> None:
    """Prints the table."""
    sockets = [socket.socket(type=kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)]
    sockets[0].bind(("127.0.0.1", 0))
    sockets[1].bind(sockets[0].getsockname())
    nameserver = f"127.0.0.1:{sockets[0].getsockname()[1]}"
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        state = await SharedState.open(Path(folder) / "state.db", clock)
        async with alongside(DnsServer(ZONE).serve(*sockets)):
            for trust in (False, True):
                resolver = Resolver(DnsOptions(nameservers=(nameserver,), trust_ad=trust), clock)
                remote = Remote(Dane(resolver, 25), Sts(resolver, fetch, state, clock))
                for domain in ("plain.example", "sts.example"):
                    for name, pins in (("no pin", Pins(())), ("a pin", PINS)):
                        spent = await _spent(_one(remote, pins, domain))
                        print(f"{domain:14} {name:7} trust_ad = {str(trust).lower():5}  {spent:6.1f} us a message")
        await state.aclose()


def _one(remote: Remote, pins: Pins, domain: str) -> Callable[[], Awaitable[None]]:
    async def message() -> None:
        facts = await remote.facts(domain, f"mx.{domain}", MxAuth.NONE)
        wishes = Wishes(own=VERIFIED, said_by="route secure, floor verified", pin=pins.of(domain))
        assert isinstance(need(wishes, facts), Demand)

    return message


async def _spent(message: Callable[[], Awaitable[None]]) -> float:
    for _ in range(10):
        await message()
    before = time.process_time()
    for _ in range(ROUNDS):
        await message()
    return (time.process_time() - before) / ROUNDS * 1e6


if __name__ == "__main__":
    asyncio.run(main())
