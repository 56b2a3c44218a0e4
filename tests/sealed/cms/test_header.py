"""What of a header stands outside and what goes inside."""

from gateway.sealed.cms.header import halves

HEADER = (
    b"Received: from a by b;\r\n\tMon, 02 Mar 2026 09:00:00 +0000\r\n"
    b"DKIM-Signature: v=1; b=abc;\r\n\td=council.example\r\n"
    b"From: =?utf-8?q?J=C3=BCrgen?= <j@council.example>\r\n"
    b"To: bob@partner.example,\r\n carol@partner.example\r\n"
    b"Subject: the planted\r\n subject\r\n"
    b"Thread-Topic: the planted subject\r\n"
    b"Date: Mon, 02 Mar 2026 09:00:00 +0000\r\n"
    b"Mime-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed;\r\n\tboundary="x"\r\n'
    b"content-language : en\r\n"
    b"\r\n"
)


def test_the_fields_of_the_content_go_inside_and_all_others_stay_outside() -> None:
    parts = halves(HEADER, None)
    assert parts.inner == b'Content-Type: multipart/mixed;\r\n\tboundary="x"\r\ncontent-language : en\r\n\r\n'
    outer = HEADER.partition(b"Mime-Version")[0]
    dkim = b"DKIM-Signature: v=1; b=abc;\r\n\td=council.example\r\n"
    assert parts.outer == outer.replace(dkim, b"")


def test_with_a_neutral_subject_nothing_outside_tells_of_the_content() -> None:
    parts = halves(HEADER, "Secure message")
    assert b"planted" not in parts.outer
    assert parts.outer.startswith(b"Received: from a by b;\r\n\tMon")
    assert parts.outer.endswith(b"Subject: Secure message\r\n")
    for field in (b"From: =?utf-8?q?J=C3=BCrgen?=", b"To: bob@partner.example,\r\n carol@", b"Date: Mon, 02"):
        assert field in parts.outer
        assert field in parts.inner
        assert b"HP-Outer: " + field in parts.inner
    assert b"Subject: the planted\r\n subject\r\nThread-Topic: the planted subject\r\n" in parts.inner
    assert b"HP-Outer: Subject: Secure message\r\n\r\n" in parts.inner
    assert b"Received" not in parts.inner
    mark = b';\r\n\thp="cipher"; protected-headers="v1"'
    assert b"Content-Type: multipart/mixed" + mark + b';\r\n\tboundary="x"\r\n' in parts.inner


def test_a_message_without_a_type_gets_the_one_that_it_has() -> None:
    parts = halves(b"From: a@council.example\r\n\r\n", "Für Sie")
    mark = b';\r\n\thp="cipher"; protected-headers="v1"\r\n'
    assert b"Content-Type: text/plain; charset=us-ascii".replace(b"; charset", mark[:-2] + b"; charset") in parts.inner
    assert b"Subject: =?utf-8?b?" in parts.outer
    bare = halves(b"Content-Type: text/html\r\n\r\n", "x").inner
    assert bare.startswith(b"Content-Type: text/html" + mark)


def test_a_header_without_fields_is_none() -> None:
    parts = halves(b"\r\n", None)
    assert (parts.outer, parts.inner) == (b"", b"\r\n")
