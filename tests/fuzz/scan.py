"""Fuzz target: a message's scan, the facts gathered from it, and all else that reads its bytes before 250."""

from typing import Final

from gateway.core.address import NullPath
from gateway.core.arrival import read_arrival
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
from gateway.core.edits import Retitle
from gateway.core.envelope import Admission, Client, Envelope
from gateway.core.facts import Intent, Scan
from gateway.core.labels import HeaderSource, SubjectSource
from gateway.core.labels.boldon_james import BoldonJamesSource
from gateway.core.labels.exchange import ExchangeSource
from gateway.core.labels.msip import MsipSource
from gateway.core.labels.protective_marking import ProtectiveMarkingSource
from gateway.core.labels.titus import TitusSource
from gateway.core.own_text import own_lines
from gateway.core.reading import Reading
from gateway.core.receipt import read_disposition
from gateway.core.scan import ScanLimits, Scanner, TooComplex
from gateway.core.subject import MAX_SUBJECT, retitle, titles
from tests.fixtures.build import NOON, policy, rule
from tests.fuzz.target import Target, pieces

_GUID: Final = "3de9faa6-9fe1-49b3-9a08-227a296b54a6"
_READING: Final = Reading(
    levels=("low", "high"),
    default="low",
    sources=(
        HeaderSource("Sensitivity", {"private": "high"}),
        SubjectSource({"[HIGH]": "high"}),
        MsipSource(_GUID, {_GUID: "high"}),
        ProtectiveMarkingSource("gov.example", {"OFFICIAL:Sensitive": "high"}),
        TitusSource("Class", {"secret": "high"}),
        BoldonJamesSource({"id_high": "high"}),
        ExchangeSource({_GUID: "high"}, {"secret": "high"}),
    ),
    intent_marks={"[SECURE]": Intent.SECURE},
)
_ENVELOPE: Final = Envelope(
    client=Client(identity="c", how=Admission.LOCAL, address="::1", helo="h", tls=None),
    listener="smtp",
    reverse_path=NullPath.NULL,
    recipients=(),
)
_DETECTORS: Final[tuple[Detector, ...]] = (
    SubjectHolds(tuple(PATTERNS)),
    SubjectMarked(("[SECURE]",)),
    TextHolds(tuple(PATTERNS)),
    HeaderSays("Sensitivity", ("private",)),
    LinksTo((Group("cloud", domains=parse_domains(["b.example"])),)),
    FileIs(names=("*.xml",), types=("*/*",)),
    FileIs(locked=True, ctf=True),
)
_POLICY: Final = policy(
    *(rule(str(number), Finds(detector), "tls") for number, detector in enumerate(_DETECTORS)),
    rule("all", None, "tls"),
    reading=_READING,
)
LIMITS: Final = ScanLimits(header_bytes=1500, fields=20, parts=12, depth=3)
_TEXT_BYTES: Final = 5000
_KEY: Final = bytes(32)


def one(data: bytes) -> None:
    """It is scanned or too complex, however it is cut; what is found of it is text that can be stored."""
    whole, stepped = _scan([data]), _scan_in_windows(data)
    if isinstance(whole, str):
        # Which limit is passed first may hang on the window, not that one is.
        assert whole and isinstance(stepped, str)
    else:
        assert stepped == whole
        _hold_bounds(whole, data)
        _gather(whole)
    assert all("\n" not in line for line in own_lines(data))
    read_disposition(data, automatic=False)


def _scan(blocks: list[bytes]) -> Scan | str:
    scanner = Scanner(LIMITS, text_bytes=_TEXT_BYTES)
    try:
        for block in blocks:
            scanner.feed(block)
        return scanner.close()
    except TooComplex as refused:
        return refused.reason


def _scan_in_windows(data: bytes) -> Scan | str:
    """As if the blocks on which it works were a few bytes long, so that everything stands across two of them."""
    scanner = Scanner(LIMITS, text_bytes=_TEXT_BYTES)
    try:
        for piece in pieces(data):
            scanner._advance(piece, final=False)
        return scanner.close()
    except TooComplex as refused:
        return refused.reason


def _hold_bounds(scan: Scan, data: bytes) -> None:
    assert scan.message_bytes == len(data)
    assert 0 <= scan.header_bytes <= len(data)
    assert all(0 <= file.bytes <= len(data) for file in scan.attachments)
    assert len(scan.parts) <= LIMITS.parts + 1
    assert sum(len(text.text) for text in scan.texts) <= _TEXT_BYTES
    for text in (*titles(scan), *(text.text for text in scan.texts)):
        text.encode()
    for file in scan.attachments:
        assert all(name.isprintable() for name in (file.name, *file.members))


def _gather(scan: Scan) -> None:
    try:
        facts = gather(scan, _ENVELOPE, _POLICY, NOON, _KEY)
        read_arrival(scan, ("X-Secret",), _KEY)
    except TooComplex as refused:
        assert refused.reason
        return
    assert facts.found <= facts.looked == {detector.id for detector in _POLICY.detectors}
    assert facts.classification.level in _READING.levels
    assert not scan.defects or facts.classification.level == "high"
    assert all(label.raw.isprintable() for label in facts.classification.labels)
    repr(facts).encode()
    for value in scan.values("Subject"):
        edited = retitle(value[:MAX_SUBJECT], Retitle(tag="[tag]", without=("[high]", "[secure]")))
        assert edited is None or b"\n" not in edited or b"\n" in value


TARGET: Final = Target(name="scan", one=one, longest=5000)
