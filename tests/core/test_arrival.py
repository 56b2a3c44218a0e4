import pytest

from gateway.core.arrival import MAX_CONTROLS, read_arrival
from gateway.core.edits import Remove
from gateway.core.facts import Field, Scan
from gateway.core.hop import FIELD, Hop, hop_edit
from gateway.core.record import QueueId
from gateway.core.result import Result, result_field
from gateway.core.scan import TooComplex
from gateway.core.tls import Protection

KEY = b"k" * 32


def scan(*fields: tuple[str, bytes]) -> Scan:
    listed = tuple(Field(name, value) for name, value in fields)
    return Scan(fields=listed, attachments=(), message_bytes=0, header_bytes=0)


def test_ordinary_message_loses_nothing() -> None:
    arrival = read_arrival(
        scan(("Received", b"a"), ("received", b"b"), ("Message-ID", b"<1@x>"), ("To", b"c")), (), KEY
    )
    assert (arrival.message_id, arrival.received, arrival.removals) == ("<1@x>", 2, ())
    assert (arrival.hop, arrival.taken) == (None, ())


def test_control_bcc_and_proof_fields_leave_and_each_is_named_once() -> None:
    fields = [
        ("X-SEALPOST-Intent", b"secure"),
        ("bcc", b"a@b"),
        ("Resent-Bcc", b"a@b"),
        ("Bcc", b"c@d"),
        ("x-proof", b"s"),
    ]
    arrival = read_arrival(scan(*fields, ("X-Other", b"1")), ("X-Proof",), KEY)
    assert {edit.name.casefold() for edit in arrival.removals} == {"x-sealpost-intent", "bcc", "resent-bcc", "x-proof"}
    assert len(arrival.removals) == 4
    assert Remove("X-Other") not in arrival.removals


def test_hop_field_counts_only_with_this_message_id() -> None:
    hop = Hop(QueueId("000-a"), ("encrypted",))
    value = hop_edit(hop, "<1@x>", KEY).value.encode()
    arrival = read_arrival(scan((FIELD, value), ("Message-Id", b"<1@x>"), ("Message-ID", b"<2@x>")), (), KEY)
    assert (arrival.hop, arrival.taken) == (hop, ("encrypted",))
    assert arrival.removals == (Remove(FIELD),)
    foreign = read_arrival(scan((FIELD, value), ("Message-ID", b"<2@x>")), (), KEY)
    assert (foreign.hop, foreign.removals) == (None, (Remove(FIELD),))


def test_result_of_a_milter_counts_only_with_its_seal_and_leaves_in_any_case() -> None:
    result = Result(queue_id=QueueId("000-a"), mode="gate")
    field = result_field(result, Protection.NONE, "public", "<1@x>", KEY)
    for message_id, judged in ((b"<1@x>", result), (b"<2@x>", None)):
        arrival = read_arrival(scan(("Message-ID", message_id), (field.name, field.value.encode())), (), KEY)
        assert (arrival.judged, arrival.removals) == (judged, (Remove(field.name),))


def test_missing_message_id_is_empty() -> None:
    assert read_arrival(scan(("To", b"a")), (), KEY).message_id == ""


def test_more_control_fields_than_anybody_needs_are_refused_and_namesakes_count_once() -> None:
    fields = [(f"X-Sealpost-{number}", b"1") for number in range(MAX_CONTROLS)]
    allowed = read_arrival(scan(*fields, ("x-sealpost-0", b"2"), ("Bcc", b"a@b"), ("X-Proof", b"s")), ("X-Proof",), KEY)
    assert len(allowed.removals) == MAX_CONTROLS + 2
    with pytest.raises(TooComplex, match="50 different control fields"):
        read_arrival(scan(*fields, ("X-Sealpost-One-More", b"1")), (), KEY)


@pytest.mark.parametrize(
    ("fields", "optional"),
    [
        ([], False),
        ([("TLS-Required", b" no")], True),
        ([("tls-required", b"No ")], True),
        ([("TLS-Required", b"yes")], False),
        ([("TLS-Required", b"no"), ("TLS-Required", b"no")], False),
    ],
)
def test_the_wish_for_mail_at_any_price_counts_only_if_it_stands_once(
    fields: list[tuple[str, bytes]], optional: bool
) -> None:
    arrival = read_arrival(scan(*fields, ("To", b"c")), (), KEY)
    assert arrival.tls_optional is optional and arrival.removals == ()
