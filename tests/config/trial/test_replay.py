"""Messages of the audit decided again, and counted."""

from dataclasses import replace

from gateway.config.trial.compare import Change
from gateway.config.trial.replay import Candidate, Tally, replay
from gateway.config.trial.reread import reader_of
from gateway.core.conditions.message import ClassificationIs
from gateway.core.conditions.outside import StarttlsIs
from gateway.core.decide import decide
from gateway.core.decision import Decision, Open, Routed
from gateway.core.facts import Facts
from gateway.core.policy import Policy, Reject, Send
from gateway.core.tls import Protection, Starttls
from gateway.spool.past import Past
from tests.fixtures.build import BOB, facts, policy, rule

OLD = policy(
    rule("Restricted", ClassificationIs(frozenset({"restricted"})), Send(("secure",))),
    rule(
        "Rest",
        None,
        Send(
            (
                "tls",
                "encrypted",
            )
        ),
    ),
)


def past(number: int, level: str = "controlled", *, then: Policy = OLD, decision: Decision | None = None) -> Past:
    known = facts(level)
    made = decision or decide(known, BOB, then).decision
    return Past(queue_id=f"000-{number}", policy_hash=then.hash, facts=known, decisions=((str(BOB), made),))


def tried(*messages: Past, now: Policy, limit: int = 10, known: bool = True) -> Tally:
    readers = {OLD.hash: reader_of(OLD)} if known else {}
    return replay(messages, Candidate(now, readers), limit)


def test_the_same_policy_changes_nothing() -> None:
    tally = tried(past(1), past(2, "restricted"), now=OLD)
    assert (tally.messages, dict(tally.kinds), tally.changes) == (2, {Change.NONE: 2}, [])
    assert not tally.rules
    assert not tally.routes


def test_what_changes_is_counted_by_rule_and_route_and_listed_with_the_least_protected_first() -> None:
    now = policy(
        rule("Public only", ClassificationIs(frozenset({"public"})), Reject()),
        rule("Controlled", ClassificationIs(frozenset({"controlled"})), Send(("secure",))),
        rule(
            "Rest",
            None,
            Send(
                (
                    "tls",
                    "encrypted",
                )
            ),
        ),
    )
    now = replace(now, floors=dict.fromkeys(now.floors, Protection.NONE))
    tally = tried(past(1), past(2, "restricted"), past(3, "restricted"), past(4, "public"), now=now)
    assert dict(tally.kinds) == {Change.LESS: 2, Change.MORE: 2}
    assert dict(tally.rules) == {("Rest", "Controlled"): 1, ("Restricted", "Rest"): 2, ("Rest", "Public only"): 1}
    assert dict(tally.routes) == {
        ("tls, then encrypted", "secure"): 1,
        ("secure", "tls, then encrypted"): 2,
        ("tls, then encrypted", "given back"): 1,
    }
    assert [(each.change, each.queue_id) for each in tally.changes] == [
        (Change.LESS, "000-2"),
        (Change.LESS, "000-3"),
        (Change.MORE, "000-1"),
        (Change.MORE, "000-4"),
    ]
    assert tally.changes[0].was.rule == "Restricted"
    assert "restricted" not in tally.changes[3].why


def test_a_rule_of_another_name_is_counted_but_no_change() -> None:
    now = policy(replace(OLD.rules[0], name="Secret"), OLD.rules[1])
    tally = tried(past(1, "restricted"), now=now)
    assert dict(tally.kinds) == {Change.NONE: 1}
    assert dict(tally.rules) == {("Restricted", "Secret"): 1}


def test_what_was_not_looked_up_is_not_recorded_and_never_unchanged() -> None:
    now = policy(rule("No TLS", StarttlsIs(Starttls.NO), Reject()), *OLD.rules)
    tally = tried(past(1), now=now)
    assert dict(tally.kinds) == {Change.UNRECORDED: 1}
    assert dict(tally.unknown) == {"starttls": 1}


def test_an_unknown_that_makes_no_difference_is_no_obstacle() -> None:
    now = policy(
        rule(
            "No TLS",
            StarttlsIs(Starttls.NO),
            Send(
                (
                    "tls",
                    "encrypted",
                )
            ),
        ),
        OLD.rules[1],
    )
    assert dict(tried(past(1), now=now).kinds) == {Change.NONE: 1}


def test_what_was_never_decided_and_what_nobody_can_read_again_is_not_recorded() -> None:
    open_ = Open(rule="x", missing=(), floor=Protection.NONE, reason="", advice="")
    assert dict(tried(past(1, decision=open_), now=OLD).unknown) == {"how it was decided": 1}
    other = replace(OLD, hash="other")
    tally = tried(past(1), now=other, known=False)
    assert dict(tally.kinds) == {Change.UNRECORDED: 1}
    assert list(tally.unknown) == ["what the labels and marks say under the other policy"]
    gone = Routed(
        rule="Rest", chain=("fax",), floor=Protection.NONE, original_floor=Protection.NONE, reason="", advice=""
    )
    assert list(tried(past(1, decision=gone), now=OLD).unknown) == ["what a route gave that does not exist any more"]


def test_copies_for_the_record_are_left_out() -> None:
    copy = replace(decide(facts(), BOB, OLD).decision, rule="copy for the record: Rest")
    assert tried(past(1, decision=copy), now=OLD).kinds.total() == 0


def test_tallies_add_up_and_keep_the_first_changes_of_all() -> None:
    now = policy(rule("All", None, Send(("opportunistic",))))
    now = replace(now, floors=dict.fromkeys(now.floors, Protection.NONE))
    parts = [tried(past(number), past(number + 1, "restricted"), now=now, limit=3) for number in (5, 1, 3)]
    total = Tally(3)
    for part in parts:
        total.add(part)
    assert total.messages == 6
    assert dict(total.kinds) == {Change.LESS: 6}
    assert [each.queue_id for each in total.changes] == ["000-1", "000-2", "000-3"]
    assert dict(total.rules) == {("Rest", "All"): 3, ("Restricted", "All"): 3}


def test_a_fact_of_the_audit_is_enough() -> None:
    """No field of the message is asked for."""
    known: Facts = replace(facts("restricted"), attachments=(), attachment_bytes=20_000_000)
    now = policy(
        rule(
            "All",
            None,
            Send(
                (
                    "encrypted",
                    "secure",
                )
            ),
        )
    )
    one = Past(queue_id="000-1", policy_hash=OLD.hash, facts=known, decisions=past(1, "restricted").decisions)
    tally = tried(one, now=now)
    assert tally.changes == []
    assert dict(tally.rules) == {("Restricted", "All"): 1}
