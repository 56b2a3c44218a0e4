"""`python -m bench.sealed_memory [MIB]`: by how much a process grows that seals a message of 2 GiB, or wraps it.

Each way has a process of its own, which sends a small message first, so that what is loaded once does not count. The
message is made while it is read, and Postfix's smtp-sink takes what leaves. Processes that one starts count with it.
Left out on purpose: PDF, which holds a message in memory in a process of its own, and has a limit of size for that.
"""

import argparse
import asyncio
import base64
import gc
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from pysequoia import Tsk

from bench.load import Sink, sink
from bench.measure import PeakMemory
from gateway.core.address import parse_address
from gateway.core.outcome import Delivered
from gateway.core.record import BodyRef, QueueId
from gateway.core.route import Declared, Route
from gateway.core.sealed import NewPackage, NewReader
from gateway.core.sealing import Unlock
from gateway.core.tls import Channel, Protection
from gateway.flow.ports import Bodies, BodyWriter
from gateway.net.timeouts import Timeouts
from gateway.sealed.keys import new_keyring
from gateway.sealed.store import SealedFiles
from gateway.transports.archive import Archive
from gateway.transports.network import Network
from gateway.transports.openpgp import OpenPgp
from gateway.transports.smime import Smime
from gateway.transports.wrapping import Wrapping
from tests.fakes.clock import SteppedClock
from tests.fakes.mail_world import a_delivery, world
from tests.sealed.cms.people import GCM, NOW, person, rsa_key

MIB = 1024 * 1024
WAYS = ("portal", "smime", "openpgp", "archive")
_DOMAIN = "sink.example"
_ROUTE = Route(name="r", transport="r", demands=Channel.PLAIN, declared=Declared.SEALING)
_HEADER = (
    b"From: anna@council.example\r\nTo: bob@sink.example\r\nSubject: plan\r\nMessage-ID: <1@council.example>\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="x"\r\n\r\n'
)
_BEFORE = (
    b"--x\r\n\r\nSee the file.\r\n--x\r\nContent-Type: application/octet-stream\r\n"
    b"Content-Disposition: attachment; filename=plan.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n"
)
_AFTER = b"\r\n--x--\r\n"
_LINE = 57
_BLOCK = b"".join(base64.b64encode(os.urandom(_LINE)) + b"\r\n" for _ in range(3360))
"""About 256 KiB of base64, which is repeated."""


@dataclass(frozen=True, slots=True)
class Generated(Bodies):
    """The body of a message with one large file, made while it is read."""

    blocks: int

    @property
    def size(self) -> int:
        """In bytes."""
        return len(_BEFORE) + self.blocks * len(_BLOCK) + len(_AFTER)

    @property
    def file_size(self) -> int:
        """Decoded, in bytes."""
        return self.blocks * len(_BLOCK) // (_LINE // 3 * 4 + 2) * _LINE

    def writer(self) -> BodyWriter:
        """It is never written."""
        raise NotImplementedError

    async def open(self, ref: BodyRef, offset: int = 0) -> AsyncIterator[bytes]:
        """See `Bodies`."""
        at = 0
        for block in (_BEFORE, *[_BLOCK] * self.blocks, _AFTER):
            if at + len(block) > offset:
                yield block[max(0, offset - at) :]
            at += len(block)

    async def whole(self) -> AsyncIterator[bytes]:
        """With its header."""
        yield _HEADER
        async for block in self.open(BodyRef(size=self.size, sha256="", path="generated")):
            yield block


def _large(mib: int) -> Generated:
    return Generated(max(1, mib * MIB // len(_BLOCK)))


async def _sealed(store: SealedFiles, message: Generated) -> None:
    """Sealed, read back whole and compared, and its file read by itself."""
    reader = NewReader(number=1, address=parse_address("bob@sink.example"), unlock=Unlock.PASSPHRASE)
    package = await store.seal(
        NewPackage(
            delivery_id=str(message.blocks), queue_id=QueueId("000-1"), sender=parse_address("anna@council.example"),
            level="restricted", route="encrypted", sealed_at=NOW, expires_at=NOW + timedelta(days=28),
            readers=(reader,),
        ),
        message.whole(),
    )  # fmt: skip
    assert await _digest(store.read(package)) == await _digest(message.whole())
    size = 0
    async for block in store.part(package, 1):
        size += len(block)
    assert size == message.file_size


async def _digest(content: AsyncIterator[bytes]) -> str:
    found = hashlib.sha256()
    async for block in content:
        found.update(block)
    return found.hexdigest()


async def _wrapped(route: Callable[[Network], Wrapping], network: Network, message: Generated) -> None:
    """Carried to the sink by the route itself."""
    body = BodyRef(size=message.size, sha256="", path="generated")
    made = a_delivery(_ROUTE, _DOMAIN, floor=Protection.SEALED, header=_HEADER, body=body)
    transport = route(replace(network, bodies=message))
    try:
        [outcome] = (await transport.deliver(replace(made, body_offset=0))).values()
    finally:
        await transport.aclose()
    assert isinstance(outcome, Delivered), outcome


async def _grow(way: str, mib: int, folder: Path, end: Sink) -> dict[str, float]:
    zones = {_DOMAIN: {"MX": ["10 mx.sink.example."]}, "mx.sink.example": {"A": ["127.0.0.1"]}}
    clock = SteppedClock(NOW)
    store = await SealedFiles.open(folder / "sealed", new_keyring(), clock)
    try:
        async with world(
            folder,
            {},
            zones,
            lambda options: replace(options, mx=replace(options.mx, port=end.port), timeouts=Timeouts()),
        ) as at:
            tools = replace(at.network.sealing, clock=clock, store=store)
            carry = _way(way, folder, store, replace(at.network, sealing=tools))
            await carry(_large(1))
            return await _measured(lambda: carry(_large(mib)))
    finally:
        await store.aclose()


def _way(way: str, folder: Path, store: SealedFiles, network: Network) -> Callable[[Generated], Awaitable[None]]:
    if way == "portal":
        return lambda message: _sealed(store, message)
    certificates, keys = folder / "certificates", folder / "keys"
    certificates.mkdir()
    keys.mkdir()
    (certificates / f"bob@{_DOMAIN}.pem").write_bytes(person(f"bob@{_DOMAIN}", key=rsa_key(), extensions=[GCM]).pem)
    (keys / "bob.pgp").write_bytes(bytes(Tsk.generate(user_id=f"bob@{_DOMAIN}").extract_certificate()))
    routes: dict[str, Callable[[Network], Wrapping]] = {
        "smime": lambda network: Smime(_ROUTE, Smime.Options(certificates=certificates), network),
        "openpgp": lambda network: OpenPgp(_ROUTE, OpenPgp.Options(keys=keys), network),
        "archive": lambda network: Archive(_ROUTE, Archive.Options(), network),
    }
    return lambda message: _wrapped(routes[way], network, message)


async def _measured(work: Callable[[], Awaitable[None]]) -> dict[str, float]:
    gc.collect()
    # Forgets the peak that was (proc(5)); the one of getrusage would be that of whoever started us.
    Path("/proc/self/clear_refs").write_text("5")
    before, start = _status("VmRSS"), time.monotonic()
    with PeakMemory(os.getpid()) as family:
        await work()
    seconds = time.monotonic() - start
    # The kernel's own peak misses nothing, and samples see the processes that were started.
    return {"before": before, "grown": max(_status("VmHWM") - before, family.above / MIB), "seconds": seconds}


def _status(name: str) -> float:
    """In MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(name)


def grown(way: str, mib: int) -> dict[str, float]:
    """MiB that a new process has ``before``, by how many it has ``grown`` at most, and the ``seconds`` it took."""
    command = (sys.executable, "-m", "bench.sealed_memory", "--way", way, str(mib))
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=Path(__file__).parents[1])
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Prints one line for each way; with ``--way`` it is the process that is measured."""
    parser = argparse.ArgumentParser(prog="bench.sealed_memory", description=__doc__)
    parser.add_argument("mib", type=int, nargs="?", default=2048)
    parser.add_argument("--way", choices=WAYS)
    given = parser.parse_args()
    if given.way is not None:
        with tempfile.TemporaryDirectory() as folder, sink() as end:
            print(json.dumps(asyncio.run(_grow(given.way, given.mib, Path(folder), end))))
        return
    for way in WAYS:
        found = grown(way, given.mib)
        rate = given.mib / found["seconds"]
        print(
            f"{way:8} {given.mib} MiB: {found['grown']:5.1f} MiB above {found['before']:.0f}, "
            f"{found['seconds']:.0f} s, {rate:.0f} MiB/s"
        )


if __name__ == "__main__":
    main()
