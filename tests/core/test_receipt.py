"""The address of a receipt is ours alone, and what a receipt says is read however it is written."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.address import Address, parse_address
from gateway.core.receipt import MOST_READ, Disposition, Ticket, read_disposition, read_ticket
from gateway.core.record import QueueId

KEY, DOMAIN = b"k" * 32, "receipts.council.example"
TICKET = Ticket(QueueId("007-0123456789abcdv"), 11)

MDN = (
    "From: gp@surgery.example\r\n"
    "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n"
    "\r\n"
    "--b\r\n"
    "Content-Type: text/plain\r\n\r\n"
    "Disposition: in the text for people; deleted\r\n"
    "--b\r\n"
    "{fields}"
    "\r\n--b\r\n"
    "Content-Type: text/rfc822-headers\r\n\r\n"
    "Disposition: in the original; failed\r\n"
    "--b--\r\n"
)
HEAD = "Content-Type: message/disposition-notification\r\n"
USUAL = "Reporting-UA: mail\r\nFinal-Recipient: rfc822; gp@surgery.example\r\nDisposition: {0}\r\n"


def mdn(fields: str) -> bytes:
    """A receipt with that second part."""
    return MDN.format(fields=fields).encode()


def test_address_comes_back_as_its_ticket_in_any_case() -> None:
    address = TICKET.address(DOMAIN, KEY)
    assert parse_address(str(address)) == address
    assert (address.local.islower(), len(address.local), address.domain) == (True, 38, DOMAIN)
    assert read_ticket(address, KEY) == TICKET
    assert read_ticket(Address(address.local.upper(), DOMAIN), KEY) == TICKET


def test_no_two_tickets_share_an_address() -> None:
    near = [Ticket(TICKET.queue_id, 12), Ticket(QueueId("008-0123456789abcdv"), 11)]
    assert len({ticket.address(DOMAIN, KEY) for ticket in (TICKET, *near)}) == 3
    assert TICKET.address(DOMAIN, b"other" * 8) != TICKET.address(DOMAIN, KEY)


@pytest.mark.parametrize(
    "change",
    [
        lambda local: local[:-1] + ("0" if local[-1] != "0" else "1"),
        lambda local: local.replace("-b-", "-c-"),
        lambda local: local.replace("007-", "008-"),
        lambda local: local + "0",
        lambda local: "x" + local,
        lambda local: local.replace("-b-", "-"),
        lambda local: "postmaster",
    ],
)
def test_address_that_we_did_not_make_is_nobody(change: "type[str]") -> None:
    address = TICKET.address(DOMAIN, KEY)
    changed = change(address.local)
    assert changed != address.local
    assert read_ticket(Address(changed, DOMAIN), KEY) is None
    assert read_ticket(address, b"other" * 8) is None


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("manual-action/MDN-sent-manually; displayed", Disposition.DISPLAYED),
        ("automatic-action/MDN-sent-automatically; Processed/error", Disposition.PROCESSED),
        ("automatic-action/MDN-sent-automatically;\r\n\tdispatched", Disposition.DISPATCHED),
        ("\r\n manual-action/MDN-sent-manually;\r\n displayed (by a person)", Disposition.DISPLAYED),
        ("manual-action/MDN-sent-manually; deleted", Disposition.DELETED),
        ("manual-action/MDN-sent-manually; denied", Disposition.DENIED),
        ("automatic-action/MDN-sent-automatically; failed", Disposition.FAILED),
        ("displayed", Disposition.DISPLAYED),
        ("manual-action/MDN-sent-manually; swallowed", Disposition.UNREADABLE),
        ("manual-action/MDN-sent-manually; answered", Disposition.UNREADABLE),
        ("", Disposition.UNREADABLE),
    ],
)
def test_receipt_says_what_its_field_says(field: str, said: Disposition) -> None:
    assert read_disposition(mdn(f"{HEAD}\r\n{USUAL.format(field)}"), automatic=True) is said


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("encoding", ["base64", "Quoted-Printable"])
def test_encoded_fields_are_read(encoding: str, behind: bool) -> None:
    text = USUAL.format("manual-action/MDN-sent-manually; displayed")
    body = base64.encodebytes(text.encode()).decode() if encoding == "base64" else text.replace(";", "=3B")
    field = f"Content-Transfer-Encoding: {encoding}\r\n"
    header = HEAD + field if behind else field + HEAD
    assert read_disposition(mdn(f"{header}\r\n{body}"), automatic=True) is Disposition.DISPLAYED


def test_damaged_receipt_is_no_confirmation() -> None:
    broken = mdn(f"{HEAD}Content-Transfer-Encoding: base64\r\n\r\nA")
    for message in (broken, b"Content-Type: message/disposition-notification", mdn(HEAD)):
        assert read_disposition(message, automatic=True) is Disposition.UNREADABLE
    assert not Disposition.UNREADABLE.confirms


def test_receipt_without_parts_is_read() -> None:
    message = f"From: a@b.example\r\n{HEAD}\r\n{USUAL.format('x/y; displayed')}"
    assert read_disposition(message.encode(), automatic=True) is Disposition.DISPLAYED


def test_mail_that_is_no_receipt_is_an_answer_of_a_person_or_nothing() -> None:
    reply = b"From: gp@surgery.example\r\nSubject: Re\r\n\r\nThank you. Disposition: x; deleted\r\n"
    assert read_disposition(reply, automatic=False) is Disposition.ANSWERED
    assert read_disposition(reply, automatic=True) is Disposition.AUTOMATIC


def test_only_the_beginning_is_looked_at() -> None:
    filler = b"x" * MOST_READ
    assert read_disposition(filler + mdn(f"{HEAD}\r\n{USUAL}"), automatic=True) is Disposition.AUTOMATIC


def test_what_confirms() -> None:
    assert {one for one in Disposition if one.confirms} == {
        Disposition.DISPLAYED,
        Disposition.PROCESSED,
        Disposition.DISPATCHED,
        Disposition.ANSWERED,
    }


@given(st.binary(max_size=300), st.sampled_from(["", "Content-Transfer-Encoding: base64\r\n"]), st.booleans())
def test_anything_can_be_read(data: bytes, field: str, automatic: bool) -> None:
    part = f"{HEAD}{field}\r\n".encode() + data
    assert read_disposition(data, automatic=automatic) in Disposition
    assert read_disposition(b"\r\n--b\r\n" + part, automatic=automatic) is not Disposition.ANSWERED
