"""Every decision and outcome has its form in JSON and in a line."""

from dataclasses import replace

import pytest

from gateway.cli.queue_view import (
    decision_json,
    event_line,
    event_lines,
    message_json,
    message_lines,
    outcome_json,
    outcome_line,
    row_json,
)
from gateway.core.decision import Decision, Held, Open, Refused
from gateway.core.outcome import Declined, Failed, Outcome, Proof
from gateway.core.record import Event, EventKind, QueueId, State
from gateway.core.reply import Status
from gateway.core.tls import Protection
from tests.telemetry.samples import DELIVERED, MESSAGE, NOW, ROUTED, deferred, evidence, row

REFUSED = Refused(rule="R", floor=Protection.NONE, reason="why", advice="what")
HELD = Held(rule="R", chain=("tls",), floor=Protection.ENCRYPTED, reason="why", advice="what")
OPEN = Open(rule="R", missing=("starttls",), floor=Protection.NONE, reason="why", advice="what")
DECLINED = Declined(proof=Proof.NO_STARTTLS, status=Status(5, 7, 4), detail="no STARTTLS.", evidence=evidence(tls=None))
FAILED = Failed(status=Status(5, 1, 2), detail="no such domain.")


@pytest.mark.parametrize(
    ("decision", "action", "chain"),
    [
        (ROUTED, "route", ["secure", "encrypted"]),
        (REFUSED, "reject", []),
        (HELD, "hold", ["tls"]),
        (OPEN, "open", []),
    ],
)
def test_a_decision_says_what_it_does(decision: Decision, action: str, chain: list[str]) -> None:
    shown = decision_json(decision)
    assert (shown["action"], shown["route"], shown["rule"]) == (action, chain, decision.rule)


@pytest.mark.parametrize(
    ("outcome", "result", "cause", "line"),
    [
        (DELIVERED, "delivered", None, "delivered to mx.tls.example, TLSv1.3, verified: checked"),
        (deferred(detail="busy."), "deferred", "reply 4xx", "deferred (reply 4xx) 4.7.1 busy."),
        (DECLINED, "declined", "no STARTTLS", "declined (no STARTTLS) 5.7.4 no STARTTLS."),
        (FAILED, "failed", None, "failed 5.1.2 no such domain."),
    ],
)
def test_an_outcome_says_what_came_of_it(outcome: Outcome, result: str, cause: str | None, line: str) -> None:
    shown = outcome_json(outcome)
    assert (shown["result"], shown["cause"]) == (result, cause)
    assert outcome_line(outcome) == line


def test_the_evidence_tells_a_plain_connection_from_a_verified_one() -> None:
    verified, plain = outcome_json(DELIVERED)["evidence"], outcome_json(DECLINED)["evidence"]
    assert isinstance(verified, dict)
    assert isinstance(plain, dict)
    assert (verified["tls"], verified["verified"]) == ("TLSv1.3", True)
    assert plain["tls"] is None
    assert outcome_json(FAILED)["evidence"] is None


def test_a_recipient_that_has_ended_has_no_next_attempt() -> None:
    waiting, ended = row_json(row()), row_json(row(state=State.DELIVERED, last=DELIVERED))
    assert waiting["due_at"] == "2026-03-01T12:05:00+00:00"
    assert (waiting["route"], waiting["last"]) == ("secure", None)
    assert ended["due_at"] is None


def test_a_message_of_our_own_has_no_classification() -> None:
    ours = replace(MESSAGE, facts=None)
    assert len(message_lines(ours, [row(decision=HELD, state=State.HELD)])) == 3
    assert len(message_lines(MESSAGE, [row(last=DELIVERED)])) == 5


def test_a_message_that_came_with_requiretls_says_so() -> None:
    wishing = replace(MESSAGE, envelope=replace(MESSAGE.envelope, require_tls=True))
    assert "sent with REQUIRETLS: to be passed on encrypted all the way" in message_lines(wishing, [row()])
    assert "REQUIRETLS" not in "".join(message_lines(MESSAGE, [row()]))
    assert (message_json(wishing)["require_tls"], message_json(MESSAGE)["require_tls"]) == (True, False)


def test_an_attempt_is_shown_with_its_evidence_below_it_and_fits_a_terminal() -> None:
    late = deferred(detail="many words " * 20)
    attempt = Event(
        kind=EventKind.ATTEMPT,
        at=NOW,
        queue_id=QueueId("000-a"),
        address="a@b.example",
        route="secure",
        outcome=replace(late, evidence=evidence()),
    )
    lines = event_lines(attempt)
    assert all(len(line) <= 100 for line in lines)
    assert "".join(lines).count("many words") >= 18
    assert [line for line in lines if line.startswith("    Grade ")] == ["    Grade        verified"]
    assert event_lines(replace(attempt, outcome=FAILED)) == [event_line(replace(attempt, outcome=FAILED))]
    assert len(event_lines(replace(attempt, outcome=None, text="x"))) == 1
    told = message_lines(MESSAGE, [row(last=late)])
    assert all(len(line) <= 100 for line in told) and len(told) > 5


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"kind": EventKind.DECIDED, "decision": HELD}, "rule “R”: why"),
        ({"kind": EventKind.ATTEMPT, "outcome": FAILED, "route": "tls"}, "by tls  failed 5.1.2 no such domain."),
        ({"kind": EventKind.OPERATOR, "text": "deleted by kim: x"}, "deleted by kim: x"),
        ({"kind": EventKind.ENDED, "state": State.DELETED, "text": "more"}, "deleted"),
    ],
)
def test_an_event_tells_what_happened(event: dict[str, object], words: str) -> None:
    line = event_line(Event(at=NOW, queue_id=QueueId("000-a"), address="a@b.example", **event))  # pyright: ignore[reportArgumentType]
    kind = event["kind"]
    assert line == f"2026-03-01T12:00:00+00:00  {kind}  a@b.example  {words}"
