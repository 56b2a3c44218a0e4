"""The STARTTLS lookup: three values, in time, and nobody asked twice."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.core.facts import Lookup, Missing, OutsideFact
from gateway.core.tls import Starttls
from gateway.flow.lookups import AllLookups
from gateway.flow.ports import Lookups
from gateway.net.probe import StarttlsProbe
from gateway.net.timeouts import Timeouts
from tests.fakes import certificates
from tests.fakes.dns import SERVFAIL
from tests.fakes.events import Heard
from tests.fakes.mail_world import World, world
from tests.fakes.mx import NO_COMMON_CIPHER, OLD_TLS, Script

MX, SECOND = "mx.example", "mx2.example"
WAIT = timedelta(seconds=5)


def lookups(at: World) -> tuple[AllLookups, Heard]:
    events = Heard()
    network = at.network
    probe = StarttlsProbe(destinations=network.destinations, dialler=network.dialler, port=network.options.mx.port)
    return AllLookups(starttls=probe.look_up, known=nobody, resent=nobody, events=events), events


async def nobody(keys: Sequence[str]) -> Mapping[str, OutsideFact]:
    raise AssertionError(keys)


async def ask(ours: Lookups, *domains: str, wait: timedelta = WAIT) -> Mapping[str, OutsideFact]:
    found = await ours.look_up(frozenset((Lookup.STARTTLS, domain) for domain in domains), wait)
    assert all(lookup is Lookup.STARTTLS for lookup, _ in found)
    return {domain: fact for (_, domain), fact in found.items()}


def good(host: str = MX) -> Script:
    return Script(tls=certificates.good(host))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (good, None, Starttls.YES),
        (good, Script, Starttls.YES),
        (Script, lambda: good(SECOND), Starttls.YES),
        (lambda: Script(tls=certificates.expired(MX)), None, Starttls.YES),
        (Script, Script, Starttls.NO),
        (Script, lambda: Script(replies={"EHLO": "502 no"}), Starttls.UNKNOWN),
        (lambda: Script(tls=certificates.good(MX), answers_hello=OLD_TLS), Script, Starttls.NO),
        (lambda: Script(tls=certificates.good(MX), answers_hello=NO_COMMON_CIPHER), Script, Starttls.UNKNOWN),
        (Script, None, Starttls.UNKNOWN),
        (lambda: Script(offers=("XXXXXXXA",)), Script, Starttls.UNKNOWN),
        (Script, lambda: Script(replies={"connect": "421 busy"}), Starttls.UNKNOWN),
        (Script, lambda: Script(tls=certificates.good(MX), replies={"STARTTLS": "454 no"}), Starttls.UNKNOWN),
    ],
)
async def test_yes_if_mail_can_go_protected_no_if_every_host_proved_it_else_unknown(
    first: Callable[[], Script], second: Callable[[], Script] | None, expected: Starttls, tmp_path: Path
) -> None:
    scripts = {MX: first(), SECOND: second() if second else None}
    async with world(tmp_path, scripts, {"x.test": {"MX": [f"10 {MX}.", f"20 {SECOND}."]}}) as at:
        ours, _ = lookups(at)
        assert await ask(ours, "x.test") == {"x.test": expected}
        for host in at.hosts.values():
            assert b"MAIL" not in host.said()


@pytest.mark.parametrize(
    ("zones", "expected"),
    [
        ({"x.test": {"MX": ["0 ."]}}, Starttls.NO),
        ({}, Starttls.NO),
        ({"x.test": {"MX": ["10 none.test."]}}, Starttls.NO),
        ({"x.test": {"MX": ["10 lost.test."]}, "lost.test": {"A": SERVFAIL, "AAAA": SERVFAIL}}, Starttls.UNKNOWN),
        ({"x.test": {"MX": SERVFAIL}}, Missing("no name server could answer for x.test")),
    ],
)
async def test_what_dns_says(
    zones: dict[str, dict[str, list[str] | str]], expected: OutsideFact, tmp_path: Path
) -> None:
    async with world(tmp_path, {}, zones) as at:
        ours, _ = lookups(at)
        assert await ask(ours, "x.test") == {"x.test": expected}


async def test_the_answer_comes_in_time_and_what_is_late_is_missing(tmp_path: Path) -> None:
    scripts = {MX: good(), SECOND: Script(silent_at="EHLO")}
    async with world(tmp_path, scripts, change=lambda options: replace(options, timeouts=Timeouts())) as at:
        ours, _ = lookups(at)
        found = await ask(ours, f"{MX}.test", f"{SECOND}.test", wait=timedelta(seconds=1))
        assert found == {f"{MX}.test": Starttls.YES, f"{SECOND}.test": Missing("no answer within 1 s")}


async def test_a_host_is_asked_once_by_all_at_once_and_then_remembered(tmp_path: Path) -> None:
    zones = {f"{name}.test": {"MX": [f"10 {MX}."]} for name in ("a", "b", "c")}
    async with world(tmp_path, {MX: good()}, {**zones}) as at:
        ours, _ = lookups(at)
        assert set((await ask(ours, "a.test", "b.test", "c.test")).values()) == {Starttls.YES}
        assert set((await ask(ours, "a.test")).values()) == {Starttls.YES}
        assert len(at.hosts[MX].conversations) == 1
        await at.clock.advance(timedelta(hours=1))
        await ask(ours, "a.test")
        assert len(at.hosts[MX].conversations) == 2
        await at.hosts[MX].over()
        assert at.hosts[MX].said().count(b"QUIT\r\n") == 2


async def test_an_error_of_ours_is_told_and_does_not_take_the_others_along(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: good()}) as at:
        ours, events = lookups(at)
        found = await ask(ours, "[nonsense]", f"{MX}.test")
        assert found == {"[nonsense]": Missing("the lookup failed"), f"{MX}.test": Starttls.YES}
        ((where, queue_id, error),) = events.faults
        assert (where, queue_id) == ("lookup", "")
        assert isinstance(error, ValueError)


async def test_nothing_wanted_is_nothing_found(tmp_path: Path) -> None:
    async with world(tmp_path, {}) as at:
        ours, _ = lookups(at)
        assert await ask(ours) == {}
