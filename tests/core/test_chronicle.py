from dataclasses import replace

from gateway.core.chronicle import entry_events, route_of, row_event
from gateway.core.facts import Attachment, Label, LabelResult, Lock
from gateway.core.record import EventKind, State
from tests.core.queued import DELIVERED, FACTS, HOUR, MESSAGE, NOW, OPEN, REFUSED, ROUTED, ROW, SENDER


def test_entry_tells_acceptance_then_each_decision_then_the_ends() -> None:
    ended = replace(ROW, number=1, decision=REFUSED, state=State.REPORTED)
    accepted, waiting, decided, end = entry_events(MESSAGE, (ROW, ended), "why")
    assert (accepted.kind, accepted.facts, accepted.reverse_path) == (EventKind.ACCEPTED, FACTS, SENDER)
    assert (accepted.message_id, accepted.policy_hash, accepted.text) == (MESSAGE.message_id, "policy", "why")
    assert (accepted.recipient, accepted.decision) == (None, None)
    assert (waiting.kind, waiting.recipient, waiting.decision) == (EventKind.DECIDED, 3, ROUTED)
    assert (waiting.policy_hash, end.policy_hash) == ("policy", "")
    assert (decided.decision, decided.facts, decided.state) == (REFUSED, None, None)
    assert (end.kind, end.recipient, end.state, end.decision) == (EventKind.ENDED, 1, State.REPORTED, None)


def test_event_of_a_row_holds_what_belongs_to_its_kind_and_nothing_else() -> None:
    row = replace(ROW, last=DELIVERED, route_index=1)
    attempt = row_event(MESSAGE, row, EventKind.ATTEMPT, NOW + HOUR)
    assert (attempt.outcome, attempt.route, attempt.state, attempt.decision) == (DELIVERED, "secure", None, None)
    assert (attempt.at, attempt.address, attempt.queue_id) == (NOW + HOUR, "gp@x.example", MESSAGE.queue_id)
    ended = row_event(MESSAGE, row, EventKind.ENDED, NOW, "text")
    assert (ended.outcome, ended.state, ended.route, ended.text) == (None, State.QUEUED, "secure", "text")


def test_recipient_without_a_chain_is_on_no_route() -> None:
    assert route_of(replace(ROW, decision=OPEN)) == ""
    assert route_of(ROW) == "tls"


def test_audit_holds_no_file_name_and_of_labels_only_what_names_a_level() -> None:
    known = Label(source="header X", raw="Public", result=LabelResult.LEVEL, level="public")
    garbled = Label(source="header X", raw="child protection case", result=LabelResult.GARBLED, level=None)
    foreign = Label(source="header X", raw="about Anna Smith", result=LabelResult.NO_LABEL, level=None)
    found = replace(FACTS.classification, labels=(known, garbled, foreign))
    attached = (
        Attachment(name="case Smith.zip", type="application/zip", bytes=7, members=("Smith.pdf",), lock=Lock.ARCHIVE),
    )
    facts = replace(FACTS, classification=found, attachments=attached)
    accepted, *_ = entry_events(replace(MESSAGE, facts=facts), (ROW,))
    assert accepted.facts is not None
    assert accepted.facts.classification.labels == (known, replace(garbled, raw=""), replace(foreign, raw=""))
    assert accepted.facts.attachments == (Attachment(name="", type="application/zip", bytes=7, lock=Lock.ARCHIVE),)


def test_our_own_mail_has_no_facts_to_tell() -> None:
    accepted, *_ = entry_events(replace(MESSAGE, facts=None), (ROW,))
    assert accepted.facts is None
