"""When two messages are the same again, and when they are not."""

from gateway.core.address import NullPath, ReversePath, parse_address
from gateway.core.facts import Attachment, Field, Intent, Scan
from gateway.core.fingerprint import fingerprint
from gateway.core.labels.subject import SubjectSource
from gateway.core.reading import Reading
from tests.fixtures.build import LEVELS

READING = Reading(
    levels=LEVELS,
    default="controlled",
    sources=(SubjectSource({"[RESTRICTED]": "restricted", "[PUBLIC]": "public"}),),
    intent_marks={"[SECURE]": Intent.SECURE},
)
JANE = parse_address("jane@council.example")
KEY = b"k" * 32
A, B = ("a.pdf", 10), ("b.pdf", 20)


def mark(*files: tuple[str, int], subject: str = "", sender: ReversePath = JANE, key: bytes = KEY) -> str:
    attachments = tuple(Attachment(name=name, type="application/pdf", bytes=size) for name, size in files)
    fields = (Field("Subject", subject.encode()),) if subject else ()
    scan = Scan(fields=fields, attachments=attachments, message_bytes=1, header_bytes=1)
    return fingerprint(scan, sender, READING, key)


def test_the_same_files_of_the_same_sender_are_the_same() -> None:
    same = {mark(A, B), mark(B, A), mark(A, B, subject="x"), mark(A, B, sender=parse_address("JANE@council.example"))}
    assert len(same) == 1
    assert len(same.pop()) == 32


def test_other_files_senders_and_keys_are_others() -> None:
    others = [
        mark(A, B),
        mark(A),
        mark(A, A),
        mark(("a.pdf", 11)),
        mark(A, sender=parse_address("joe@council.example")),
        mark(A, sender=NullPath.NULL),
        mark(A, key=b"x" * 32),
        mark(subject="a.pdf"),
    ]
    assert len(set(others)) == len(others)


def test_without_files_the_subject_counts_but_not_its_marks() -> None:
    assert mark(subject="[RESTRICTED] The  case") == mark(subject="the CASE [public] [SECURE] [ref: 1]")
    assert mark(subject="[RESTRICTED] the case") != mark(subject="another case")


def test_there_is_none_without_a_key_or_anything_to_go_by() -> None:
    assert mark(A, key=b"") == ""
    assert mark(subject="[PUBLIC]") == ""
    assert mark() == ""


def test_a_name_that_is_no_unicode_is_no_trouble() -> None:
    assert len(mark(("\ud800.pdf", 1))) == 32
