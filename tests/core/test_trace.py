from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.envelope import InboundTls
from gateway.core.record import QueueId
from gateway.core.trace import date_text, helo_text, received
from gateway.wire.render import render
from tests.core.queued import CLIENT, MESSAGE, NOW, recipient

ENVELOPE = MESSAGE.envelope
TLS13 = InboundTls(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", bits=256)


def text(**changes: object) -> str:
    """The field's value for an envelope whose client or whose own parts differ."""
    of_client = {name: value for name, value in changes.items() if hasattr(CLIENT, name)}
    of_envelope = {name: value for name, value in changes.items() if name not in of_client}
    client = replace(CLIENT, **of_client)  # pyright: ignore[reportArgumentType]
    envelope = replace(ENVELOPE, client=client, **of_envelope)  # pyright: ignore[reportArgumentType]
    return received(envelope, QueueId("000-abc"), "gw.council.example", NOW).value


def test_plain_session_is_told_in_full() -> None:
    assert text() == (
        "from exchange.local ([10.0.0.1])\r\n"
        "\tby gw.council.example with ESMTP id 000-abc\r\n"
        "\tfor <gp@x.example>;\r\n"
        "\tMon, 2 Mar 2026 09:05:07 +0000"
    )


def test_tls_session_has_comment_keyword_and_clause() -> None:
    found = text(tls=TLS13)
    assert "\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256 bits))\r\n" in found
    assert " with ESMTPS id " in found
    assert "\r\n\ttls TLS_AES_256_GCM_SHA384;\r\n" in found


@pytest.mark.parametrize(
    ("cipher", "clause"),
    [
        ("ECDHE-RSA-AES128-GCM-SHA256", "tls TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;"),
        ("ECDHE-ECDSA-CHACHA20-POLY1305", "tls TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256;"),
        ("DHE-RSA-AES256-GCM-SHA384", "tls TLS_DHE_RSA_WITH_AES_256_GCM_SHA384;"),
        ("AES128-SHA", None),
    ],
)
def test_clause_has_the_registered_name_or_is_left_out(cipher: str, clause: str | None) -> None:
    found = text(tls=InboundTls(version="TLSv1.2", cipher=cipher, bits=128))
    assert (clause in found) if clause else ("\ttls " not in found)


@pytest.mark.parametrize(
    ("esmtp", "utf8", "tls", "keyword"),
    [
        (False, False, None, "SMTP"),
        (True, False, None, "ESMTP"),
        (True, False, TLS13, "ESMTPS"),
        (True, True, None, "UTF8SMTP"),
        (True, True, TLS13, "UTF8SMTPS"),
    ],
)
def test_protocol_keywords(esmtp: bool, utf8: bool, tls: InboundTls | None, keyword: str) -> None:
    assert f" with {keyword} id " in text(esmtp=esmtp, tls=tls, smtputf8=utf8)


def test_several_recipients_are_never_named() -> None:
    found = text(recipients=(recipient("a@x.example"), recipient("b@x.example")))
    assert "for <" not in found and "x.example" not in found


def test_recipient_that_needs_utf8_is_not_named() -> None:
    assert "for <" not in text(recipients=(recipient("é@x.example"),))


def test_ipv6_client_is_a_tagged_literal() -> None:
    assert "([IPv6:2001:db8::1])" in text(address="2001:db8::1")


@given(st.text(max_size=400))
def test_helo_can_never_break_the_field(helo: str) -> None:
    client = replace(CLIENT, helo=helo)
    assert 1 <= len(helo_text(client)) <= 255
    block = render(b"A: b\r\n\r\n", (received(replace(ENVELOPE, client=client), QueueId("q"), "gw", NOW),))
    assert block.startswith(b"Received: from ") and block.endswith(b"+0000\r\nA: b\r\n\r\n")
    assert b"(" not in block.split(b" ")[2]


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 31)))  # noqa: DTZ001 - made aware below.
def test_date_is_what_the_library_reads_and_writes(naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC, microsecond=0)
    assert parsedate_to_datetime(date_text(moment)) == moment
    assert date_text(moment).split() == format_datetime(moment).replace(", 0", ", ").split()
