"""queue and reload as an operator gives them, to a gateway that runs and to one that does not."""

import asyncio
from pathlib import Path

import pytest

from gateway.core.record import EventKind, QueueId, State
from gateway.sandbox.behaviour import Behaviour, Fault
from gateway.sandbox.behaviour import Stage as At
from tests.e2e.asking import ask
from tests.e2e.stage import OFFICER, Stage, letter, stage
from tests.fixtures.council import change, council

NOT_NOW = Behaviour(faults=(Fault(stage=At.RCPT, answer="451 4.3.0 not now"),))


async def waiting(on: Stage, *recipients: str) -> QueueId:
    """Starts the gateway with retries far away, and leaves a message that was deferred once for each recipient."""
    change(on.config, ('retry_min = "1s"', 'retry_min = "1h"'), ('retry_max = "2s"', 'retry_max = "2h"'))
    on.world.hosts["mx.tls.example"].behave(NOT_NOW)
    await on.start()
    queue_id = await on.submit(letter(classification="restricted"), *recipients)
    await on.until(lambda: len(on.events(queue_id, EventKind.ATTEMPT)) == len(recipients))
    return queue_id


async def test_a_deferred_message_is_listed_and_shown_with_the_reply_that_it_got(tmp_path: Path) -> None:
    alice = "alice@tls.example"
    async with stage(tmp_path, start=False) as on:
        queue_id = await waiting(on, alice)
        (row,) = (await ask(tmp_path, "queue", "list", "--json")).json
        assert (row["queue_id"], row["recipient"], row["state"], row["attempts"]) == (queue_id, alice, "queued", 1)
        assert row["decision"]["route"] == ["secure", "encrypted"]
        assert (row["last"]["result"], row["last"]["reply"]) == ("deferred", "451 4.3.0 not now")
        listed, shown = await asyncio.gather(ask(tmp_path, "queue", "list"), ask(tmp_path, "queue", "show", queue_id))
        assert listed.out.startswith(f"{queue_id}  {alice}  queued by secure, 1 attempts, next ")
        assert shown.out.startswith(f"{queue_id}  from {OFFICER}, ")
        assert "classification restricted (header X-Classification), intent none" in shown.out
        assert "MARKER" not in shown.out


async def test_a_retry_is_an_attempt_now_and_the_audit_tells_the_whole_story(tmp_path: Path) -> None:
    alice = "alice@tls.example"
    async with stage(tmp_path, start=False) as on:
        queue_id = await waiting(on, alice)
        again = await ask(tmp_path, "queue", "retry", queue_id)
        assert (again.code, again.out) == (0, "1 recipient will be tried now\n")
        await on.until(lambda: len(on.events(queue_id, EventKind.ATTEMPT)) == 2)
        on.world.hosts["mx.tls.example"].behave(Behaviour())
        assert (await ask(tmp_path, "queue", "retry", "--all", "--yes")).code == 0
        assert (await on.ended(queue_id))[alice].state is State.DELIVERED

        empty, ended, late = await asyncio.gather(
            ask(tmp_path, "queue", "list", "--json"),
            ask(tmp_path, "queue", "show", queue_id, "--json"),
            ask(tmp_path, "queue", "retry", queue_id),
        )
        assert empty.json == []
        assert ended.json["message"] is None
        kinds = [event["kind"] for event in ended.json["events"]]
        assert kinds[:2] == ["accepted", "decided"]
        assert (kinds.count("attempt"), kinds.count("operator"), kinds[-1]) == (3, 2, "ended")
        assert (late.code, late.err) == (1, f"sealpost: no recipient of message {queue_id} waits in the queue\n")


async def test_a_deleted_recipient_gets_nothing_and_the_audit_keeps_who_and_why(tmp_path: Path) -> None:
    alice, bob = "alice@tls.example", "bob@tls.example"
    async with stage(tmp_path, start=False) as on:
        queue_id = await waiting(on, alice, bob)
        words = ("queue", "delete", queue_id, "--recipient", bob, "--reason", "the wrong Bob")
        unasked = await ask(tmp_path, *words)
        assert unasked.code == 1
        assert on.events(queue_id, EventKind.ENDED) == []
        deleted = await ask(tmp_path, *words, "--yes")
        assert (deleted.code, deleted.out) == (0, "1 recipient deleted\n")
        assert (await on.ended(queue_id))[bob].state is State.DELETED
        on.world.hosts["mx.tls.example"].behave(Behaviour())
        await ask(tmp_path, "queue", "retry", queue_id)
        assert (await on.ended(queue_id, 2))[alice].state is State.DELIVERED
        assert on.world.inbox.to(bob) == ()
        assert on.world.inbox.to(OFFICER) == ()
        shown = (await ask(tmp_path, "queue", "show", queue_id)).out
        assert "the wrong Bob" in shown
        again = await ask(tmp_path, *words, "--yes")
        assert again.code == 1
        assert again.out == ""


async def test_a_reload_is_in_force_for_the_next_message_or_changes_nothing(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    public = ('name   = "Public"\nroute  = ["opportunistic"]', 'name   = "Never in the clear"\nroute  = ["encrypted"]')
    async with stage(tmp_path) as on:
        change(policy, public)
        fine = await ask(tmp_path, "reload")
        assert (fine.code, fine.err) == (0, "")
        assert "is in force" in fine.out
        queue_id = await on.submit(letter(classification="public"), "parish@plain.example")
        (end,) = (await on.ended(queue_id)).values()
        assert (end.state, end.route) == (State.DELIVERED, "encrypted")

        change(policy, ('route  = ["encrypted"]\nadvice = "Check', 'route  = ["nowhere"]\nadvice = "Check'))
        bad = await ask(tmp_path, "reload")
        assert (bad.code, bad.out) == (1, "")
        assert "policy.toml: " in bad.err
        assert "nowhere" in bad.err
        queue_id = await on.submit(letter(classification="public"), "parish@plain.example")
        (end,) = (await on.ended(queue_id)).values()
        assert (end.state, end.route) == (State.DELIVERED, "encrypted")


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("queue", "retry", "--all"), 2, "no gateway is running on the spool "),
        (("queue", "delete", "000-x", "--reason", " ", "--yes"), 2, "a reason is needed that is not empty"),
        (("queue", "list", "--domain", "not a domain"), 2, "`not a domain` is not a domain: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
async def test_what_cannot_be_asked_of_the_queue_is_one_sentence(
    tmp_path: Path, words: tuple[str, ...], code: int, text: str
) -> None:
    council(tmp_path)
    change(tmp_path / "sealpost.toml", ("sqlite:///var/spool/sealpost", "sqlite:spool"))
    ran = await ask(tmp_path, *words)
    assert ran.code == code
    assert ran.sentence.startswith(text)
