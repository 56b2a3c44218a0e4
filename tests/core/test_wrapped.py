import pytest

from gateway.core.facts import Attachment
from gateway.core.scan import Scanner
from gateway.core.wrapped import holds_wrapped, is_wrapped

CMS = b'Content-Type: application/pkcs7-mime; smime-type=%b; name="smime.p7m"\r\n'
RPMSG = b'Content-Type: application/x-microsoft-rpmsg-message; name="message_v4.rpmsg"\r\n\r\nBYTES\r\n'
TEXT = b"Content-Type: text/html\r\n\r\n<p>Anna has sent you a protected message.</p>\r\n"
PAGE = b'Content-Type: text/html; name="message.html"\r\nContent-Disposition: attachment\r\n\r\n<form>\r\n'
FILE = b'Content-Type: application/pdf; name="case.pdf"\r\n\r\n%PDF\r\n'


def single(fields: bytes) -> bytes:
    return b"From: a@council.example\r\nMIME-Version: 1.0\r\n" + fields + b"\r\nMIAGCSqGSIb3DQEHA6CA\r\n"


def parts(*each: bytes) -> bytes:
    body = b"".join(b"--x\r\n" + part for part in each)
    return b"From: a@council.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" + body + b"--x--\r\n"


FORWARDED = parts(TEXT, RPMSG).replace(b"=x", b"=y").replace(b"--x", b"--y")


@pytest.mark.parametrize(
    ("message", "wrapped", "holds"),
    [
        (single(CMS % b"enveloped-data"), True, True),
        (single(CMS % b"authEnveloped-data"), True, True),
        (single(CMS.replace(b"pkcs7", b"x-pkcs7") % b"ENVELOPED-DATA"), True, True),
        (single(CMS % b"signed-data"), False, True),
        (single(CMS % b"compressed-data"), False, True),
        (single(b"Content-Type: application/pkcs7-mime\r\n"), False, True),
        (single(CMS % b"enveloped-data" + b"Content-Type: text/plain\r\n"), False, True),
        (single(b"Content-Type: text/plain; smime-type=enveloped-data\r\n"), False, False),
        (single(b""), False, False),
        (parts(TEXT, RPMSG), True, True),
        (parts(TEXT, RPMSG, PAGE), True, True),
        (parts(TEXT, RPMSG.replace(b"application/x-microsoft-rpmsg-message", b"application/octet-stream")), True, True),
        (parts(TEXT, RPMSG.replace(b"BYTES\r\n", b"")), False, True),
        (parts(TEXT, RPMSG, FILE), False, True),
        (parts(TEXT, PAGE), False, False),
        (parts(TEXT, FILE), False, False),
        (parts(TEXT, b"Content-Type: message/rfc822\r\n\r\n" + FORWARDED), False, False),
    ],
)
def test_only_what_is_encrypted_as_a_whole_is_wrapped(message: bytes, wrapped: bool, holds: bool) -> None:
    scanner = Scanner()
    scanner.feed(message)
    scan = scanner.close()
    assert is_wrapped(scan) is wrapped
    assert holds_wrapped(scan.attachments) is holds


def test_a_file_of_any_name_that_says_it_is_rights_managed_counts() -> None:
    named = Attachment(name="MESSAGE.RPMSG", type="application/octet-stream", bytes=1)
    assert holds_wrapped((named,)) and not holds_wrapped(())
