"""status, top and trace as an operator gives them, to a gateway that runs and to one that does not."""

import asyncio
from pathlib import Path

from gateway.core.record import EventKind, State
from gateway.sandbox.behaviour import Behaviour, Fault
from gateway.sandbox.behaviour import Stage as At
from tests.e2e.asking import ask
from tests.e2e.stage import OFFICER, letter, stage
from tests.fixtures.council import change

ALICE, PLAIN = "alice@tls.example", "someone@plain.example"


async def test_one_screen_says_whether_mail_flows_and_what_waits_and_why(tmp_path: Path) -> None:
    async with stage(tmp_path, start=False) as on:
        change(on.config, ('retry_min = "1s"', 'retry_min = "1h"'), ('retry_max = "2s"', 'retry_max = "2h"'))
        none = await ask(tmp_path, "status")
        assert none.code == 2 and none.sentence.endswith("; start it with `sealpost run`")
        on.world.hosts["mx.tls.example"].behave(Behaviour(faults=(Fault(stage=At.RCPT, answer="451 4.3.0 not now"),)))
        await on.start()
        ended = await on.submit(letter(classification="public"), PLAIN)
        await on.ended(ended)
        waits = await on.submit(letter(classification="restricted"), ALICE)
        await on.until(lambda: len(on.events(waits, EventKind.ATTEMPT)) == 1)
        as_json, shown, live = await asyncio.gather(
            ask(tmp_path, "status", "--json"),
            ask(tmp_path, "status"),
            ask(tmp_path, "top", "--interval", "1s", "--count", "2"),
        )
    said = as_json.json
    assert (said["not_ready"], said["trouble"]) == (None, None)
    assert [one["serves"] for one in said["listeners"]] == ["smtp", "admin"]
    assert [one["problem"] for one in said["workers"]] == [None]
    figures = said["figures"]
    assert (figures["received"], figures["unprotected"], figures["reload_good"]) == (2, 0, True)
    assert {"name": "delivered", "count": 1} in figures["ended"]
    assert said["queue"]["waiting"]["queued"] == 1 and said["queue"]["oldest"] is not None
    (stuck,) = said["stuck"]
    assert (stuck["next_hop"], stuck["recipients"], stuck["queue_id"]) == ("secure:tls.example", 1, waits)
    assert stuck["last"]["reply"] == "451 4.3.0 not now"
    assert shown.code == 0
    for words in ("ready, for ", "2 messages taken", "nothing left below its floor", "1 queued", "not now"):
        assert words in shown.out
    assert live.code == 0 and live.out.count("Gateway") == 2 and live.out.count("messages/s in") == 1
    assert "\x1b" not in shown.out + live.out


async def test_a_message_is_found_by_its_id_its_message_id_and_by_who_has_to_do_with_it(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        mail = letter(classification="public")
        queue_id = await on.submit(mail, PLAIN)
        assert (await on.ended(queue_id))[PLAIN].state is State.DELIVERED
        other = await on.submit(letter(classification="restricted"), ALICE)
        await on.ended(other)
        (named,) = (await ask(tmp_path, "trace", queue_id, "--json")).json
        assert (named["queue_id"], named["reverse_path"]) == (queue_id, OFFICER)
        assert [event["kind"] for event in named["events"]] == ["accepted", "decided", "attempt", "ended"]
        bare = named["message_id"].strip("<>")
        ids = []
        for words in (
            (named["message_id"],),
            (bare,),
            (PLAIN.upper(),),
            (ALICE,),
            (OFFICER,),
            (OFFICER, "--limit", "1"),
        ):
            found = (await ask(tmp_path, "trace", *words, "--json")).json
            ids.append([one["queue_id"] for one in found])
        assert ids == [[queue_id], [queue_id], [queue_id], [other], [other, queue_id], [other]]
        table = (await ask(tmp_path, "trace", PLAIN)).out
        assert table.startswith(f"{queue_id}, from {OFFICER}, ")
        assert "delivered to mx.plain.example" in table and "MARKER" not in table
        unknown, age = await asyncio.gather(
            ask(tmp_path, "trace", "nobody@tls.example"), ask(tmp_path, "trace", ALICE, "--since", "yesterday")
        )
    assert (unknown.code, unknown.err) == (1, "Nothing is known of nobody@tls.example.\n")
    assert age.code == 2 and age.sentence.startswith("--since: ")
