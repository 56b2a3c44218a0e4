"""From fields: the addresses where all programs read the same ones, and none at all otherwise."""

import pytest

from gateway.core.mailboxes import read_mailboxes


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        (b"jane@council.example", ("jane@council.example",)),
        (b"<jane@council.example>", ("jane@council.example",)),
        (b"Jane Doe <jane@Council.Example>", ("jane@council.example",)),
        (b'"Doe, Jane (Finance) <x@y>" <jane@council.example>', ("jane@council.example",)),
        (b'"jane@council.example" <jane@council.example>', ("jane@council.example",)),
        (b"Jane (Finance, \\) again) <jane@council.example> (note)", ("jane@council.example",)),
        (b"=?utf-8?q?Jane=40evil?= <jane@council.example>", ("jane@council.example",)),
        ("Jos\u00e9 <jose@council.example>".encode(), ("jose@council.example",)),
        (b'<"odd@local"@council.example>', ('"odd@local"@council.example',)),
        (b"a@one.example, Bee <b@two.example> ,c@three.example", ("a@one.example", "b@two.example", "c@three.example")),
        ("a@b\u00fccher.example".encode(), ("a@xn--bcher-kva.example",)),
    ],
)
def test_certain_addresses_are_read(value: bytes, addresses: tuple[str, ...]) -> None:
    assert read_mailboxes((value,)) == addresses


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Jane",
        b"jane@council.example <evil@bad.example>",
        b"<jane@council.example> <evil@bad.example>",
        b"<jane@council.example> evil",
        b"jane@council.example evil@bad.example",
        b"jane@council.example,",
        b"Staff: jane@council.example;",
        b"<@relay.example:jane@council.example>",
        b"Jane (a (nested) one) <jane@council.example>",
        b"Jane (open <jane@council.example>",
        b'"open <jane@council.example>',
        b"Jane <jane@council.example",
        b"Jane <jane@ council.example>",
        b"Jane <jane@council.example@bad.example>",
        b"J\xe9 <jane@council.example>",
        b"Jane <>",
        b"a@b.example," * 20 + b"a@b.example",
        b"x" * 9000 + b" <jane@council.example>",
    ],
)
def test_what_is_not_certain_gives_no_address(value: bytes) -> None:
    assert read_mailboxes((value,)) == ()
    assert read_mailboxes((b"good@council.example", value)) == ()


def test_all_fields_are_read() -> None:
    assert read_mailboxes((b"a@one.example", b"b@two.example")) == ("a@one.example", "b@two.example")
    assert read_mailboxes(()) == ()
