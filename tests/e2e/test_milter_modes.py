"""A real Postfix that asks the gateway about its mail, in each mode."""

import asyncio
import smtplib
import subprocess
from pathlib import Path

import pytest

from gateway.core.record import EventKind, State
from tests.e2e.milter_stage import doors, front, send
from tests.e2e.processes import sealpost
from tests.e2e.stage import OFFICER, letter, wire

pytestmark = [pytest.mark.peer("postfix"), pytest.mark.peer("root"), pytest.mark.timeout(120)]

COLLEAGUE = "colleague@derbyshire.gov.uk"


async def test_takeover_carries_what_needs_protection_and_leaves_the_rest(tmp_path: Path) -> None:
    async with doors(tmp_path) as its, front(its.ports["takeover"]) as mta:
        assert await mta.submit(letter(classification="restricted"), "someone@tls.example", COLLEAGUE) == {}
        (accepted,) = its.stage.events(None, EventKind.ACCEPTED)
        ends = await its.stage.ended(accepted.queue_id, 2)
        assert {address: event.state for address, event in ends.items()} == {
            "someone@tls.example": State.DELIVERED,
            COLLEAGUE: State.DELIVERED,
        }
        assert "milter-discard" in mta.postfix.log()
        assert mta.postfix.mail() == []
        assert b"MARKER-OF-THE-TEXT" not in its.stage.clear_bytes()
        assert await mta.submit(letter(classification="public"), "someone@plain.example", COLLEAGUE) == {}
        await mta.said("status=sent", 2)
        left = its.stage.events(None, EventKind.ENDED)[2:]
        assert [event.state for event in left] == [State.LEFT, State.LEFT]
        assert len(mta.postfix.mail()) == 2
        assert its.stage.metric("sealpost_unprotected_total") == 0
        shown = await sealpost("queue", "show", left[0].queue_id, "--config", str(its.stage.config))
        assert "left with the MTA" in shown.out and "for an MTA that calls it" in shown.out
        ended = 'sealpost_ended_total{state="left with the MTA"}'
        assert its.stage.metric(ended) == 2


async def test_gate_refuses_in_the_rules_words_and_marks_what_it_lets_pass(tmp_path: Path) -> None:
    async with doors(tmp_path) as its, front(its.ports["gate"]) as mta:
        assert await mta.submit(letter(classification="controlled"), "someone@tls.example") == {}
        await mta.said("status=sent")
        (arrived,) = mta.postfix.mail()
        assert arrived.partition(b"\n\n")[0].count(b"X-Sealpost-Result: v1; ") == 1
        told = await mta.submit(letter(intent="encrypted"), "someone@plain.example", COLLEAGUE)
        code, text = told["DATA"]
        assert code == 550 and b"someone@plain.example" in bytes(text if isinstance(text, bytes) else text.encode())
        assert len(mta.postfix.mail()) == 1
        assert (await mta.submit(letter(), "x@tls.example", sender="x@other.example"))["MAIL"][0] == 550


async def test_tag_lets_everything_pass_and_tells_of_it(tmp_path: Path) -> None:
    async with doors(tmp_path) as its, front(its.ports["tag"]) as mta:
        assert await mta.submit(letter(intent="encrypted"), "someone@plain.example") == {}
        assert await mta.submit(letter(), "x@tls.example", sender="x@other.example") == {}
        await mta.said("status=sent", 2)
        marked = [mail for mail in mta.postfix.mail() if b"X-Sealpost-Result: v1; " in mail]
        assert len(marked) == 1
        assert its.stage.metric("sealpost_observed_unprotected_total") == 1
        assert its.stage.metric("sealpost_unprotected_total") == 0


async def test_one_connection_brings_many_messages_in_any_order_of_commands(tmp_path: Path) -> None:
    async with doors(tmp_path) as its, front(its.ports["takeover"]) as mta:
        with smtplib.SMTP("127.0.0.1", mta.port, timeout=30) as client:
            client.ehlo()
            client.mail("officer@derbyshire.gov.uk")
            client.rcpt("lost@tls.example")
            client.rset()
            client.ehlo()
            for number in range(3):
                content = wire(letter(classification="restricted"))
                assert send(client, content, [f"someone{number}@tls.example"]) == {}
        await its.stage.until(lambda: len(its.stage.events(None, EventKind.ENDED)) == 3)
        assert sorted(event.address for event in its.stage.events(None, EventKind.ENDED)) == [
            f"someone{number}@tls.example" for number in range(3)
        ]


async def test_a_thousand_recipients_and_sixty_megabytes(tmp_path: Path) -> None:
    async with doors(tmp_path) as its, front(its.ports["takeover"], "smtpd_recipient_limit = 2000") as mta:
        many = [f"n{number}@tls.example" for number in range(1000)]
        assert await mta.submit(letter(classification="restricted"), *many) == {}
        await its.stage.until(lambda: len(its.stage.events(None, EventKind.ENDED)) == 1000, 60)
        large = letter(classification="restricted", attach=(44 * 1024 * 1024,))
        assert len(wire(large)) > 60_000_000
        assert await mta.submit(large, "someone@tls.example") == {}
        await its.stage.until(lambda: len(its.stage.events(None, EventKind.ENDED)) == 1001, 60)
        assert {event.state for event in its.stage.events(None, EventKind.ENDED)} == {State.DELIVERED}


LINES = Path(__file__).parents[2] / "deploy" / "postfix" / "main.cf"


async def test_the_lines_that_we_give_for_main_cf_work(tmp_path: Path) -> None:
    async with doors(tmp_path) as its:
        given = LINES.read_text().replace("8891", str(its.ports["takeover"])).splitlines()
        # The last of two lines counts.
        async with front(1, *given) as mta:
            assert await mta.submit(letter(classification="restricted"), "someone@tls.example") == {}
            assert await mta.submit(letter(classification="public"), "someone@plain.example") == {}
            await mta.said("status=sent")
            command = ["/usr/sbin/sendmail", "-C", str(mta.postfix.root / "etc"), "-f", OFFICER, "local@tls.example"]
            content = wire(letter(classification="restricted"))
            await asyncio.to_thread(subprocess.run, command, input=content, check=True, timeout=20)
            await its.stage.until(lambda: len(its.stage.events(None, EventKind.ENDED)) == 3)
            await its.stage.process.stop()
            told = await mta.submit(letter(classification="public"), "someone@plain.example")
            assert next(iter(told.values()))[0] == 451
        ends = {event.address: event.state for event in its.stage.events(None, EventKind.ENDED)}
        assert ends == {
            "someone@tls.example": State.DELIVERED,
            "someone@plain.example": State.LEFT,
            "local@tls.example": State.DELIVERED,
        }
