"""The policy server's map while its configuration changes, and what it says of reasons."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.app.system import SystemClock
from gateway.app.tls_policies import TlsPolicies
from gateway.config.bundle import read_bundle
from gateway.config.load import Loaded, load
from gateway.core.policy import Policy
from gateway.core.registers.book import Registers
from gateway.core.registers.directory import directory
from gateway.core.registers.partners import Partner
from gateway.core.tls import Protection
from gateway.net.dns import DnsOptions
from gateway.telemetry.log import Level, Log, LogFile
from gateway.wire.socketmap import Reply, Request, Result
from tests.config.certified import certified
from tests.fakes.dns import SILENT, FakeDns
from tests.fakes.state import MemoryState

TABLE = {
    "partner.example": {"MX": ["10 mx.partner.example."]},
    "mx.partner.example": {"A": ["192.0.2.1"]},
    "silent.example": {"MX": SILENT},
}


class Noticed(FakeDns):
    """Says when the first question has come."""

    def __init__(self) -> None:
        super().__init__(TABLE)
        self.came = asyncio.Event()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        super().datagram_received(data, addr)
        self.came.set()


def loaded(folder: Path, dns: FakeDns, tls: Protection = Protection.NONE) -> Loaded:
    found = load(read_bundle(certified(folder)))
    options = DnsOptions(nameservers=(dns.nameserver,), timeout=timedelta(seconds=1))
    return replace(found, settings=replace(found.settings, dns=options), policy=with_partner(found.policy, tls))


def with_partner(policy: Policy, tls: Protection) -> Policy:
    partners = directory([("partner.example", Partner(name="Partner", tls=tls))])
    return replace(policy, registers=Registers(partners=partners))


@asynccontextmanager
async def policies() -> AsyncGenerator[TlsPolicies]:
    clock = SystemClock()
    found = TlsPolicies(MemoryState(clock), clock, Log(LogFile(-1), Level.ERROR))
    try:
        yield found
    finally:
        await found.aclose()


def asked(key: str) -> Request:
    return Request("tls", key)


async def test_a_reload_is_in_force_at_once_and_a_lookup_that_was_begun_still_ends(tmp_path: Path) -> None:
    dns = Noticed()
    async with dns, policies() as tls:
        before = loaded(tmp_path, dns)
        tls.put(before)
        slow = asyncio.create_task(tls.answer(asked("silent.example")))
        await asyncio.wait_for(dns.came.wait(), 10)
        tls.put(replace(before, policy=with_partner(before.policy, Protection.ENCRYPTED)))
        assert await tls.answer(asked("partner.example")) == Reply(Result.OK, "encrypt protocols=>=TLSv1.2")
        assert not slow.done()
        assert (await slow).result is Result.TEMP
        assert await tls.answer(asked("[partner.example]:25")) == Reply(Result.OK, "encrypt protocols=>=TLSv1.2")


async def test_a_configuration_that_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    async with FakeDns(TABLE) as dns, policies() as tls:
        good = loaded(tmp_path, dns, Protection.ENCRYPTED)
        tls.put(good)
        with pytest.raises(ValueError, match="cannot be loaded"):
            tls.put(replace(good, settings=replace(good.settings, tls_ca=tmp_path / "missing.pem")))
        assert (await tls.answer(asked("partner.example"))).result is Result.OK


async def test_a_reason_that_postfix_could_not_log_is_made_plain(tmp_path: Path) -> None:
    async with FakeDns(TABLE) as dns, policies() as tls:
        tls.put(loaded(tmp_path, dns))
        reply = await tls.answer(asked("[192.0.2.1]:25:ü\n"))
        assert reply.result is Result.TEMP
        assert reply.text.startswith("This is no next hop")
        assert (await tls.answer(asked("x" * 900))).result is Result.TEMP
