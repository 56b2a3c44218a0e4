"""Names and subjects of other people in a header of ours: whole for the reader, and never more than one field."""

import email
import email.policy
from email.headerregistry import AddressHeader, UnstructuredHeader

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.address import parse_address
from gateway.core.mail_names import author_name, field_text, mailbox, one_line

SENDER = parse_address("officer@council.example")
BOX = parse_address("secure-mail@council.example")


@pytest.mark.parametrize(
    ("field", "name"),
    [
        (b"An Officer <officer@council.example>", "An Officer"),
        (b"An Officer <Officer@COUNCIL.example>", "An Officer"),
        (b'"Officer, An (\\"Ann\\")" <officer@council.example>', 'Officer, An ("Ann")'),
        (b"=?utf-8?q?J=C3=BCrgen_O=27Neil?= <officer@council.example>", "Jürgen O'Neil"),
        ("Jürgen <officer@council.example>".encode(), "Jürgen"),
        (b"boss@bank.example <officer@council.example>", ""),
        (b'"boss@bank.example" <officer@council.example>', "boss at bank.example"),
        (b'"A\tB" <officer@council.example>', "A B"),
        (b"officer@council.example", ""),
        (b"The Chief <chief@council.example>", ""),
        (b"An Officer <officer@council.example>, Two <two@council.example>", ""),
        (b"An Officer <officer@council.example", ""),
        (b"x" * 100 + b" <officer@council.example>", "x" * 60),
    ],
)
def test_a_name_is_the_senders_own_or_none(field: bytes, name: str) -> None:
    assert author_name([field], SENDER) == name


def test_two_from_fields_and_none_give_no_name() -> None:
    assert author_name([b"A <officer@council.example>"] * 2, SENDER) == ""
    assert author_name([], SENDER) == ""


def parsed(value: str, name: str) -> UnstructuredHeader | AddressHeader:
    """The field as a mail program reads it; the message has that one field and no other."""
    message = email.message_from_bytes(f"{name}: {value}\r\n\r\n".encode(), policy=email.policy.default)
    assert message.keys() == [name] and message.get_payload() == "" and not message.defects
    return message[name]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_any_text_is_read_again_as_it_can_be_shown(text: str) -> None:
    value = field_text(text)
    assert value.isascii() and all(len(line) <= 78 or line.isprintable() for line in value.split("\r\n"))
    assert str(parsed(value, "Subject")) == one_line(text)


@pytest.mark.parametrize("name", ['An "A" \\ Officer', "Jürgen via Council", "=?utf-8?q?x?=", "a\r\nBcc: x@y.example"])
def test_a_mailbox_has_its_name_and_one_address(name: str) -> None:
    field = parsed(mailbox(name, BOX), "From")
    assert isinstance(field, AddressHeader)
    (one,) = field.addresses
    assert (one.display_name, one.addr_spec) == (one_line(name), str(BOX))


def test_a_long_subject_is_cut_between_whole_characters() -> None:
    value = field_text("ü" * 100 + "€" * 50)
    words = value.split("\r\n ")
    assert len(words) == 8 and max(map(len, words)) <= 75
    assert str(parsed(value, "Subject")) == "ü" * 100 + "€" * 50


def test_a_line_is_cut_and_has_no_characters_that_turn_it_around() -> None:
    assert one_line("a\r\nb\u202ec\t d") == "a b c d"
    assert one_line("x" * 300) == "x" * 200
