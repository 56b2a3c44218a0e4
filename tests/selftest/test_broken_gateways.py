"""A gateway that is broken on purpose is caught, and the fault by which it is caught is named."""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.core.check import Check
from gateway.core.dane import NoTlsa
from gateway.core.sts import StsPolicy
from gateway.core.tls import Step
from gateway.net.connection import Connection
from gateway.net.dane import Dane
from gateway.net.judge import Passed
from gateway.net.sts_store import NotKept, StsStore
from gateway.net.terms import Terms
from gateway.net.tls import TlsContexts
from gateway.selftest.fault import CONTROLS, NO_TLS, TRAPS
from gateway.selftest.result import Became
from gateway.selftest.severed import SeveredSpool
from gateway.selftest.stage import Played, Stage, play
from gateway.wire.smtp_replies import ReplyReader
from tests.selftest.conftest import Configured

Patch = pytest.MonkeyPatch

pytestmark = pytest.mark.usefixtures("quick")


def sends_in_the_clear(patch: Patch) -> None:
    patch.setattr("gateway.net.dial.next_step", lambda *_args, **_kwargs: Step.PLAIN)
    patch.setattr(Terms, "met_by", lambda *_args: True)


def believes_every_certificate(patch: Patch) -> None:
    real = TlsContexts.context
    patch.setattr(TlsContexts, "context", lambda self, check, own: real(self, Check(sni=check.sni), own))
    patch.setattr("gateway.net.smtp_session.channel_of", lambda _tls, check: check.gives)


def never_compares_tlsa(patch: Patch) -> None:
    patch.setattr("gateway.net.handshake.judge", lambda *_args: Passed())


def takes_a_failed_lookup_for_no_tlsa(patch: Patch) -> None:
    async def facts(*_args: Any) -> NoTlsa:
        return NoTlsa.ABSENT

    patch.setattr(Dane, "facts", facts)


def forgets_policies(patch: Patch) -> None:
    async def look(*_args: Any) -> NotKept:
        return NotKept.NOTHING

    patch.setattr(StsStore, "look", look)


def believes_that_policies_mean_every_host(patch: Patch) -> None:
    patch.setattr(StsPolicy, "matches", lambda *_args: True)


def overlooks_what_stands_behind_the_220(patch: Patch) -> None:
    def quiet(self: Connection) -> bool:
        self._replies = ReplyReader()
        return True

    patch.setattr(Connection, "quiet", property(quiet))


def speaks_tls_10(patch: Patch) -> None:
    real = TlsContexts.context

    def context(self: TlsContexts, check: Check, own: Any) -> ssl.SSLContext:
        made = real(self, check, own)
        made.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning):
            made.minimum_version = ssl.TLSVersion.TLSv1
        return made

    patch.setattr(TlsContexts, "context", context)


CASES = [
    (sends_in_the_clear, "no-starttls", "in the clear"),
    (sends_in_the_clear, "stripped", "in the clear"),
    (sends_in_the_clear, "cut", "in the clear"),
    (believes_every_certificate, "self-signed", "inside TLSv1.3"),
    (believes_every_certificate, "expired", "inside TLSv1.3"),
    (believes_every_certificate, "wrong-name", "inside TLSv1.3"),
    (believes_every_certificate, "untrusted", "inside TLSv1.3"),
    (believes_every_certificate, "sts-certificate", "inside TLSv1.3"),
    (never_compares_tlsa, "tlsa-other", "inside TLSv1.3"),
    (takes_a_failed_lookup_for_no_tlsa, "tlsa-servfail", "inside TLSv1.3"),
    (forgets_policies, "sts-kept-silence", "inside TLSv1.3"),
    (forgets_policies, "sts-kept-broken", "inside TLSv1.3"),
    (believes_that_policies_mean_every_host, "sts-excluded", "inside TLSv1.3"),
    (overlooks_what_stands_behind_the_220, "injected", "inside TLSv1.3"),
    (speaks_tls_10, "tls10", "inside TLSv1"),
]


@pytest.mark.parametrize("broken", dict.fromkeys(case[0] for case in CASES), ids=lambda broken: broken.__name__)
async def test_what_it_lets_out_is_seen_where_it_arrives(
    broken: Callable[[Patch], None], configured: Configured, monkeypatch: Patch, tmp_path: Path
) -> None:
    expected = {(key, how) for case, key, how in CASES if case is broken}
    keys = {key for key, _ in expected}
    stage = Stage(traps=(CONTROLS[0], *(trap for trap in TRAPS if trap.key in keys)))
    assert await violations(stage, configured, tmp_path / "whole") == set()
    broken(monkeypatch)
    assert expected <= await violations(stage, configured, tmp_path / "broken")


async def violations(stage: Stage, configured: Configured, folder: Path) -> set[tuple[str, str]]:
    return {(each.sent.trap.key, each.how) for each in (await played(stage, configured, folder)).proof.violations}


async def played(stage: Stage, configured: Configured, folder: Path) -> Played:
    await asyncio.to_thread(folder.mkdir)
    return await play(stage, *configured(), folder)


async def test_a_message_that_is_acknowledged_and_not_kept_is_lost(
    configured: Configured, monkeypatch: Patch, tmp_path: Path
) -> None:
    async def commit(*_args: Any) -> None:
        pass

    monkeypatch.setattr(SeveredSpool, "commit", commit)
    seen = await played(Stage(traps=CONTROLS[:1]), configured, tmp_path / "broken")
    assert set(seen.became.values()) == {Became.LOST}


async def test_the_gateways_own_witness_counts_what_the_tapes_show(
    configured: Configured, monkeypatch: Patch, tmp_path: Path
) -> None:
    stage = Stage(traps=(CONTROLS[0], NO_TLS))
    assert (await played(stage, configured, tmp_path / "whole")).unprotected == 0
    sends_in_the_clear(monkeypatch)
    seen = await played(stage, configured, tmp_path / "broken")
    # What had to be tried again is counted each time, and shown once.
    assert seen.unprotected >= len(seen.proof.violations) > 0
