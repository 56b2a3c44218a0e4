"""Signatures that others accept, over exactly what leaves; and none where nobody asked for one."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.body_hash import BodyHash
from gateway.signing.dkim import Dkim
from gateway.signing.keys import BadKey, load_key
from tests.fakes.clock import START, SteppedClock
from tests.signing.keys import DOMAIN, ED25519, MESSAGE, RSA, both, dkim_key, pem, records, rsa_pem
from tests.signing.verifying import opendkim, verdicts

KEYS = both()
RECORDS = records(*KEYS)
ACCEPTED = {RSA: True, ED25519: True}


def signed(message: bytes, signer: Dkim | None = None) -> bytes:
    """The message as it leaves."""
    header, empty_line, body = message.partition(b"\r\n\r\n")
    hashed = BodyHash()
    hashed.feed(body)
    return (signer or Dkim(KEYS, SteppedClock())).sign(header + empty_line, hashed.digest()) + message


def tag(message: bytes, name: bytes) -> list[bytes]:
    """A tag of each signature, without folds."""
    fields = message.partition(b"\r\n\r\n")[0].replace(b"\r\n\t", b"").split(b"\r\n")
    signatures = [field for field in fields if field.startswith(b"DKIM-Signature:")]
    tags = [dict(part.strip().split(b"=", 1) for part in field[15:].split(b";")) for field in signatures]
    return [each.get(name, b"") for each in tags]


def test_both_kinds_sign_and_hold() -> None:
    message = signed(MESSAGE)
    assert verdicts(message, RECORDS) == ACCEPTED
    assert tag(message, b"a") == [b"rsa-sha256", b"ed25519-sha256"]
    assert tag(message, b"t") == [str(int(START.timestamp())).encode()] * 2
    assert tag(message, b"d") == [DOMAIN.encode()] * 2
    assert tag(message, b"l") == tag(message, b"x") == [b"", b""]
    assert message.endswith(MESSAGE)


@pytest.mark.peer("opendkim")
@pytest.mark.peer("root")
@pytest.mark.parametrize("selector", [RSA, ED25519])
def test_opendkim_accepts_what_we_sign_and_nothing_else(selector: str) -> None:
    key = dkim_key(selector)
    message = signed(MESSAGE, Dkim([key], SteppedClock()))
    assert opendkim(message, records(key)) == ""
    assert "Bad signature" in opendkim(message.replace(b"planted", b"changed"), records(key))
    assert "Bad signature" in opendkim(message.replace(b"second", b"other"), records(key))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"planted", b"changed"),
        (b"second line", b"second lime"),
        (b"nurse@", b"curse@"),
        (b"charset=utf-8", b"charset=utf-7"),
        (b"t=17", b"t=16"),
        (b"From: An", b"From: A person <person@evil.example>\r\nFrom: An"),
        (b"Date:", b"Date: Tue, 03 Mar 2026 09:00:00 +0000\r\nDate:"),
        (b"From: An", b"Cc: more@evil.example\r\nFrom: An"),
        (b"From: An", b"Reply-To: more@evil.example\r\nFrom: An"),
        (b"Content-Type:", b"Content-Type: text/html\r\nContent-Type:"),
    ],
)
def test_signature_does_not_hold_for_another_message(old: bytes, new: bytes) -> None:
    message = signed(MESSAGE)
    assert old in message
    assert verdicts(message.replace(old, new), RECORDS) == {RSA: False, ED25519: False}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"the \t planted   subject ", b"the planted\r\n  subject"),
        (b"The  body.\t ", b"The body."),
        (b"Received:", b"Received: from us by them\r\nX-Scanned: clean\r\nReceived:"),
        (b"From: An", b"Sender: list@other.example\r\nIn-Reply-To: <a@b.example>\r\nFrom: An"),
    ],
)
def test_signature_survives_what_hosts_on_the_way_may_do(old: bytes, new: bytes) -> None:
    message = signed(MESSAGE)
    assert message.count(old) == 1
    assert verdicts(message.replace(old, new), RECORDS) == ACCEPTED


def test_every_occurrence_is_signed_from_the_last_to_the_first() -> None:
    message = MESSAGE.replace(b"Subject:", b"Subject: one more\r\nSubject:")
    names = tag(signed(message), b"h")[0].split(b":")
    assert names.count(b"subject") == 3 and names.count(b"cc") == 1 and names.count(b"references") == 0
    assert verdicts(signed(message), RECORDS) == ACCEPTED
    assert verdicts(signed(message).replace(b"one more", b"two more"), RECORDS) == {RSA: False, ED25519: False}


def test_bytes_beyond_ascii_are_signed_as_they_are() -> None:
    message = MESSAGE.replace(b"subject", "Prüfung".encode()).replace(b"body", b"b\xf6dy")
    assert verdicts(signed(message), RECORDS) == ACCEPTED


def test_author_with_an_international_domain_is_signed_by_its_a_labels() -> None:
    key = dkim_key(RSA, "xn--bcher-kva.example")
    message = MESSAGE.replace(b"officer@council.example", "büro@bücher.example".encode())
    assert verdicts(signed(message, Dkim([key], SteppedClock())), records(key)) == {RSA: True}


@pytest.mark.parametrize(
    "author",
    [
        b"officer@other.example",
        b"officer@sub.council.example",
        b"officer@council.example, other@council.example",
        b"officer@council.example>, <x@council.example",
        b"council.example",
    ],
)
def test_nothing_is_signed_for_anybody_else(author: bytes) -> None:
    message = MESSAGE.replace(b"An Officer <officer@council.example>", author)
    assert signed(message) == message


def test_two_from_fields_are_not_signed() -> None:
    message = b"From: officer@council.example\r\n" + MESSAGE
    assert signed(message) == message


def test_each_domain_has_its_own_keys() -> None:
    keys = (dkim_key(RSA, "one.example", "two.example"), dkim_key(ED25519, "two.example"))
    signer = Dkim(keys, SteppedClock())
    assert [signer.wanted(name) for name in ("one.example", "two.example", "three.example")] == [True, True, False]
    for domain, expected in (("one.example", {RSA: True}), ("two.example", ACCEPTED)):
        message = MESSAGE.replace(b"officer@council.example", f"me@{domain}".encode())
        assert verdicts(signed(message, signer), records(*keys)) == expected


async def test_time_is_that_of_each_signature() -> None:
    clock = SteppedClock()
    signer = Dkim(KEYS[:1], clock)
    first = signed(MESSAGE, signer)
    await clock.advance(timedelta(hours=3))
    second = signed(MESSAGE, signer)
    assert int(tag(second, b"t")[0]) - int(tag(first, b"t")[0]) == 3 * 3600
    assert verdicts(second, RECORDS) == {RSA: True}


def test_lines_of_a_signature_stay_short() -> None:
    fields = b"".join(b"%s: <a@b.example>\r\n" % name for name in (b"References", b"In-Reply-To", b"List-Id"))
    more = b"List-Unsubscribe: <https://a.example>\r\nList-Unsubscribe-Post: x\r\nContent-Transfer-Encoding: 8bit\r\n"
    message = signed(fields + more + MESSAGE)
    header = message[: message.index(b"References")]
    assert header and max(map(len, header.split(b"\r\n"))) <= 78
    assert verdicts(message, RECORDS) == ACCEPTED


VALUES = st.text(alphabet=" \t;:=<>,abü", max_size=40).map(lambda text: text.strip().encode())


@settings(max_examples=40)
@given(VALUES, VALUES, st.binary(max_size=40))
def test_whatever_a_field_and_the_body_hold_the_signature_holds(subject: bytes, to: bytes, body: bytes) -> None:
    lines = body.replace(b"\r", b"").replace(b"\n", b"\r\n") + b"\r\n"
    message = b"From: officer@council.example\r\nSubject: " + subject + b"\r\nTo:" + to + b"\r\n\r\n" + lines
    assert verdicts(signed(message), RECORDS) == ACCEPTED


def test_key_that_cannot_be_used_is_refused_at_once_and_not_repeated() -> None:
    with pytest.raises(BadKey, match="not a private key in PEM form"):
        Dkim([replace(KEYS[0], private_key=b"SECRET")], SteppedClock())
    assert b"PRIVATE" in rsa_pem() and "PRIVATE" not in repr(KEYS[0])
    assert pem(load_key(rsa_pem())) == rsa_pem()
