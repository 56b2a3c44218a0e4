"""The grammar of MAIL and RCPT as tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.address import Address, NullPath
from gateway.core.envelope import BodyType, Notify, Recipient, Ret
from gateway.core.reply import Reply
from gateway.wire.smtp_params import MailCommand, parse_mail, parse_rcpt

A = Address("a", "b.example")


@pytest.mark.parametrize(
    ("argument", "command"),
    [
        (b"FROM:<>", MailCommand(reverse_path=NullPath.NULL)),
        (b"from:<a@B.example>", MailCommand(reverse_path=A)),
        (b"FROM:  <a@b.example>", MailCommand(reverse_path=A)),
        (b"FROM:<a@b.example> ", MailCommand(reverse_path=A)),
        (b"FROM:<a@b.example> SIZE=0", MailCommand(reverse_path=A, size=0)),
        (b"FROM:<a@b.example>  size=12345678901234567890", MailCommand(reverse_path=A, size=12345678901234567890)),
        (b"FROM:<a@b.example> BODY=7bit", MailCommand(reverse_path=A)),
        (b"FROM:<a@b.example> body=8BitMime", MailCommand(reverse_path=A, body=BodyType.EIGHT_BIT)),
        (b"FROM:<a@b.example> RET=full", MailCommand(reverse_path=A, ret=Ret.FULL)),
        (b"FROM:<a@b.example> RET=HDRS ENVID=q+2Bx+3D", MailCommand(reverse_path=A, ret=Ret.HDRS, envid="q+2Bx+3D")),
        (b"FROM:<a@b.example> ENVID=" + b"e" * 100, MailCommand(reverse_path=A, envid="e" * 100)),
        (b"FROM:<a@b.example> SMTPUTF8", MailCommand(reverse_path=A, smtputf8=True)),
        (b"FROM:<a@b.example> RequireTls SIZE=1", MailCommand(reverse_path=A, size=1, require_tls=True)),
        (
            "FROM:<ü@bü.example> SMTPUTF8".encode(),
            MailCommand(reverse_path=Address("ü", "xn--b-eha.example"), smtputf8=True),
        ),
    ],
)
def test_mail_is_read_with_its_values_as_they_were_sent(argument: bytes, command: MailCommand) -> None:
    assert parse_mail(argument, extended=True) == command


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        (b"", "501 5.5.4"),
        (b"<a@b.example>", "501 5.5.4"),
        (b"TO:<a@b.example>", "501 5.5.4"),
        (b"FROM <a@b.example>", "501 5.5.4"),
        (b"FROM:", "501 5.1.7"),
        (b"FROM:a@b.example", "501 5.1.7"),
        (b"FROM:\t<a@b.example>", "501 5.1.7"),
        (b"FROM:<a@b.example>SIZE=1", "501 5.5.4"),
        (b"FROM:<a@b.example>\tSIZE=1", "501 5.5.4"),
        (b"FROM:<a@b.example> SIZE=", "501 5.5.4"),
        (b"FROM:<a@b.example> SIZE", "501 5.5.4"),
        (b"FROM:<a@b.example> SIZE=-1", "501 5.5.4"),
        (b"FROM:<a@b.example> SIZE=\xd9\xa1 SMTPUTF8", "501 5.5.4"),
        (b"FROM:<a@b.example> SIZE=123456789012345678901", "501 5.5.4"),
        (b"FROM:<a@b.example> SIZE=1 size=1", "501 5.5.4"),
        (b"FROM:<a@b.example> SIZE=1=2", "501 5.5.4"),
        (b"FROM:<a@b.example> -X=1", "501 5.5.4"),
        (b"FROM:<a@b.example> =1", "501 5.5.4"),
        (b"FROM:<a@b.example> SIZE=1\x00", "501 5.5.4"),
        (b"FROM:<a@b.example> BODY", "501 5.5.4"),
        (b"FROM:<a@b.example> BODY=BINARYMIME", "501 5.5.4"),
        (b"FROM:<a@b.example> SMTPUTF8=yes", "501 5.5.4"),
        (b"FROM:<a@b.example> RET=SOME", "501 5.5.4"),
        (b"FROM:<a@b.example> ENVID=" + b"e" * 101, "501 5.5.4"),
        (b"FROM:<a@b.example> ENVID=+", "501 5.5.4"),
        (b"FROM:<a@b.example> ENVID=+2b", "501 5.5.4"),
        (b"FROM:<a@b.example> ENVID=+0D+0A", "501 5.5.4"),
        (b"FROM:<a@b.example> ENVID=+7F", "501 5.5.4"),
        (b"FROM:<a@b.example> ENVID", "501 5.5.4"),
        (b"FROM:<a@b.example> AUTH=<>", "555 5.5.4"),
        (b"FROM:<a@b.example> REQUIRETLS=yes", "501 5.5.4"),
        (b"FROM:<a@b.example> REQUIRETLS requiretls", "501 5.5.4"),
        (b"FROM:<a@b.example> REQUIRETLSX", "555 5.5.4"),
        (b"FROM:<a@b.example> MT-PRIORITY=3", "555 5.5.4"),
        (b"FROM:<a@b.example> NOTIFY=NEVER", "555 5.5.4"),
        ("FROM:<ü@b.example>".encode(), "553 5.6.7"),
        ("FROM:<a@bü.example> SIZE=1".encode(), "553 5.6.7"),
        (b"FROM:<\xff@b.example> SMTPUTF8", "501 5.1.7"),
    ],
)
def test_mail_that_is_not_well_formed_is_refused(argument: bytes, expected: str) -> None:
    answer = parse_mail(argument, extended=True)
    assert isinstance(answer, Reply)
    assert str(answer).startswith(expected + " ")


@pytest.mark.parametrize(
    ("argument", "recipient"),
    [
        (b"TO:<a@b.example>", Recipient(address=A)),
        (b"to: <a@b.example>", Recipient(address=A)),
        (b"TO:<a@b.example> NOTIFY=NEVER", Recipient(address=A, notify=frozenset({Notify.NEVER}))),
        (
            b"TO:<a@b.example> notify=success,Failure,DELAY,DELAY",
            Recipient(address=A, notify=frozenset({Notify.SUCCESS, Notify.FAILURE, Notify.DELAY})),
        ),
        (b"TO:<a@b.example> ORCPT=RFC822;x+2By@Z", Recipient(address=A, orcpt="RFC822;x+2By@Z")),
        (b"TO:<a@b.example> ORCPT=x400;/S+3Dx/", Recipient(address=A, orcpt="x400;/S+3Dx/")),
        (b"TO:<a@b.example> ORCPT=a;" + b"o" * 498, Recipient(address=A, orcpt="a;" + "o" * 498)),
        (
            rb"TO:<a@b.example> ORCPT=utf-8;\x{FC}\x{20AC}\x{1F600}\x{5C}@x",
            Recipient(address=A, orcpt=r"utf-8;\x{FC}\x{20AC}\x{1F600}\x{5C}@x"),
        ),
    ],
)
def test_recipient_is_read_with_its_wishes(argument: bytes, recipient: Recipient) -> None:
    assert parse_rcpt(argument, extended=True, smtputf8=False) == recipient
    assert parse_rcpt(argument, extended=True, smtputf8=True) == recipient


def test_recipient_beyond_ascii_needs_what_mail_asked_for() -> None:
    argument = "TO:<ü@b.example> ORCPT=utf-8;ü@b.example".encode()
    recipient = Recipient(address=Address("ü", "b.example"), orcpt="utf-8;ü@b.example")
    assert parse_rcpt(argument, extended=True, smtputf8=True) == recipient
    assert str(parse_rcpt(argument, extended=True, smtputf8=False)).startswith("553 5.6.7 ")


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        (b"TO:<>", "501 5.1.3"),
        (b"TO:<postmaster>", "501 5.1.3"),
        (b"TO:<@r.example:a@b.example>", "501 5.1.3"),
        (b"FROM:<a@b.example>", "501 5.5.4"),
        (b"TO:<a%c@b.example>", "550 5.7.1"),
        (b"TO:<a@b.example> NOTIFY", "501 5.5.4"),
        (b"TO:<a@b.example> NOTIFY=", "501 5.5.4"),
        (b"TO:<a@b.example> NOTIFY=NEVER,FAILURE", "501 5.5.4"),
        (b"TO:<a@b.example> NOTIFY=SUCCESS,", "501 5.5.4"),
        (b"TO:<a@b.example> NOTIFY=ALWAYS", "501 5.5.4"),
        (b"TO:<a@b.example> ORCPT", "501 5.5.4"),
        (b"TO:<a@b.example> ORCPT=a@b", "501 5.5.4"),
        (b"TO:<a@b.example> ORCPT=;a@b", "501 5.5.4"),
        (b"TO:<a@b.example> ORCPT=rfc822;", "501 5.5.4"),
        (b"TO:<a@b.example> ORCPT=rfc822;+0A", "501 5.5.4"),
        (b"TO:<a@b.example> ORCPT=a;" + b"o" * 499, "501 5.5.4"),
        (rb"TO:<a@b.example> ORCPT=utf-8;\x{0A}", "501 5.5.4"),
        (rb"TO:<a@b.example> ORCPT=utf-8;\x{41}", "501 5.5.4"),
        (rb"TO:<a@b.example> ORCPT=utf-8;\x{D800}", "501 5.5.4"),
        (b"TO:<a@b.example> ORCPT=utf-8;\xff", "501 5.5.4"),
        ("TO:<a@b.example> ORCPT=utf-8;a\u2028b".encode(), "501 5.5.4"),
        ("TO:<a@b.example> ORCPT=rfc822;ü".encode(), "501 5.5.4"),
        (b"TO:<a@b.example> SIZE=1", "555 5.5.4"),
        (b"TO:<a@b.example> RET=FULL", "555 5.5.4"),
    ],
)
def test_recipient_that_is_not_well_formed_is_refused(argument: bytes, expected: str) -> None:
    answer = parse_rcpt(argument, extended=True, smtputf8=True)
    assert isinstance(answer, Reply)
    assert str(answer).startswith(expected + " ")


def test_parameters_need_ehlo() -> None:
    assert parse_mail(b"FROM:<a@b.example>", extended=False) == MailCommand(reverse_path=A)
    for answer in (
        parse_mail(b"FROM:<a@b.example> SIZE=1", extended=False),
        parse_rcpt(b"TO:<a@b.example> NOTIFY=NEVER", extended=False, smtputf8=False),
    ):
        assert str(answer).startswith("555 5.5.4 ")


@given(st.binary(max_size=120), st.booleans(), st.booleans())
def test_any_argument_is_a_command_or_a_permanent_reply(tail: bytes, extended: bool, smtputf8: bool) -> None:
    mail = parse_mail(b"FROM:<a@b.example>" + tail, extended=extended)
    assert isinstance(mail, MailCommand) or mail.is_permanent
    rcpt = parse_rcpt(b"TO:<a@b.example>" + tail, extended=extended, smtputf8=smtputf8)
    assert isinstance(rcpt, Recipient) or rcpt.is_permanent
    for answer in (parse_mail(tail, extended=extended), parse_rcpt(tail, extended=extended, smtputf8=smtputf8)):
        assert not isinstance(answer, Reply) or answer.is_permanent
