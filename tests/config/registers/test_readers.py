from datetime import date, timedelta
from ipaddress import ip_network

import pytest

from gateway.config.registers.exceptions import read_waivers
from gateway.config.registers.partners import read_partners
from gateway.config.registers.schools import read_schools, with_unknown
from gateway.config.registers.sheet import Sheet
from gateway.config.registers.systems import read_systems
from gateway.core.address import parse_address
from gateway.core.domains import parse_party
from gateway.core.registers.exceptions import Waiver
from gateway.core.registers.partners import Agreement, Partner
from gateway.core.registers.schools import School, SchoolType
from gateway.core.registers.systems import System
from gateway.core.tls import Protection
from tests.config.registers.reading import LEGAL, bad, good

PARTNER = "name,members,agreement,levels,expires,tls,cjsm_address,most_wait,last_review,next_review,reference\n"
EXCEPTION = "route,sender,recipient,up_to,until,reference,reason\n"


def test_a_partner_is_read_whole() -> None:
    text = PARTNER + (
        "A surgery,tls.example *.tls.example doc@gmail.com,ISA,controlled;restricted,2026-12-31,verified,"
        "a@cjsm.net,4h,2026-01-01,2027-01-01,ISA-1\nA club,club.example,,,,,,,,,\n"
    )
    partners = good(read_partners, text)
    surgery = Partner(
        name="A surgery",
        agreement=Agreement.ISA,
        reference="ISA-1",
        levels=frozenset({"controlled", "restricted"}),
        expires=date(2026, 12, 31),
        last_review=date(2026, 1, 1),
        next_review=date(2027, 1, 1),
        tls=Protection.VERIFIED,
        cjsm_address="a@cjsm.net",
        most_wait=timedelta(hours=4),
    )
    for address in ("x@tls.example", "x@deep.tls.example", "Doc@gmail.com"):
        assert partners.of(parse_address(address)) == surgery
    assert partners.of(parse_address("x@gmail.com")) is None
    assert partners.of(parse_address("x@club.example")) == Partner(name="A club")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("P,a.example,ISA,,,,,,,,", "line 2.levels: an agreement says which levels it covers"),
        ("P,a.example,,controlled,,,,,,,", "line 2.levels: this is part of an agreement, and `agreement` says"),
        ("P,a.example,,,2026-12-31,,,,,,", "line 2.expires: this is part of an agreement"),
        ("P,a.example,,,,,,,,,R-1", "line 2.reference: this is part of an agreement"),
        ("P,a.example,Isa,controlled,,,,,,,", "line 2.agreement: unknown value `Isa`; known are ISA, NDA, contract"),
        ("P,a.example,ISA,controled,,,,,,,", "line 2.levels: unknown level `controled`, did you mean `controlled`?"),
        ("P,a.example,ISA,controlled,31.12.2026,,,,,,", "line 2.expires: a date is year-month-day, such as 2026"),
        ("P,a.example,ISA,controlled,2026-02-30,,,,,,", "line 2.expires: `2026-02-30` is no day of the calendar"),
        ("P,a.example,,,,sealed,,,,,", "line 2.tls: unknown value `sealed`"),
        ("P,a.example,,,,,cjsm.net,,,,", "line 2.cjsm_address: `cjsm.net` is not an address"),
        ("P,a.example,,,,,,4,,,", "line 2.most_wait: a duration is a whole number and one of s, m, h, d"),
        ("P,a.example,,,,,,,2026-02-01,2026-01-01,", "line 2.next_review: this is before the last review"),
        ("P,a_b.example,,,,,,,,,", "line 2.members: `a_b.example` is not an address, a domain or *.domain"),
        ("P,,,,,,,,,,", "line 2.members: this is missing"),
        ("P,a.example,,,,,,,,,\nP,b.example,,,,,,,,,", "line 3.name: `P` stands at line 2 already"),
        ("P,a.example,,,,,,,,,\nQ,A.example,,,,,,,,,", "line 3.members: `A.example` stands at line 2 already"),
        # A line that was cut off would be an agreement without an end, to be kept without a demand.
        ("P,a.example,ISA,controlled", "line 2: there are 4 cells, line 1 names 11 columns"),
        ("P,a.example,,,,,,,,,,x", "line 2: there are 12 cells, line 1 names 11 columns"),
        ("P,line,,,,,,,,,", "line 2.members: `line` is not an address, a domain or *.domain: a domain has a dot"),
    ],
)
def test_a_partner_that_cannot_be_relied_on_is_refused(line: str, problem: str) -> None:
    said = bad(read_partners, PARTNER + line + "\n")
    assert len(said) == 1
    assert said[0].startswith(problem)


def test_schools_and_where_everybody_is_at_one() -> None:
    text = (
        "name,members,type,urn,logon\nHill,hill.sch.example,academy,100002,yes\n"
        "Deep,*.deep.sch.example,maintained,,\nAbbey,abbey.sch.example,independent,,no\n"
    )
    sheet = Sheet("r.csv")
    schools = with_unknown(read_schools(sheet, text.encode()), ("*.sch.example", "abbey.sch.example"))
    assert sheet.problems == []
    hill = School(name="Hill", type=SchoolType.ACADEMY, urn="100002", logon=True)
    assert schools.of(parse_address("a@hill.sch.example")) == hill
    types = {
        domain: school.type
        for domain in ("x.deep.sch.example", "abbey.sch.example", "new.sch.example", "sch.example")
        if (school := schools.of(parse_address(f"a@{domain}")))
    }
    assert types == {
        "x.deep.sch.example": SchoolType.MAINTAINED,
        "abbey.sch.example": SchoolType.INDEPENDENT,
        "new.sch.example": SchoolType.UNKNOWN,
    }


def test_the_word_of_a_logon_is_yes_or_no() -> None:
    sheet = Sheet("r.csv")
    read_schools(sheet, b"name,members,type,logon\nHill,hill.example,academy,Yes\n")
    assert [str(problem) for problem in sheet.problems] == ["r.csv: line 2.logon: this is yes or no"]
    sheet = Sheet("r.toml")
    text = b'[[school]]\nname="Hill"\nmembers=["hill.example"]\ntype="academy"\nlogon=true\n'
    assert next(read_schools(sheet, text).entries()).logon


def test_systems_keep_their_order() -> None:
    text = (
        "name,level,sender,networks,listener,owner,review\n"
        "printers,restricted,,10.5.0.0/16 2001:db8::/32,,print@council.example,2026-12-31\n"
        "news,public,News@Council.example,,newsletters,,\n"
    )
    assert good(read_systems, text) == (
        System(
            name="printers",
            level="restricted",
            networks=(ip_network("10.5.0.0/16"), ip_network("2001:db8::/32")),
            owner="print@council.example",
            review=date(2026, 12, 31),
        ),
        System(name="news", level="public", sender="news@council.example", listener="newsletters"),
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("s,public,,,,,", "line 2: a system is known by at least one of sender, networks and listener"),
        ("s,secret,a@b.example,,,,", "line 2.level: unknown level `secret`"),
        ("s,public,a b,,,,", "line 2.sender: `a b` is not an address, a domain or *.domain"),
        ("s,public,,10.5.0.1/16,,,", "line 2.networks: `10.5.0.1/16` is not a network"),
        ("s,public,a.example,,,nobody,", "line 2.owner: `nobody` is not an address"),
        ("s,public,a.example,,,,\ns,public,b.example,,,,", "line 3.name: `s` stands at line 2 already"),
    ],
)
def test_a_system_that_nothing_can_be_known_by_is_refused(line: str, problem: str) -> None:
    said = bad(read_systems, "name,level,sender,networks,listener,owner,review\n" + line + "\n")
    assert len(said) == 1
    assert said[0].startswith(problem)


def test_exceptions_keep_their_order() -> None:
    text = EXCEPTION + (
        "secure,group:legal,*.court.example,25MiB,2026-12-31,SD-1,bundles\n"
        "secure,law@council.example,group:legal,26MiB,2026-12-31,SD-2,\n"
    )
    first, second = good(read_waivers, text)
    assert first == Waiver(
        route="secure",
        sender=LEGAL,
        recipient=parse_party("*.court.example"),
        up_to=25 * 1024 * 1024,
        until=date(2026, 12, 31),
        reference="SD-1",
        reason="bundles",
    )
    assert (second.recipient, second.reference, second.reason) == (LEGAL, "SD-2", "")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            "secur,a.example,b.example,25MiB,2026-12-31,R,",
            "line 2.route: unknown route `secur`, did you mean `secure`?",
        ),
        (
            "secure,group:lgal,b.example,25MiB,2026-12-31,R,",
            "line 2.sender: unknown group `lgal`, did you mean `legal`?",
        ),
        ("secure,a.example,b c,25MiB,2026-12-31,R,", "line 2.recipient: `b c` is not a domain"),
        ("secure,a.example,b.example,25MB,2026-12-31,R,", "line 2.up_to: sizes are in KiB, MiB or GiB: write 25MiB"),
        ("secure,a.example,b.example,0MiB,2026-12-31,R,", "line 2.up_to: a limit of nothing is none"),
        ("secure,a.example,b.example,25MiB,,R,", "line 2.until: this is missing"),
        ("secure,a.example,b.example,25MiB,2026-12-31,,", "line 2.reference: this is missing"),
    ],
)
def test_an_exception_names_everything_and_ends(line: str, problem: str) -> None:
    said = bad(read_waivers, EXCEPTION + line + "\n")
    assert len(said) == 1
    assert said[0].startswith(problem)
