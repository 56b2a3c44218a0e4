"""The detectors: what they find, where they look, how they are told apart, and that they repeat no content."""

from dataclasses import replace

import pytest

from gateway.core.detect.base import DEFAULT_TEXT, Detector
from gateway.core.detect.files import FileIs
from gateway.core.detect.header import HeaderSays
from gateway.core.detect.links import MOST_FOREIGN, LinksTo
from gateway.core.detect.subject import SubjectHolds, SubjectMarked
from gateway.core.detect.text import TextHolds
from gateway.core.domains import Group, parse_domains, parse_party
from gateway.core.facts import Lock
from tests.core.detect.messages import file, holding


def hosts(*domains: str) -> tuple[Group, ...]:
    return (Group("group:cloud", domains=parse_domains(domains)),)


CLOUD = hosts("wetransfer.example", "*.drop.example", "xn--bcher-kva.example")
DETECTORS: tuple[Detector, ...] = (
    SubjectHolds(("nhs-number",)),
    SubjectHolds(("nhs-number", "upn")),
    SubjectMarked(("nhs-number",)),
    TextHolds(("nhs-number",)),
    TextHolds(("nhs-number",), 1024),
    HeaderSays("X-Handling", ("internal only",)),
    HeaderSays("X-Handling", ("internal",)),
    HeaderSays("X-Other", ("internal only",)),
    LinksTo(CLOUD),
    LinksTo(CLOUD, hosts("ours.wetransfer.example")),
    LinksTo(hosts("wetransfer.example")),
    FileIs(),
    FileIs(names=("*.xml",)),
    FileIs(types=("*.xml",)),
    FileIs(ctf=True),
    FileIs(locked=True),
    FileIs(ctf=True, locked=True),
)


def test_every_question_has_an_id_of_its_own_that_stays() -> None:
    assert len({detector.id for detector in DETECTORS}) == len(DETECTORS)
    assert SubjectHolds(("upn", "nhs-number")).id == SubjectHolds(("nhs-number", "upn", "upn")).id
    assert FileIs(names=("*.XML", "a")).id == FileIs(names=("a", "*.xml")).id
    assert LinksTo(hosts("a.example", "b.example")).id == LinksTo(hosts("b.example", "a.example")).id
    assert all(len(detector.id) < 120 for detector in DETECTORS)


def test_a_label_is_part_of_a_sentence() -> None:
    assert [detector.label for detector in DETECTORS[:3]] == [
        "the subject seems to hold an NHS number",
        "the subject seems to hold an NHS number or a pupil's number",
        "the subject is marked nhs-number",
    ]
    assert TextHolds(("password",)).label == "the text seems to hold a password"
    assert HeaderSays("X-Handling", ("a", "b")).label == "the field X-Handling says a or b"
    assert LinksTo(CLOUD).label == "the text links to the group cloud"
    titled = replace(CLOUD[0], title="file-sharing sites")
    assert LinksTo((parse_party("a.example"), titled)).label == "the text links to a.example or file-sharing sites"
    assert FileIs(ctf=True, locked=True).label == (
        "an attached file has a common transfer file's name and needs a password to open"
    )
    assert FileIs(names=("*.a", "*.b"), types=("c/d",)).label == (
        "an attached file has a name like *.a or *.b and is of type c/d"
    )


@pytest.mark.parametrize("detector", DETECTORS)
def test_nothing_is_found_in_a_message_that_holds_nothing(detector: Detector) -> None:
    assert not detector.detect(holding())
    assert detector.text_bytes in (0, 1024, DEFAULT_TEXT)
    assert (detector.text_bytes > 0) is isinstance(detector, TextHolds | LinksTo)


# The subject and other fields.


def test_patterns_are_looked_for_in_the_decoded_subject_only() -> None:
    detector = SubjectHolds(("upn", "nhs-number"))
    assert detector.detect(holding(fields={"subject": "Patient 943 476 5919"}))
    assert detector.detect(holding(fields={"Subject": "=?utf-8?q?Patient_943=20476_5919?="}))
    assert not detector.detect(holding(fields={"Comments": "Patient 943 476 5919"}, text="Patient 943 476 5919"))
    assert not SubjectHolds(("upn",)).detect(holding(fields={"Subject": "Patient 943 476 5919"}))


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        ("Re: [Internal  only] budget", True),
        ("=?utf-8?b?W0lOVEVSTkFMIE9OTFld?=", True),
        ("internal only", False),
        ("[NOT FOR SHARING] x", True),
        ("", False),
    ],
)
def test_marks_are_compared_like_labels(subject: str, found: bool) -> None:
    detector = SubjectMarked(("[INTERNAL ONLY]", "[not for sharing]"))
    assert detector.detect(holding(fields={"Subject": subject})) is found


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"x-handling": "Internal_Only"}, True),
        ({"X-Handling": "=?utf-8?q?internal-only?="}, True),
        ({"X-Handling": "secret"}, True),
        ({"X-Handling": "internal only, please"}, False),
        ({"X-Other": "internal only"}, False),
        ({"X-Handling": ""}, False),
    ],
)
def test_a_fields_value_is_folded_like_a_label(fields: dict[str, str], found: bool) -> None:
    assert HeaderSays("X-Handling", ("internal only", "secret")).detect(holding(fields=fields)) is found


def test_a_field_without_values_is_asked_for_itself() -> None:
    detector = HeaderSays("X-Handling", ())
    assert detector.detect(holding(fields={"x-handling": ""}))
    assert not detector.detect(holding(fields={"X-Other": "secret"}))
    assert detector.label == "the field X-Handling is there"


@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_word_would_be_found_everywhere(empty: str) -> None:
    with pytest.raises(ValueError, match="empty"):
        SubjectMarked(("[A]", empty))
    with pytest.raises(ValueError, match="empty"):
        HeaderSays("X-Handling", ("a", empty))


# The text.


def test_patterns_are_looked_for_in_the_senders_own_text() -> None:
    detector = TextHolds(("password", "nhs-number"))
    assert detector.detect(holding(text="Patient\n943 476 5919"))
    assert detector.detect(holding(html="<p>The password <b>is</b>&nbsp;<i>Sum</i>mer24</p>"))
    assert not detector.detect(holding(text="Thanks\n> Patient 943 476 5919"))
    assert not detector.detect(holding(html="Thanks<blockquote>Patient 943 476 5919</blockquote>"))
    assert not detector.detect(holding(fields={"Subject": "Patient 943 476 5919"}))


def test_only_the_first_bytes_are_read() -> None:
    scan = holding(text="x " * 100 + "Patient 943 476 5919")
    assert TextHolds(("nhs-number",), 220).detect(scan)
    assert not TextHolds(("nhs-number",), 210).detect(scan)
    assert TextHolds(("nhs-number",), 210).text_bytes == 210


# Links.


@pytest.mark.parametrize(
    "link",
    [
        "https://wetransfer.example/abc",
        "HTTP://WeTransfer.Example:8080?x",
        "https://www.wetransfer.example/",
        "www.wetransfer.example/x",
        "https://a.drop.example#x",
        "https://wetransfer.example.",
        "(https://wetransfer.example)",
        "<https://wetransfer.example>",
        "see https://council.example/ and https://wetransfer.example/x, please",
        "https://council.example@wetransfer.example/",
        "https://council.example:pw@wetransfer.example:443/",
        "https:\\\\wetransfer.example\\x",
        "https://wetransfer.example\\@council.example/",
        "https://bücher.example/",
        "https://wetransfer%2Eexample/",
        "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fwetransfer.example%2Fx&data=1",
        "https://a.safelinks.protection.outlook.com/x?a=1&url=https%3A%2F%2Fb.safelinks.protection.outlook.com%2F%3Furl%3D"
        "https%253A%252F%252Fwetransfer.example",
    ],
)
@pytest.mark.parametrize("place", ["text", "link"])
def test_a_link_is_read_as_a_browser_reads_it(link: str, place: str) -> None:
    if place == "text":
        assert LinksTo(CLOUD).detect(holding(text=f"hello {link} bye"))
    elif link[:4].lower() == "http":
        assert LinksTo(CLOUD).detect(holding(html=f'<a href=" {link}">here</a>'))


@pytest.mark.parametrize(
    "link",
    [
        "https://council.example/wetransfer.example",
        "https://wetransfer.example@council.example/",
        "https://wetransfer.example.council.example/",
        "https://notwetransfer.example/",
        "https://drop.example/",
        "https://council.example?url=https://wetransfer2.example/",
        "mailto:a@wetransfer.example",
        "wetransfer.example",
        "https://council.example\\@wetransfer.example/",
        "https://evil.outlook.com/?u=https%3A%2F%2Fwetransfer2.example",
        "https://[::1",
        "https://",
        "https://a.safelinks.protection.outlook.com/?data=1",
        "/wetransfer.example",
        "#wetransfer.example",
    ],
)
def test_a_link_elsewhere_is_none(link: str) -> None:
    assert not LinksTo(CLOUD).detect(holding(text=f"hello {link} bye"))
    assert not LinksTo(CLOUD).detect(holding(html=f'<a href="{link}">wetransfer</a>'))


def test_a_browser_completes_an_address_without_scheme_and_ignores_line_ends_in_it() -> None:
    for href in ("//wetransfer.example/x", "https:wetransfer.example", "ht\ntps://wetrans\r\nfer.example"):
        assert LinksTo(CLOUD).detect(holding(html=f'<a href="{href}">here</a>'))


def test_a_wrapper_in_a_wrapper_is_followed_so_far() -> None:
    link = "https://wetransfer.example/"
    for depth in range(5):
        assert LinksTo(CLOUD).detect(holding(text=link)) is (depth <= 3)
        inner = link.replace("%", "%25").replace("/", "%2F").replace("?", "%3F").replace("=", "%3D").replace(":", "%3A")
        link = f"https://x.safelinks.protection.outlook.com/?url={inner}"


def test_an_exempt_host_is_no_find_and_hides_no_other() -> None:
    detector = LinksTo(hosts("*.drop.example"), hosts("ours.drop.example"))
    assert not detector.detect(holding(text="https://ours.drop.example/"))
    assert detector.detect(holding(text="https://ours.drop.example/ https://theirs.drop.example/"))


def test_quoted_links_are_not_the_senders() -> None:
    assert not LinksTo(CLOUD).detect(holding(text="No\n> https://wetransfer.example/"))


def test_of_names_beyond_ascii_the_first_so_many_different_ones_are_read() -> None:
    many = " ".join(f"https://é{number}.example/" for number in range(MOST_FOREIGN - 1))
    shown = f"{many} https://é0.example/x https://bücher.example/"
    assert LinksTo(CLOUD).detect(holding(text=shown))
    hidden = f"{many} https://é.example/ https://bücher.example/ https://www.example/ https://bücher.example/x"
    assert not LinksTo(CLOUD).detect(holding(text=hidden))
    assert LinksTo(CLOUD).detect(holding(text=f"{hidden} https://wetransfer.example/ https://é1.example/"))
    assert LinksTo(hosts("é0.example")).detect(holding(text=f"{hidden} https://é0.example/"))


# Files.


@pytest.mark.parametrize(
    ("detector", "found"),
    [
        (FileIs(names=("*.XML",)), {"a.xml", "b.zip", "c.zip"}),
        (FileIs(names=("report?.xml",)), {"b.zip", "c.zip"}),
        (FileIs(names=("re[!x]port1.xml", "*.pdf")), {"d.pdf", "e.pdf"}),
        (FileIs(types=("application/pdf",)), {"d.pdf", "e.pdf"}),
        (FileIs(types=("TEXT/*", "image/*")), {"a.xml"}),
        (FileIs(locked=True), {"c.zip", "e.pdf"}),
        (FileIs(types=("application/pdf",), locked=True), {"e.pdf"}),
        (FileIs(names=("*.xml",), locked=True), {"c.zip"}),
        (FileIs(ctf=True), {"c.zip", "8301234_ctf_8304567_001.xml"}),
        (FileIs(ctf=True, names=("83*",)), {"c.zip", "8301234_ctf_8304567_001.xml"}),
        (FileIs(names=("a.xm",)), set[str]()),
    ],
)
def test_all_that_is_asked_is_asked_of_one_file(detector: FileIs, found: set[str]) -> None:
    files = (
        file("a.xml", "text/xml"),
        file("b.zip", "application/zip", "Report1.XML"),
        file("c.zip", "application/zip", "in\\8301234_CTF_8304567_001.xml", "x/report2.xml", lock=Lock.ARCHIVE),
        file("d.pdf", "application/pdf"),
        file("e.pdf", "Application/PDF", lock=Lock.PDF),
        file("8301234_ctf_8304567_001.xml"),
    )
    if detector.names == ("*.XML",):
        found = found | {"8301234_ctf_8304567_001.xml"}
    assert {each.name for each in files if detector.detect(holding(files=(each,)))} == found
    assert detector.detect(holding(files=files)) is bool(found)
