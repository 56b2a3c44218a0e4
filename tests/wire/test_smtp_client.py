"""Commands from parsed values only, and what EHLO offers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.address import Address, NullPath, parse_address
from gateway.core.envelope import BodyType, Notify, Recipient, Ret
from gateway.core.reply import Reply
from gateway.wire import smtp_client
from gateway.wire.errors import LocalProtocolError
from gateway.wire.smtp_client import Capabilities
from gateway.wire.smtp_params import MailCommand, parse_mail, parse_rcpt

ALL = Capabilities(size=True, eight_bit_mime=True, smtputf8=True, dsn=True)
NOTHING = Capabilities()
ANNA = parse_address("anna@a.example")


def ehlo(*lines: str) -> Capabilities:
    return Capabilities.parse(Reply(250, None, ("mx.example", *lines)))


def test_every_extension_that_we_use_is_read() -> None:
    peer = ehlo(
        "pipelining", "SIZE 1000", "8BITMIME", "SMTPUTF8", "DSN", "REQUIRETLS", "CHUNKING", "ENHANCEDSTATUSCODES",
        "STARTTLS", "LIMITS MAILMAX=5 RCPTMAX=7", "AUTH PLAIN LOGIN",
    )  # fmt: skip
    assert peer == Capabilities(
        pipelining=True,
        starttls=True,
        size=True,
        size_limit=1000,
        eight_bit_mime=True,
        smtputf8=True,
        dsn=True,
        requiretls=True,
        chunking=True,
        enhanced_status_codes=True,
        max_recipients=7,
        auth=frozenset({"PLAIN", "LOGIN"}),
    )


def test_the_greeting_line_offers_nothing() -> None:
    assert Capabilities.parse(Reply(250, None, ("STARTTLS",))) == NOTHING


@pytest.mark.parametrize("line", ["SIZE", "SIZE 0", "SIZE x", "SIZE -1", "SIZE ١"])
def test_a_size_without_a_number_is_no_limit(line: str) -> None:
    assert ehlo(line) == Capabilities(size=True)


def test_nonsense_is_passed_over() -> None:
    assert ehlo("", "LIMITS", "LIMITS RCPTMAX=x", "X-ODD 1", "XX") == NOTHING


@pytest.mark.parametrize("name", ["XXXXXXXA", "XXXX", "XXXXXXXX"])
def test_an_overwritten_name_is_named(name: str) -> None:
    assert ehlo(name).mangled == (name,)
    assert not ehlo(name).starttls


COMMAND = MailCommand(reverse_path=ANNA, size=10, body=BodyType.EIGHT_BIT, smtputf8=True, ret=Ret.HDRS, envid="id+2B1")


def test_mail_says_all_that_the_peer_offers() -> None:
    expected = b"MAIL FROM:<anna@a.example> SIZE=10 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=id+2B1\r\n"
    assert smtp_client.mail(COMMAND, ALL) == expected


def test_mail_says_nothing_that_the_peer_does_not_offer() -> None:
    command = MailCommand(reverse_path=ANNA, size=10, ret=Ret.FULL, envid="x")
    assert smtp_client.mail(command, NOTHING) == b"MAIL FROM:<anna@a.example>\r\n"


def test_requiretls_is_said_only_to_a_peer_that_offers_it() -> None:
    command = MailCommand(reverse_path=ANNA, require_tls=True)
    assert smtp_client.mail(command, Capabilities(requiretls=True)) == b"MAIL FROM:<anna@a.example> REQUIRETLS\r\n"
    unasked = MailCommand(reverse_path=ANNA)
    assert smtp_client.mail(unasked, Capabilities(requiretls=True)) == b"MAIL FROM:<anna@a.example>\r\n"
    with pytest.raises(LocalProtocolError):
        smtp_client.mail(command, ALL)


def test_the_null_path_is_empty_brackets() -> None:
    assert smtp_client.mail(MailCommand(reverse_path=NullPath.NULL), ALL) == b"MAIL FROM:<>\r\n"


@pytest.mark.parametrize(
    "command",
    [MailCommand(reverse_path=ANNA, body=BodyType.EIGHT_BIT), MailCommand(reverse_path=ANNA, smtputf8=True)],
)
def test_what_the_message_needs_must_be_offered(command: MailCommand) -> None:
    with pytest.raises(LocalProtocolError):
        smtp_client.mail(command, NOTHING)


def test_rcpt_carries_the_dsn_wishes_only_to_a_peer_that_knows_them() -> None:
    wishes = frozenset({Notify.DELAY, Notify.SUCCESS})
    recipient = Recipient(address=ANNA, notify=wishes, orcpt="rfc822;x@y.example")
    told = smtp_client.rcpt(recipient, ALL, utf8=False)
    assert told == b"RCPT TO:<anna@a.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x@y.example\r\n"
    assert smtp_client.rcpt(recipient, NOTHING, utf8=False) == b"RCPT TO:<anna@a.example>\r\n"


def test_an_original_recipient_in_utf8_is_rewritten_where_utf8_is_not_spoken() -> None:
    recipient = Recipient(address=ANNA, orcpt="utf-8;jürgen@y.example")
    assert b"ORCPT=utf-8;j\\x{FC}rgen@y.example\r\n" in smtp_client.rcpt(recipient, ALL, utf8=False)
    assert "ORCPT=utf-8;jürgen@y.example\r\n".encode() in smtp_client.rcpt(recipient, ALL, utf8=True)


@pytest.mark.parametrize("local", ["a\r\nRCPT TO:<evil@x", "a\nb", "a\x00", "a\u2028b\ud800", "a\x85b"])
def test_a_value_that_was_never_parsed_cannot_inject_a_command(local: str) -> None:
    with pytest.raises(LocalProtocolError):
        smtp_client.rcpt(Recipient(address=Address(local, "x.example")), ALL, utf8=True)


@pytest.mark.parametrize("orcpt", ["rfc822;a b", "rfc822;a=b", "rfc822;a\r\nX"])
def test_a_parameter_cannot_grow_into_another(orcpt: str) -> None:
    with pytest.raises(LocalProtocolError):
        smtp_client.rcpt(Recipient(address=ANNA, orcpt=orcpt), ALL, utf8=False)


def test_an_address_that_is_not_ascii_needs_smtputf8() -> None:
    recipient = Recipient(address=parse_address("jürgen@a.example"))
    with pytest.raises(LocalProtocolError):
        smtp_client.rcpt(recipient, ALL, utf8=False)
    assert smtp_client.rcpt(recipient, ALL, utf8=True) == "RCPT TO:<jürgen@a.example>\r\n".encode()


def test_hello_takes_a_name_and_nothing_else() -> None:
    assert smtp_client.ehlo("gw.example") == b"EHLO gw.example\r\n"
    assert smtp_client.helo("gw.example") == b"HELO gw.example\r\n"
    with pytest.raises(LocalProtocolError):
        smtp_client.ehlo("gw\r\nQUIT")


def test_a_login_is_encoded() -> None:
    assert smtp_client.auth_plain("us\u00e9r", "p") == b"AUTH PLAIN AHVzw6lyAHA=\r\n"
    assert smtp_client.auth_answer("user") == b"dXNlcg==\r\n"


# Without "%", "!" and "@" in quotes, which the listener refuses as routes.
LOCALS = st.from_regex(r'\A[a-z0-9#$+/=?^_-]{1,20}(\.[a-z0-9]{1,5})?\Z|\A"[ #$&-?A-\[\]-~]{0,20}"\Z')


@given(
    local=LOCALS,
    size=st.none() | st.integers(0, 10**12),
    body=st.sampled_from(BodyType),
    utf8=st.booleans(),
    ret=st.none() | st.sampled_from(Ret),
    notify=st.sampled_from([frozenset[Notify](), frozenset({Notify.NEVER}), frozenset({Notify.DELAY, Notify.FAILURE})]),
)
def test_what_is_built_is_parsed_again(
    local: str, size: int | None, body: BodyType, utf8: bool, ret: Ret | None, notify: frozenset[Notify]
) -> None:
    address = parse_address(f"{local}@b.example")
    command = MailCommand(reverse_path=address, size=size, body=body, smtputf8=utf8, ret=ret)
    recipient = Recipient(address=address, notify=notify)
    said = smtp_client.mail(command, ALL).removeprefix(b"MAIL ").removesuffix(b"\r\n")
    assert parse_mail(said, extended=True) == command
    said = smtp_client.rcpt(recipient, ALL, utf8=utf8).removeprefix(b"RCPT ").removesuffix(b"\r\n")
    assert parse_rcpt(said, extended=True, smtputf8=utf8) == recipient
