"""The dialogue: what is offered, the order of commands, and what each says when it is refused."""

import pytest

from gateway.core.address import Address, NullPath
from gateway.core.envelope import Admission, BodyType, Notify, Ret
from tests.listeners.smtp_rig import rig, with_options


async def test_a_message_reaches_the_flow_with_all_that_was_said() -> None:
    async with rig() as running:
        client = await running.greeted()
        mail = b"mail from:<Ann@Council.Example> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=QQ+2B1 SMTPUTF8"
        assert await client.ask(mail) == "250 2.1.0 OK"
        rcpt = b"RCPT TO:<Bob@X.example> NOTIFY=success,DELAY ORCPT=rfc822;Bob+40x@X.example"
        assert await client.ask(rcpt) == "250 2.1.5 OK"
        assert await client.ask("RCPT TO:<jürgen@bücher.example>".encode()) == "250 2.1.5 OK"
        assert await client.data(b"Subject: x\r\n\r\n..y\r\n.\r\n") == "250 2.0.0 queued as 000-1"

        submission = running.accept.last
        envelope = submission.envelope
        assert submission.content == b"Subject: x\r\n\r\n.y\r\n"
        assert envelope.reverse_path == Address("Ann", "council.example")
        assert (envelope.ret, envelope.envid, envelope.body) == (Ret.HDRS, "QQ+2B1", BodyType.EIGHT_BIT)
        assert envelope.smtputf8
        first, second = envelope.recipients
        assert first.address == Address("Bob", "x.example")
        assert first.notify == {Notify.SUCCESS, Notify.DELAY}
        assert first.orcpt == "rfc822;Bob+40x@X.example"
        assert second.address == Address("jürgen", "xn--bcher-kva.example")
        assert envelope.listener == "office"
        assert envelope.client.identity == envelope.client.address == "127.0.0.1"
        assert envelope.client.how is Admission.NETWORK
        assert envelope.client.helo == "pc.council.example"
        assert envelope.client.tls is None
        assert envelope.client.esmtp
        assert submission.profile.listener == "office"
        assert submission.profile.proofs == ()
        assert await client.ask(b"QUIT") == "221 2.0.0 bye"
        assert await client.rest() == ""
        assert running.events.refusals == []


async def test_ehlo_offers_what_is_there_and_no_more() -> None:
    async with rig(with_options(max_message=12345, max_recipients=123)) as running:
        client = await running.connect()
        assert await client.reply() == "220 gw.council.example ESMTP"
        offered = (await client.ask(b"EHLO pc")).split("|")
        assert offered == [
            "250-gw.council.example",
            "250-PIPELINING",
            "250-SIZE 12345",
            "250-8BITMIME",
            "250-SMTPUTF8",
            "250-ENHANCEDSTATUSCODES",
            "250-DSN",
            "250-CHUNKING",
            "250 LIMITS RCPTMAX=123",
        ]


async def test_helo_client_is_no_esmtp_client_and_may_not_use_parameters() -> None:
    async with rig() as running:
        client = await running.connect()
        await client.reply()
        assert await client.ask(b"HELO old printer (3rd floor)\xe9") == "250 gw.council.example"
        assert (await client.ask(b"MAIL FROM:<a@council.example> SIZE=1")).startswith("555 5.5.4 ")
        assert (await client.message()).startswith("250 ")
        assert not running.accept.last.envelope.client.esmtp
        assert running.accept.last.envelope.client.helo == "old?printer??3rd?floor??"


async def test_null_reverse_path_is_a_value_of_its_own() -> None:
    async with rig() as running:
        client = await running.greeted()
        assert await client.ask(b"MAIL FROM:<>") == "250 2.1.0 OK"
        await client.ask(b"RCPT TO:<b@x.example>")
        await client.data(b"x: y\r\n\r\n.\r\n")
        assert running.accept.last.envelope.reverse_path is NullPath.NULL


@pytest.mark.parametrize(
    ("before", "line", "expected"),
    [
        ([], b"MAIL FROM:<a@council.example>", "503 5.5.1"),
        ([], b"EHLO", "501 5.5.4"),
        ([], b"HELO ", "501 5.5.4"),
        ([b"EHLO x"], b"RCPT TO:<b@x.example>", "503 5.5.1"),
        ([b"EHLO x"], b"DATA", "503 5.5.1"),
        ([b"EHLO x", b"MAIL FROM:<a@council.example>"], b"MAIL FROM:<a@council.example>", "503 5.5.1"),
        ([b"EHLO x", b"MAIL FROM:<>"], b"MAIL FROM:<a@council.example>", "503 5.5.1"),
        ([b"EHLO x", b"MAIL FROM:<a@council.example>"], b"DATA", "554 5.5.1"),
        ([b"EHLO x", b"MAIL FROM:<a@council.example>", b"EHLO x"], b"RCPT TO:<b@x.example>", "503 5.5.1"),
        ([b"EHLO x", b"MAIL FROM:<>", b"RCPT TO:<b@x.example>"], b"DATA now", "501 5.5.4"),
        ([b"EHLO x", b"MAIL FROM:<>", b"RSET"], b"RCPT TO:<b@x.example>", "503 5.5.1"),
        ([b"EHLO x"], b"RSET now", "501 5.5.4"),
        ([b"EHLO x"], b"MAIL FROM:<a@elsewhere.example>", "550 5.7.1"),
        ([b"EHLO x"], b"MAIL FROM:<a@council.example> SIZE=157286401", "552 5.3.4"),
        ([b"EHLO x"], b"MAIL FROM:<a@council.example> SIZE=157286400", "250 2.1.0"),
        ([b"EHLO x"], b"MAIL TO:<a@council.example>", "501 5.5.4"),
        ([b"EHLO x"], "MAIL FROM:<jö@council.example>".encode(), "553 5.6.7"),
        ([b"EHLO x", b"MAIL FROM:<>"], "RCPT TO:<jö@x.example>".encode(), "553 5.6.7"),
        ([b"EHLO x"], b"STARTTLS", "502 5.5.1"),
        ([b"EHLO x"], b"AUTH PLAIN AGEAYg==", "502 5.5.1"),
        ([b"EHLO x"], b"VRFY root", "252 2.0.0"),
        ([b"EHLO x"], b"EXPN staff", "502 5.5.1"),
        ([b"EHLO x"], b"NOOP anything", "250 2.0.0"),
        ([b"EHLO x"], b"HELP", "214 2.0.0"),
        ([b"EHLO x"], b"", "500 5.5.1"),
        ([b"EHLO x"], b"XYZZY", "500 5.5.1"),
        ([b"EHLO x"], b"M\xc3\xa4IL FROM:<>", "500 5.5.1"),
        ([b"EHLO x"], b"NOOP " + b"x" * 2050, "500 5.5.2"),
        ([b"EHLO x"], b"NOOP x\rMAIL FROM:<>", "500 5.5.2"),
    ],
)
async def test_refused_command_leaves_the_conversation_going(before: list[bytes], line: bytes, expected: str) -> None:
    async with rig() as running:
        client = await running.connect()
        await client.reply()
        for earlier in before:
            assert (await client.ask(earlier))[:3] in ("250", "354")
        assert (await client.ask(line)).startswith(expected + " ")
        assert (await client.ask(b"NOOP")) == "250 2.0.0 OK"


async def test_commands_behind_a_starttls_that_is_not_offered_are_answered() -> None:
    async with rig() as running:
        client = await running.greeted()
        await client.send(b"STARTTLS\r\nNOOP\r\n")
        assert (await client.reply()).startswith("502 5.5.1 ")
        assert (await client.reply()) == "250 2.0.0 OK"


async def test_refused_mail_is_reported_with_the_client() -> None:
    async with rig() as running:
        client = await running.greeted()
        await client.ask(b"MAIL FROM:<a@elsewhere.example>")
        await client.ask(b"MAIL FROM:<a@council.example> SIZE=157286401")
        assert [(who, code) for who, _, code in running.events.refusals] == [("127.0.0.1", 550), ("127.0.0.1", 552)]
        assert (await client.message()).startswith("250 ")


async def test_bare_line_feed_does_not_end_a_command() -> None:
    async with rig() as running:
        client = await running.greeted()
        await client.send(b"NOOP\nMAIL FROM:<a@council.example>\r\n")
        assert (await client.reply()).startswith("500 5.5.2 ")
        assert await client.reply() == "250 2.1.0 OK"


async def test_endless_line_is_dropped_and_the_next_command_is_heard() -> None:
    async with rig() as running:
        client = await running.greeted()
        await client.send(b"NOOP " + b"x" * 3_000_000 + b"\r\nNOOP\r\n")
        assert (await client.reply()).startswith("500 5.5.2 ")
        assert await client.reply() == "250 2.0.0 OK"


async def test_recipient_named_twice_is_one_recipient_with_its_first_wishes() -> None:
    async with rig(with_options(max_recipients=2)) as running:
        client = await running.greeted()
        await client.ask(b"MAIL FROM:<a@council.example>")
        assert await client.ask(b"RCPT TO:<b@x.example> NOTIFY=NEVER") == "250 2.1.5 OK"
        assert await client.ask(b"RCPT TO:<c@x.example>") == "250 2.1.5 OK"
        assert await client.ask(b"RCPT TO:<b@X.EXAMPLE> NOTIFY=DELAY") == "250 2.1.5 OK"
        assert (await client.ask(b"RCPT TO:<B@x.example>")).startswith("452 4.5.3 ")
        assert (await client.data(b"x: y\r\n\r\n.\r\n")).startswith("250 ")
        recipients = running.accept.last.envelope.recipients
        assert [str(recipient.address) for recipient in recipients] == ["b@x.example", "c@x.example"]
        assert recipients[0].notify == {Notify.NEVER}


async def test_recipient_may_be_refused_for_what_stands_beside_it() -> None:
    async with rig() as running:
        client = await running.greeted()
        await client.ask(b"MAIL FROM:<a@council.example>")
        assert await client.ask(b"RCPT TO:<b@refused.example>") == "550 5.1.1 unknown to a@council.example"
        assert await client.ask(b"RCPT TO:<c@x.example>") == "250 2.1.5 OK"
        assert await client.ask(b"RCPT TO:<b@refused.example>") == "452 4.5.3 alone"
        assert (await client.data(b"x: y\r\n\r\n.\r\n")).startswith("250 ")
        assert [str(one.address) for one in running.accept.last.envelope.recipients] == ["c@x.example"]
        assert [code for _, _, code in running.events.refusals] == [550, 452]


async def test_one_session_does_not_leak_into_another() -> None:
    async with rig(with_options(max_recipients=1)) as running:
        first, second = await running.greeted(), await running.greeted()
        await first.ask(b"MAIL FROM:<a@council.example> SMTPUTF8")
        await second.ask(b"MAIL FROM:<z@council.example>")
        await first.ask(b"RCPT TO:<one@x.example>")
        assert await second.ask(b"RCPT TO:<two@x.example>") == "250 2.1.5 OK"
        assert (await second.ask("RCPT TO:<zwö@x.example>".encode())).startswith("553 5.6.7 ")
        assert (await first.ask("RCPT TO:<zwö@x.example>".encode())).startswith("452 4.5.3 ")
        for client in (first, second):
            assert (await client.data(b"x: y\r\n\r\n.\r\n")).startswith("250 ")
        envelopes = [submission.envelope for submission in running.accept.submissions]
        assert [str(e.recipients[0].address) for e in envelopes] == ["one@x.example", "two@x.example"]
        assert [e.smtputf8 for e in envelopes] == [True, False]


async def test_connection_carries_many_messages_and_forgets_each() -> None:
    async with rig() as running:
        client = await running.greeted()
        for number in range(3):
            assert (await client.message(b"N: %d\r\n\r\n.\r\n" % number)).startswith("250 ")
            assert (await client.ask(b"DATA")).startswith("503 ")
        assert running.accept.messages == [b"N: 0\r\n\r\n", b"N: 1\r\n\r\n", b"N: 2\r\n\r\n"]


async def test_many_refused_commands_end_the_conversation() -> None:
    async with rig() as running:
        client = await running.greeted()
        for _ in range(19):
            assert (await client.ask(b"XYZZY")).startswith("500 5.5.1 ")
        await client.send(b"XYZZY\r\nNOOP\r\n")
        assert (await client.reply()).startswith("500 5.5.1 ")
        assert (await client.reply()).startswith("421 4.7.0 ")
        assert await client.rest() == ""


async def test_accepted_message_forgives_earlier_errors_and_bad_recipients_never_count() -> None:
    async with rig() as running:
        client = await running.greeted()
        for _ in range(3):
            for _ in range(15):
                await client.ask(b"XYZZY")
            await client.ask(b"MAIL FROM:<a@council.example>")
            for _ in range(25):
                assert (await client.ask(b"RCPT TO:<not an address>")).startswith("501 5.1.3 ")
            await client.ask(b"RCPT TO:<b@x.example>")
            assert (await client.data(b"x: y\r\n\r\n.\r\n")).startswith("250 ")


@pytest.mark.parametrize("command", [b"NOOP", b"RSET", b"VRFY a", b"HELP", b"EHLO x", b"RCPT TO:<b@x.example>"])
async def test_many_commands_that_lead_to_no_message_end_the_conversation(command: bytes) -> None:
    async with rig() as running:
        client = await running.greeted()
        await client.send((command + b"\r\n") * 99)
        assert not any(answer.startswith("421 ") for answer in await client.replies(98))
        assert await client.reply() != ""
        assert await client.reply() == "421 4.7.0 too many commands without a message, closing the connection"
        assert await client.rest() == ""


async def test_transactions_that_are_always_given_up_end_the_conversation() -> None:
    async with rig() as running:
        client = await running.greeted()
        await client.send(b"MAIL FROM:<a@council.example>\r\nRCPT TO:<b@x.example>\r\nRSET\r\n" * 100)
        assert (await client.rest()).endswith(
            "421 4.7.0 too many commands without a message, closing the connection\r\n"
        )


async def test_message_forgives_idle_commands_and_recipients_are_none() -> None:
    async with rig() as running:
        client = await running.greeted()
        for _ in range(3):
            await client.send(b"NOOP\r\n" * 60)
            await client.replies(60)
            await client.envelope(*(b"b@x.example" for _ in range(150)))
            assert (await client.data(b"x: y\r\n\r\n.\r\n")).startswith("250 ")


async def test_browser_is_cut_off_before_its_body() -> None:
    async with rig() as running:
        client = await running.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: gw\r\n\r\nEHLO x\r\nMAIL FROM:<a@council.example>\r\n")
        answers = await client.rest()
        assert "421 4.7.0 this is not SMTP" in answers
        assert "250" not in answers


async def test_policy_reply_with_several_lines_and_letters_is_told_as_far_as_the_client_can_read() -> None:
    from gateway.core.reply import reply

    async with rig() as running:
        running.accept.answer = reply(550, "5.7.1", "Müller", "call 01629 000000")
        client = await running.greeted()
        assert await client.message() == "550-5.7.1 M?ller|550 5.7.1 call 01629 000000"
        await client.ask(b"MAIL FROM:<a@council.example> SMTPUTF8")
        await client.ask(b"RCPT TO:<b@x.example>")
        assert await client.data(b".\r\n") == "550-5.7.1 Müller|550 5.7.1 call 01629 000000"
        assert running.events.refusals == []
