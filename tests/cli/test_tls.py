"""`sealpost tls` against the small world: no gateway runs, and nothing is changed."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from gateway.app.system import SystemClock
from gateway.cli import main
from gateway.cli.tls_state import ReadOnlyState
from gateway.cli.tls_view import Found, as_array, as_document, summary, told
from gateway.config.describe.document import as_html
from gateway.core.grade import Grade
from gateway.core.survey import DaneSeen, DaneState, DomainReport, StsSeen, StsState
from gateway.core.survey_findings import Change
from gateway.flow.ports import SpoolError
from gateway.flow.surveys import PREFIX
from gateway.spool.state import SharedState
from tests.app.house import House, house
from tests.cli.conftest import Call
from tests.cli.running import Ran
from tests.core.survey_samples import AT, a_certificate, a_host, a_report, down

REGISTER = """name,members,tls
Trust,tls.example,verified
Self,selfsigned.example;*.below.example,encrypted
Elsewhere,nobody@free.example,verified
"""


def with_partners(here: House, register: str = REGISTER) -> None:
    (here.household.policy.parent / "partners.csv").write_text(register)
    here.edit(here.household.policy, "[organisation]", '[registers]\npartners = "partners.csv"\n\n[organisation]')


async def sealpost(here: House, *words: str) -> Ran:
    """Runs one command in a thread of the test, beside the world that it asks."""
    return await asyncio.to_thread(_sealpost, [*words, "--config", str(here.household.config)])


def _sealpost(words: list[str]) -> Ran:
    out, err = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as at, redirect_stdout(out), redirect_stderr(err):
        at.setattr("sys.argv", ["sealpost", *words])
        with pytest.raises(SystemExit) as ended:
            main()
    return Ran(int(ended.value.code or 0), out.getvalue(), err.getvalue())


async def remember(here: House, values: Mapping[str, bytes]) -> None:
    """As a worker that has ended."""
    here.household.spool.mkdir(exist_ok=True)
    state = await SharedState.open(here.household.spool / "state.db", SystemClock())
    await state.put_many(values, datetime.now(UTC) + timedelta(days=1))
    await state.aclose()


async def test_each_domain_is_told_with_what_is_wrong(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        ran = await sealpost(here, "tls", "check", "tls.example")
        assert (ran.code, ran.err) == (0, "")
        assert "    grade        verified: encrypted, certificate checked" in ran.out
        assert "    DANE         off: [dns] trust_ad is false" in ran.out
        assert "  MTA-STS      absent: the domain publishes no MTA-STS policy" in ran.out
        assert "    certificate  for mx.tls.example; " in ran.out
        assert "Wrong" not in ran.out

        ran = await sealpost(here, "tls", "check", "--json", "TLS.example", "plain.example", "expired.example")
        assert ran.code == 1
        assert sorted(line.partition(": ")[2] for line in ran.err.splitlines()) == [
            "expired.example",
            "plain.example",
            "tls.example",
        ]
        found = json.loads(ran.out)
        assert [(each["domain"], each["grade"], each["demanded"], len(each["problems"])) for each in found] == [
            ("tls.example", "verified", "verified", 0),
            ("plain.example", "plain", "verified", 1),
            ("expired.example", "encrypted", "verified", 1),
        ]
        assert found[2]["report"]["hosts"][0]["certificate"]["fingerprint"].startswith("sha256:")
        assert here.world.inbox.newest() == ()
        assert not list(here.household.spool.glob("state.db*"))


async def test_what_the_register_or_a_pin_demands_is_the_measure(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        with_partners(here)
        ran = await sealpost(here, "tls", "check", "selfsigned.example")
        assert ran.code == 0
        assert ran.out.startswith("selfsigned.example (Self)\n")
        assert "demanded     encrypted\n" in ran.out
        assert "not better   The certificate of mx.selfsigned.example is signed by itself only." in ran.out
        pin = (
            f'[[tls.pins]]\nname = "P"\ndomains = ["expired.example"]\ngrade = "pinned"\n'
            f'fingerprints = ["sha256:{"ab" * 32}"]\n\n[mx]'
        )
        here.edit(here.household.config, "[mx]", pin)
        ran = await sealpost(here, "tls", "check", "expired.example")
        assert ran.code == 1
        assert "demanded     the pin P\n" in ran.out
        assert "Wrong: No mail goes to mx.expired.example now: " in ran.out
        assert "and then put the pin “P” right." in ran.out


async def test_what_the_gateway_remembers_counts_and_stays_as_it_was(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        await remember(here, {"tls/mx.plain.example": b"1"})
        before = (here.household.spool / "state.db").read_bytes()
        ran = await sealpost(here, "tls", "check", "plain.example")
        assert ran.code == 1
        assert "it did before, so the offer may have been removed on the way" in ran.out
        assert "grade        no mail is handed over\n" in ran.out
        await sealpost(here, "tls", "check", "tls.example")
        assert (here.household.spool / "state.db").read_bytes() == before


async def test_all_partners_with_what_changed_since_last_night(tmp_path: Path) -> None:
    stored = TypeAdapter(DomainReport)
    last = replace(a_report(a_host("mx.tls.example", Grade.DANE)), domain="tls.example")
    async with house(tmp_path) as here:
        with_partners(here)
        await remember(here, {f"{PREFIX}tls.example": stored.dump_json(last), f"{PREFIX}selfsigned.example": b"{"})
        page = tmp_path / "partners.html"
        ran = await sealpost(here, "tls", "partners", "--html", str(page))
        assert ran.code == 0
        assert "1 of 2: " in ran.err
        assert "Trust (tls.example): mx.tls.example went down from “dane” to “verified”." in ran.out
        assert "Trust (tls.example): The certificate of mx.tls.example has another key: sha256:" in ran.out
        assert "below.example" not in ran.out
        assert "free.example" not in ran.out
        html = page.read_text()
        assert "2 domains of partners were looked at" in html
        assert "mx.tls.example went down from “dane” to “verified”. This is worse." in html

        ran = await sealpost(here, "tls", "partners", "--json")
        assert [(each["partner"], each["grade"], each["before"]) for each in json.loads(ran.out)] == [
            ("Self", "encrypted", None),
            ("Trust", "verified", "2026-11-22T02:00:00Z"),
        ]
        here.edit(here.household.policy.parent / "partners.csv", ";*.below.example,encrypted", ",verified")
        ran = await sealpost(here, "tls", "partners")
        assert ran.code == 1
        assert "Self (selfsigned.example): wrong: mx.selfsigned.example gives “encrypted”" in ran.out


async def test_what_cannot_be_done_is_said_in_one_sentence(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        ran = await sealpost(here, "tls", "check", "not a domain")
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith("sealpost: `not a domain` is not a domain: ")
        ran = await sealpost(here, "tls", "partners")
        assert (ran.code, ran.err) == (2, "sealpost: neither the register of partners nor a pin names a domain\n")
        with_partners(here)
        ran = await sealpost(here, "tls", "partners", "--html", str(tmp_path / "none" / "x.html"))
        assert ran.code == 2
        assert ran.err.endswith("x.html cannot be written: No such file or directory\n")
        (here.household.spool / "state.db").write_bytes(b"this is no database" * 100)
        ran = await sealpost(here, "tls", "partners")
        assert ran.code == 2
        assert "cannot be read" in ran.err


def test_the_help_says_what_it_shows(call: Call) -> None:
    code, out, _ = call("tls", "--help")
    assert code == 0
    assert "check" in out
    assert "partners" in out


async def test_the_state_is_read_and_never_written(tmp_path: Path) -> None:
    shared = await SharedState.open(tmp_path / "state.db", SystemClock())
    soon = datetime.now(UTC) + timedelta(hours=1)
    await shared.put_many({"tls/a": b"1", "tls/ab": b"2", "x": b"3"}, soon)
    ours = ReadOnlyState(tmp_path)
    await ours.put("new", b"1", soon)
    await ours.put_many({"tls/a": b"9"}, soon)
    await ours.delete("x")
    assert await ours.put_if_absent("tls/a", b"9", soon) == b"1"
    assert await ours.put_if_absent("other", b"9", soon) == b"9"
    assert not await ours.try_lease("surveys", "me", soon)
    assert await ours.get("tls/") is None
    assert await ours.get_many(["tls/a", "x", "new", "other"]) == {"tls/a": b"1", "x": b"3"}
    assert await ours.items("tls/", 1) == {"tls/a": b"1"}
    await shared.aclose()
    (tmp_path / "state.db").write_bytes(b"broken" * 1000)
    with pytest.raises(SpoolError):
        await ours.get("x")


def found(report: DomainReport, *problems: str, changes: tuple[Change, ...] = ()) -> Found:
    return Found(
        domain=report.domain,
        partner="A & <Trust>",
        demanded=Grade.VERIFIED,
        grade=report.grade,
        report=report,
        problems=problems,
        changes=changes,
        before=AT if changes else None,
    )


STS = StsSeen(state=StsState.ENFORCE, id="id7", max_age=timedelta(days=7))
RECORDS = DaneSeen(state=DaneState.FOUND, records=("3 1 1 ab", "3 1 1 cd"))
ALL = (
    found(a_report(a_host(grade=Grade.DANE, dane=RECORDS, signed=True, in_policy=True), sts=STS, pin="Trust")),
    found(
        a_report(
            a_host(grade=None, why="No.", dane=RECORDS, in_policy=False, certificate=a_certificate(-2)),
            down("b.test"),
            a_host("c.test", certificate=a_certificate(None), dane=DaneSeen(state=DaneState.UNKNOWN)),
            sts=STS,
            trouble="There are more.",
            domain="b.test",
        ),
        "It is wrong.",
        changes=(Change("It went down.", worse=True), Change("It has another key.")),
    ),
    found(a_report(domain="c.test", trouble="It is gone.", sts=StsSeen(state=StsState.UNKNOWN))),
)


def test_the_lines_tell_all_that_was_seen() -> None:
    good, bad, none = ("\n".join(told(each)) for each in ALL)
    assert "MTA-STS      enforce, id id7, believed for 7 days" in good
    assert "demanded     verified, the pin Trust" in good
    assert "preference 10, named by signed DNS" in good
    assert "DANE         one matches: 3 1 1 ab; 3 1 1 cd" in good
    assert "MTA-STS      names this host" in good
    assert "DANE         the certificate is not proven by them: 3 1 1 ab" in bad
    assert "MTA-STS      does not name this host" in bad
    assert "certificate  for mx.test; ended on 2026-11-20" in bad
    assert "certificate  for mx.test; end unknown" in bad
    assert "DANE         unknown\n" in bad
    assert "Note: There are more." in bad
    assert bad.endswith("Since 2026-11-22 02:00 UTC: It has another key.")
    assert "MTA-STS      unknown\n" in none


class Outline(HTMLParser):
    """What assistive technology looks at."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.scopes: set[str | None] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "th":
            self.scopes.add(dict(attrs).get("scope"))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_and_for_everybody() -> None:
    html = as_html(as_document(ALL, "Council", AT))
    outline = Outline()
    outline.feed(html)
    assert outline.tags.count("table") == outline.tags.count("caption") == 3
    assert outline.scopes == {"col", "row"}
    assert not {"script", "img", "link", "iframe"} & set(outline.tags)
    assert "3 domains of partners were looked at on 2026-11-22 02:00 UTC; 1 of them need attention." in outline.text
    assert "A & <Trust> (b.test): It is wrong." in outline.text
    assert "A & <Trust> (b.test): It went down. This is worse." in outline.text
    assert "no: 1 to look at" in outline.text
    assert all(grade.meaning in outline.text for grade in Grade)
    calm = as_html(as_document(ALL[:1], "Council", AT))
    assert calm.count("<p>Nothing.</p>") == 2


def test_a_partner_of_whom_nothing_is_demanded() -> None:
    assert replace(ALL[2], demanded=Grade.PLAIN).wanted == "nothing"


def test_a_row_and_the_array_hold_the_same() -> None:
    assert next(summary(ALL)) == (
        "partner.test",
        "A & <Trust>",
        "verified, the pin Trust",
        "dane",
        "yes",
        "2027-02-20",
    )
    read = TypeAdapter(tuple[Found, ...]).validate_json(as_array(ALL))
    assert read == ALL
