"""Whatever bytes come: the scan gives a result or says that they are too complex, and gathering facts gives facts."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.core.address import NullPath
from gateway.core.classify import gather
from gateway.core.conditions.message import Finds
from gateway.core.detect.base import Detector
from gateway.core.detect.files import FileIs
from gateway.core.detect.header import HeaderSays
from gateway.core.detect.links import LinksTo
from gateway.core.detect.patterns import PATTERNS
from gateway.core.detect.subject import SubjectHolds, SubjectMarked
from gateway.core.detect.text import TextHolds
from gateway.core.domains import Group, parse_domains
from gateway.core.envelope import Admission, Client, Envelope
from gateway.core.facts import Intent
from gateway.core.labels import HeaderSource, SubjectSource
from gateway.core.reading import Reading
from gateway.core.scan import ScanLimits, Scanner, TooComplex
from tests.fixtures.build import NOON, policy, rule

READING = Reading(
    levels=("low", "high"),
    default="low",
    sources=(HeaderSource("Sensitivity", {"private": "high"}), SubjectSource({"[HIGH]": "high"})),
    intent_marks={"[SECURE]": Intent.SECURE},
)
ENVELOPE = Envelope(
    client=Client(identity="c", how=Admission.LOCAL, address="::1", helo="h", tls=None),
    listener="smtp",
    reverse_path=NullPath.NULL,
    recipients=(),
)
DETECTORS: tuple[Detector, ...] = (
    SubjectHolds(tuple(PATTERNS)),
    SubjectMarked(("[SECURE]",)),
    TextHolds(tuple(PATTERNS)),
    HeaderSays("Sensitivity", ("private",)),
    LinksTo((Group("cloud", domains=parse_domains(["b.example"])),)),
    FileIs(names=("*.xml",), types=("*/*",)),
    FileIs(locked=True, ctf=True),
)
POLICY = policy(
    *(rule(str(number), Finds(detector), "tls") for number, detector in enumerate(DETECTORS)),
    rule("all", None, "tls"),
    reading=READING,
)
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


def scan_and_gather(message: bytes, block: int) -> None:
    scanner = Scanner(ScanLimits(header_bytes=300, fields=8, parts=6, depth=3), text_bytes=100)
    try:
        for at in range(0, len(message), block):
            scanner.feed(message[at : at + block])
        scan = scanner.close()
    except TooComplex as refused:
        assert str(refused)
        return
    assert scan.message_bytes == len(message)
    assert 0 <= scan.header_bytes <= len(message)
    assert all(0 <= file.bytes <= len(message) for file in scan.attachments)
    assert sum(len(text.text) for text in scan.texts) <= 100
    facts = gather(scan, ENVELOPE, POLICY, NOON)
    assert facts.found <= facts.looked == {detector.id for detector in POLICY.detectors}
    assert facts.classification.level in READING.levels
    assert not scan.defects or facts.classification.level == "high"


@settings(max_examples=300)
@given(message=SHAPED, block=st.integers(1, 99))
def test_shaped_messages_are_scanned_or_too_complex(message: bytes, block: int) -> None:
    scan_and_gather(message, block)


@given(message=st.binary(max_size=2000), block=st.integers(1, 99))
@example(message=b"", block=1)
@example(message=b"\r\n", block=1)
@example(message=b"\n--\r", block=1)
def test_any_bytes_are_scanned_or_too_complex(message: bytes, block: int) -> None:
    scan_and_gather(message, block)
