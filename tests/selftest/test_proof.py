"""The proof rests on what the hosts recorded: the clear, TLS and its version, the host, and what was not recorded."""

import smtplib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.core.facts import Intent
from gateway.core.record import QueueId
from gateway.core.tls import Protection
from gateway.selftest.fault import CONTROLS, NO_TLS, SELF_SIGNED, Trap
from gateway.selftest.mail import MARK, Kind, Sent
from gateway.selftest.outside import Outside
from gateway.selftest.proof import Proof, prove
from tests.sandbox.conftest import send, unchecked, visit

GOOD = CONTROLS[0]
MARKER = f"{MARK}{'0f' * 16}"
KIND = Kind(level="secret", intent=Intent.SECURE, automatic=True)


@asynccontextmanager
async def outside(folder: Path) -> AsyncGenerator[Outside]:
    async with Outside(folder, (GOOD, NO_TLS, SELF_SIGNED), ()) as world:
        world.after()
        yield world


def sent(trap: Trap, floor: Protection, queue_id: str | None = "000-a") -> Sent:
    return Sent(
        marker=MARKER,
        trap=trap,
        kind=KIND,
        floor=floor,
        refused=False,
        queue_id=None if queue_id is None else QueueId(queue_id),
    )


async def arrives(world: Outside, trap: Trap, *, tls: bool) -> None:
    def talk(client: smtplib.SMTP) -> None:
        if tls:
            client.starttls(context=unchecked())
        client.ehlo()
        assert send(client, f"x@{trap.domain}", f"Subject: {MARKER}\r\n\r\n{MARKER}\r\n".encode())[0] == 250

    await visit(world.world, trap.host, talk)


def seen(proof: Proof) -> list[tuple[str, str]]:
    return [(each.where.partition(" ")[0], each.how) for each in proof.violations]


@pytest.mark.parametrize(
    ("trap", "tls", "allowed"),
    [
        (GOOD, False, Protection.NONE),
        (GOOD, True, Protection.VERIFIED),
        (SELF_SIGNED, False, Protection.NONE),
        (SELF_SIGNED, True, Protection.ENCRYPTED),
        (NO_TLS, False, Protection.NONE),
    ],
)
async def test_a_message_may_demand_no_more_than_the_host_gives(
    trap: Trap, tls: bool, allowed: Protection, tmp_path: Path
) -> None:
    async with outside(tmp_path) as world:
        await arrives(world, trap, tls=tls)
        for floor in Protection:
            proof = prove(world, [sent(trap, floor)])
            assert proof.arrived == {MARKER}
            how = "inside TLSv1.3" if tls else "in the clear"
            assert seen(proof) == ([] if floor <= allowed else [(trap.host, how)])


async def test_what_counts_is_where_it_arrived_and_not_whom_it_was_for(tmp_path: Path) -> None:
    async with outside(tmp_path) as world:
        await arrives(world, NO_TLS, tls=False)
        assert seen(prove(world, [sent(GOOD, Protection.ENCRYPTED)])) == [(NO_TLS.host, "in the clear")]
        await arrives(world, GOOD, tls=True)
        assert len(seen(prove(world, [sent(GOOD, Protection.ENCRYPTED)]))) == 1
        [told] = map(str, prove(world, [sent(GOOD, Protection.SEALED)]).violations[:1])
        assert "automatic secret mail with the Secure button, at least sealed" in told
        assert MARKER not in told


async def test_a_message_that_was_never_taken_must_not_arrive_at_all(tmp_path: Path) -> None:
    async with outside(tmp_path) as world:
        await arrives(world, GOOD, tls=True)
        [(host, how)] = seen(prove(world, [sent(GOOD, Protection.NONE, queue_id=None)]))
        assert host == GOOD.host
        assert "never took it" in how


async def test_a_message_about_another_is_not_that_one(tmp_path: Path) -> None:
    async with outside(tmp_path) as world:
        await arrives(world, NO_TLS, tls=False)
        assert prove(world, [sent(NO_TLS, Protection.NONE)]).arrived == {MARKER}
        assert prove(world, [sent(GOOD, Protection.NONE)]).arrived == frozenset()


async def test_nothing_is_seen_where_nothing_arrived(tmp_path: Path) -> None:
    async with outside(tmp_path) as world:
        proof = prove(world, [sent(GOOD, Protection.SEALED)])
    assert proof == Proof(frozenset(), (), ())


@pytest.mark.parametrize(("limit", "least"), [("_TAPE", 20), ("_VISITS", 1)])
async def test_a_tape_that_may_not_be_whole_is_a_gap(
    limit: str, least: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(f"gateway.selftest.outside.{limit}", least)
    async with outside(tmp_path) as world:
        assert prove(world, []).gaps == ()
        await arrives(world, GOOD, tls=False)
        assert prove(world, []).gaps == (f"{GOOD.host} was told more than it can record",)
