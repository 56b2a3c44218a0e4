"""One outcome from those of the hosts: Declined only when all proved it, and no certain answer while one is unknown."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.outcome import Alarm, Cause, Declined, Deferred, Failed, Proof
from gateway.core.reply import Status
from gateway.transports.verdict import Verdict, combine

NO_TLS = Declined(proof=Proof.NO_STARTTLS, status=Status(5, 7, 4), detail="no STARTTLS.")
BAD_CERTIFICATE = Declined(proof=Proof.CERTIFICATE, status=Status(5, 7, 5), detail="expired.")
NO_8BIT = Failed(status=Status(5, 6, 3), detail="no 8BITMIME.")


def deferred(cause: Cause, *, handshake_failed: bool = False) -> Deferred:
    return Deferred(cause=cause, status=Status(4, 4, 1), detail=f"{cause}.", handshake_failed=handshake_failed)


DOWN, BUSY, DNS = (deferred(cause) for cause in (Cause.UNREACHABLE, Cause.REPLY_4XX, Cause.DNS))
BROKEN = deferred(Cause.PROTECTION, handshake_failed=True)

VERDICTS: list[Verdict] = [NO_TLS, BAD_CERTIFICATE, NO_8BIT, DOWN, BUSY, DNS, BROKEN]


@pytest.mark.parametrize("verdict", VERDICTS)
def test_one_host_speaks_for_itself(verdict: Verdict) -> None:
    assert combine([verdict]) == verdict


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([NO_TLS, BAD_CERTIFICATE], NO_TLS),
        ([BAD_CERTIFICATE, NO_TLS], BAD_CERTIFICATE),
        ([NO_8BIT, NO_TLS], NO_8BIT),
        ([NO_TLS, NO_8BIT], NO_8BIT),
        ([DOWN, BUSY], DOWN),
        ([DNS, DOWN], DNS),
        ([NO_8BIT, DOWN], DOWN),
        ([DOWN, BROKEN], BROKEN),
    ],
)
def test_the_best_host_is_quoted(verdicts: Sequence[Verdict], expected: Verdict) -> None:
    assert combine(verdicts) == expected


@pytest.mark.parametrize("order", list(permutations([NO_TLS, DOWN])))
def test_a_proof_beside_an_unknown_waits_for_protection_and_quotes_both(order: Sequence[Verdict]) -> None:
    outcome = combine(order)
    assert isinstance(outcome, Deferred)
    assert outcome.cause is Cause.PROTECTION
    assert outcome.status == Status(4, 7, 4)
    assert outcome.detail == "no STARTTLS. Another host could not be asked: unreachable."


def test_a_failed_handshake_anywhere_is_remembered() -> None:
    other = deferred(Cause.PROTECTION)
    outcome = combine([other, BROKEN])
    assert isinstance(outcome, Deferred)
    assert outcome.handshake_failed


@pytest.mark.parametrize("order", list(permutations([NO_TLS, DOWN, BROKEN])))
def test_the_alarm_of_any_host_is_the_messages(order: Sequence[Verdict]) -> None:
    stripped = replace(deferred(Cause.PROTECTION), alarm=Alarm.STRIPPED)
    for verdicts in ([*order, stripped], [stripped, *order]):
        outcome = combine(verdicts)
        assert isinstance(outcome, Deferred)
        assert outcome.alarm is Alarm.STRIPPED


@given(st.lists(st.sampled_from(VERDICTS), min_size=1, max_size=6))
def test_nothing_is_certain_while_one_host_is_unknown(verdicts: list[Verdict]) -> None:
    outcome = combine(verdicts)
    assert isinstance(outcome, Deferred) is any(isinstance(verdict, Deferred) for verdict in verdicts)
    if isinstance(outcome, Deferred):
        protection = any(
            isinstance(v, Declined) or (isinstance(v, Deferred) and v.cause is Cause.PROTECTION) for v in verdicts
        )
        assert (outcome.cause is Cause.PROTECTION) is protection
    if isinstance(outcome, Declined):
        assert all(isinstance(verdict, Declined) for verdict in verdicts)
