"""`sealpost queue`: what waits and what became of it, and an operator's changes, with and without a gateway."""

import json
import re
from pathlib import Path
from typing import Any

from gateway.core.record import EventKind, State
from gateway.sandbox.behaviour import Behaviour, Fault, Stage
from tests.app.house import House, house
from tests.cli.running import sealpost, started

TEMPORARY = Behaviour(faults=(Fault(stage=Stage.RCPT, answer="451 4.3.0 not now"),))
ROW = {
    *("queue_id", "kind", "reverse_path", "bytes", "accepted_at", "recipient", "number", "state", "decision"),
    *("route", "attempts", "due_at", "deadline", "expires_at", "last"),
}


async def rows(here: House, *words: str) -> list[dict[str, Any]]:
    ran = await sealpost(here, "queue", "list", "--json", *words)
    assert (ran.code, ran.err) == (0, "")
    return json.loads(ran.out)


async def test_an_empty_queue_is_empty_with_and_without_a_spool(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        assert await rows(here) == []
        assert (await sealpost(here, "queue", "list")).out == "Nothing waits.\n"


async def test_the_list_shows_what_waits_and_filters_it(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        for name in ("mx.tls.example", "mx.flaky.example"):
            here.world.hosts[name].behave(TEMPORARY)
        async with started(here):
            queue_id = await here.send("alice@tls.example", "bob@flaky.example", "carol@tls.example")
            await here.until(lambda: len(here.events(queue_id, EventKind.ATTEMPT)) == 3)
            found = await rows(here)
            assert {row["recipient"] for row in found} == {
                "alice@tls.example",
                "bob@flaky.example",
                "carol@tls.example",
            }
            assert all(set(row) == ROW for row in found)
            first = found[0]
            assert (first["queue_id"], first["state"], first["route"]) == (queue_id, "queued", "secure")
            assert first["decision"]["rule"] == "Restricted, or the Secure button"
            assert first["last"]["result"] == "deferred"
            assert first["last"]["cause"] == "reply 4xx"
            assert first["last"]["evidence"]["verified"] is True
            assert [row["recipient"] for row in await rows(here, "--domain", "FLAKY.example")] == ["bob@flaky.example"]
            assert len(await rows(here, "--limit", "2")) == 2
            assert await rows(here, "--state", "held") == []
            assert len(await rows(here, "--state", "held", "--state", "queued")) == 3
            text = (await sealpost(here, "queue", "list", "--limit", "1")).out
            assert re.match(rf"{queue_id}  alice@tls\.example  queued by secure, \d+ attempts, next ", text)
            assert "deferred (reply 4xx) 4.3.0" in text
        # What waits can be looked at while no gateway runs.
        assert len(await rows(here)) == 3


async def test_a_message_is_shown_while_it_waits_and_after_its_end(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        here.world.hosts["mx.flaky.example"].behave(TEMPORARY)
        async with started(here):
            queue_id = await here.send("alice@tls.example", "bob@flaky.example")
            await here.until(lambda: len(here.events(queue_id, EventKind.ATTEMPT)) == 2)
            ran = await sealpost(here, "queue", "show", queue_id, "--json")
            shown = json.loads(ran.out)
            assert shown["message"]["classification"] == "restricted"
            assert shown["message"]["message_id"] == "<1@council.example>"
            assert {row["recipient"]: row["state"] for row in shown["recipients"]}["bob@flaky.example"] == "queued"
            assert {"accepted", "decided", "attempt", "ended"} <= {event["kind"] for event in shown["events"]}
            assert "hello" not in ran.out
            text = (await sealpost(here, "queue", "show", queue_id)).out
            assert text.startswith(f"{queue_id}  from officer@council.example, ")
            assert "floor verified" in text
            ended = await here.send("alice@tls.example")
            await here.ended(ended)
            gone = json.loads((await sealpost(here, "queue", "show", ended, "--json")).out)
            assert gone["message"] is None
            assert gone["recipients"] == []
            last = gone["events"][-1]
            assert (last["kind"], last["recipient"], last["state"]) == ("ended", "alice@tls.example", "delivered")
            assert f"{ended} has ended." in (await sealpost(here, "queue", "show", ended)).out


async def test_a_message_that_does_not_exist_is_a_finding_and_a_wrong_id_is_usage(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        missing = await sealpost(here, "queue", "show", "000-unknown")
        assert (missing.code, missing.out) == (1, "")
        assert missing.err == "There is no message 000-unknown in the queue or the audit.\n"
        wrong = await sealpost(here, "queue", "show", "nonsense")
        assert wrong.code == 2
        assert wrong.err == "sealpost: `nonsense` is not a queue id; `sealpost queue list` shows them\n"
        domain = await sealpost(here, "queue", "list", "--domain", "not a domain")
        assert domain.code == 2
        assert "`not a domain` is not a domain" in domain.err


async def test_a_retry_brings_the_next_attempt_forward(tmp_path: Path) -> None:
    async with house(tmp_path, workers=2) as here:
        host = here.world.hosts["mx.tls.example"]
        host.behave(TEMPORARY)
        async with started(here):
            queue_ids = [await here.send(f"r{number}@tls.example") for number in range(4)]
            await here.until(lambda: len(here.events(None, EventKind.ATTEMPT)) == 4)
            host.behave(Behaviour())
            one = await sealpost(here, "queue", "retry", queue_ids[0])
            assert (one.code, one.out) == (0, "1 recipient will be tried now\n")
            assert (await here.ended(queue_ids[0])).state is State.DELIVERED
            every = await sealpost(here, "queue", "retry", "--all", "--yes")
            assert (every.code, every.out) == (0, "3 recipients will be tried now\n")
            for queue_id in queue_ids:
                assert (await here.ended(queue_id)).state is State.DELIVERED
            nothing = await sealpost(here, "queue", "retry", queue_ids[0])
            assert nothing.code == 1
            assert nothing.err == f"sealpost: no recipient of message {queue_ids[0]} waits in the queue\n"
            assert (await sealpost(here, "queue", "retry", "--all")).code == 1


async def test_a_deletion_is_audited_with_name_and_reason(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        here.world.hosts["mx.tls.example"].behave(TEMPORARY)
        async with started(here) as service:
            queue_id = await here.send("alice@tls.example", "bob@tls.example")
            await here.until(lambda: len(here.events(queue_id, EventKind.ATTEMPT)) == 2)
            words = ("queue", "delete", queue_id, "--reason", "sent to the wrong Bob", "--yes")
            one = await sealpost(here, *words, "--recipient", "bob@tls.example")
            assert (one.code, one.out) == (0, "1 recipient deleted\n")
            assert [row["recipient"] for row in await rows(here)] == ["alice@tls.example"]
            [event] = here.events(queue_id, EventKind.OPERATOR)
            assert event.address == "bob@tls.example"
            assert event.text.endswith(": sent to the wrong Bob")
            assert (await sealpost(here, *words)).out == "1 recipient deleted\n"
            assert await rows(here) == []
            assert await service.metric('sealpost_ended_total{state="deleted"}') == 2
            assert {line["command"] for line in service.lines("operator")} == {"delete"}


async def test_a_deletion_is_asked_for_and_needs_a_reason(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        here.world.hosts["mx.tls.example"].behave(TEMPORARY)
        async with started(here):
            queue_id = await here.send("alice@tls.example")
            await here.until(lambda: len(here.events(queue_id, EventKind.ATTEMPT)) == 1)
            unasked = await sealpost(here, "queue", "delete", queue_id, "--reason", "because")
            assert unasked.code == 1
            assert (await sealpost(here, "queue", "delete", queue_id, "--yes")).code == 2
            empty = await sealpost(here, "queue", "delete", queue_id, "--yes", "--reason", " ")
            assert empty.code == 2
            nonsense = await sealpost(here, "queue", "delete", queue_id, "--yes", "--reason", "x", "--recipient", "a")
            assert nonsense.code == 2
            assert "`a` is not an address" in nonsense.err
            assert len(await rows(here)) == 1


async def test_changes_need_a_running_gateway_and_exactly_one_target(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        alone = await sealpost(here, "queue", "retry", "--all")
        assert alone.code == 2
        assert alone.err.endswith("start it with `sealpost run`\n")
        for words in ((), ("000-a", "--all")):
            ran = await sealpost(here, "queue", "retry", *words)
            assert ran.code == 2
            assert ran.err.startswith("sealpost: name queue ids, or say which mail is meant")


async def test_mail_is_chosen_by_sender_rule_age_and_recipient(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        here.world.hosts["mx.tls.example"].behave(TEMPORARY)
        async with started(here):
            queue_id = await here.send("alice@tls.example", "bob@tls.example")
            await here.until(lambda: len(here.events(queue_id, EventKind.ATTEMPT)) == 2)
            for words, count in (
                (("--sender", "OFFICER@council.example"), 2),
                (("--sender", "@council.example"), 2),
                (("--sender", "<>"), 0),
                (("--rule", "Restricted, or the Secure button"), 2),
                (("--rule", "Public"), 0),
                (("--older-than", "1h"), 0),
                (("--recipient", "Bob@TLS.example"), 1),
                (("--recipient", "bob@tls.example", "--recipient", "alice@tls.example"), 2),
            ):
                assert len(await rows(here, *words)) == count, words
            for words in (("--sender", "a"), ("--recipient", "a"), ("--older-than", "soon"), ("--sender", "@a b")):
                assert (await sealpost(here, "queue", "list", *words)).code == 2, words


async def test_what_an_operator_does_to_mail_on_its_way(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        here.world.hosts["mx.tls.example"].behave(TEMPORARY)
        async with started(here):
            queue_id = await here.send("alice@tls.example", "bob@tls.example", "carol@tls.example")
            await here.until(lambda: len(here.events(queue_id, EventKind.ATTEMPT)) == 3)

            async def act(*words: str) -> str:
                ran = await sealpost(here, "queue", *words)
                assert (ran.code, ran.err) == (0, ""), ran
                return ran.out

            why = ("--reason", "asked by the sender")
            held = await act("hold", "--domain", "tls.example", *why, "--yes", "--json")
            assert json.loads(held) == {"messages": 1, "recipients": 3, "left": 0}
            assert {row["state"] for row in await rows(here)} == {"held"}
            one = await act("release", queue_id, "--recipient", "alice@tls.example", *why)
            assert one == "1 recipient released\n"
            await here.until(lambda: len(here.events(queue_id, EventKind.ATTEMPT)) == 4)
            gone = await act(
                "bounce", queue_id, "--recipient", "bob@tls.example", "--note", "Send it by post.", "--yes"
            )
            assert gone == "1 recipient given back\n"
            await here.until(lambda: len(here.events(queue_id, EventKind.ENDED)) == 1)
            [report] = await here.arrived("officer@council.example")
            assert b"What to do: Send it by post." in report.content
            assert await act("reroute", queue_id, "--to", "encrypted", *why) == "2 recipients rerouted\n"
            await here.until(lambda: len(here.events(queue_id, EventKind.ENDED)) == 2)
            ends = {event.address: event.state for event in here.events(queue_id, EventKind.ENDED)}
            assert ends == {"bob@tls.example": State.REPORTED, "alice@tls.example": State.DELIVERED}
            low = await sealpost(here, "queue", "reroute", queue_id, "--to", "internl", *why)
            assert (low.code, low.err) == (
                1,
                "sealpost: there is no route `internl`; `sealpost routes` lists them\n",
            )
            same = await sealpost(here, "queue", "reroute", queue_id, "--to", "encrypted", *why)
            assert same.code == 1
            assert same.err.startswith("sealpost: nothing was changed: 1 recipient have that route already")
            (row,) = await rows(here)
            assert (row["recipient"], row["state"], row["route"]) == ("carol@tls.example", "held", "encrypted")
            texts = {event.text.partition(" by ")[0] for event in here.events(queue_id, EventKind.OPERATOR)}
            assert texts == {"held", "released", "given back", "rerouted"}


async def test_a_change_of_much_mail_shows_it_and_asks(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        here.world.hosts["mx.tls.example"].behave(TEMPORARY)
        async with started(here):
            queue_id = await here.send(*(f"r{number}@tls.example" for number in range(7)))
            await here.until(lambda: len(here.events(queue_id, EventKind.ATTEMPT)) == 7)
            ran = await sealpost(here, "queue", "hold", "--all", "--reason", "stop")
            assert ran.code == 1
            assert len(re.findall(r"r\d@tls\.example", ran.err)) == 5
            assert "… and 2 more\nHold: 7 recipients of 1 message? [y/N]" in ran.err
            assert {row["state"] for row in await rows(here)} == {"queued"}
