"""The fuzz target of the scan under messages that are shaped like messages, more often than words and bytes are."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.scan import one

NAMES = st.sampled_from(
    ["From", "Subject", "Sensitivity", "Content-Type", "Content-Disposition", "Content-ID", "Content-Transfer-Encoding"]
)
WORDS = st.sampled_from(
    [
        "multipart/mixed", "multipart/digest", "text/html", "image/png", "message/rfc822", "attachment", "boundary=b",
        'boundary="', "boundary*0*=utf-8''b", "filename*1*=%ff", "filename*=", ";", '"', "\\", "'", "=?utf-8?B?", "?=",
        "=?utf-16?q?=ff?=", "base64", "quoted-printable", "<i>", "a@b.example", "(", ")", ",", "[HIGH]", "\r\n ",
        "\x00",
    ]
)  # fmt: skip
FIELD = st.builds(lambda name, words: f"{name}: {' '.join(words)}\r\n", NAMES, st.lists(WORDS, max_size=6))
BODY = st.sampled_from(
    [
        "\r\n--b\r\n", "\r\n--b--\r\n", "\r\n", "=", "=4", "QQ==", '<img src="cid:i">', "<!--", "-->", "PK\x03\x04",
        "UEsDBA==", "%PDF-", "7z\xbc\xaf\x27\x1c", "Rar!\x1a\x07", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "<a href=",
        "https://a@b.example", "<blockquote>", "password: a1b2", "9434765919",
    ]
)  # fmt: skip
SHAPED = st.lists(FIELD | BODY, max_size=40).map(lambda pieces: "".join(pieces).encode("latin-1"))


@settings(max_examples=300, deadline=None)
@given(message=SHAPED)
def test_what_must_hold_does_for_shaped_messages(message: bytes) -> None:
    one(message)
