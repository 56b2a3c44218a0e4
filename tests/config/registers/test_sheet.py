import pytest

from gateway.config.registers.mailboxes import read_mailboxes
from gateway.config.registers.sheet import Sheet
from gateway.core.registers.directory import Directory
from gateway.core.registers.mailboxes import Mailbox, MailboxKind
from tests.config.registers.reading import SCOPE, bad, good, read

HEAD = "address,kind,owner,cleared\n"


def found(mailboxes: Directory[Mailbox]) -> dict[str, str]:
    return {key: mailbox.owner for key, mailbox in mailboxes.addresses.items()}


@pytest.mark.parametrize(
    "text",
    [
        "address,kind,owner\na@c.example,list,Ann\nb@c.example,shared,Bea\n",
        "\ufeffowner , address,kind\r\nAnn,a@c.example,list\r\n\r\n,,\r\n Bea ,b@c.example, shared\r\n",
        'kind,address,owner,reviewed\nlist,a@c.example,"Ann",2026-10-01\nshared,b@c.example,Bea,',
        "address,kind,owner\na@c.example,list,Ann\n \nb@c.example,shared,Bea\n,,, \n",
    ],
)
def test_csv_is_read_whatever_its_order_and_line_ends(text: str) -> None:
    assert found(good(read_mailboxes, text)) == {"a@c.example": "Ann", "b@c.example": "Bea"}


def test_csv_and_toml_say_the_same() -> None:
    table = '[[mailbox]]\naddress="a@c.example"\nkind="list"\nowner="A, \\"B\\""\ncleared=["public","controlled"]\n'
    listed = HEAD + 'a@c.example,list,"A, ""B""",public;controlled\n'
    spaced = HEAD + 'a@c.example,list,"A, ""B""",public  controlled\n'
    one = good(read_mailboxes, listed)
    assert one == good(read_mailboxes, spaced) == good(read_mailboxes, table, "r.TOML")
    mailbox = Mailbox(
        address="a@c.example", kind=MailboxKind.LIST, owner='A, "B"', cleared=frozenset({"public", "controlled"})
    )
    assert one.addresses == {"a@c.example": mailbox}


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            "adress,kind,owner\n",
            ["line 1: unknown column `adress`, did you mean `address`?", "line 1: the column `addr"],
        ),
        ("address,kind,owner,kind\n", ["line 1: the column `kind` stands there twice"]),
        ("", ["line 1: the column `address` is missing", "line 1: the column `kind` is missing"]),
        (HEAD + "a@c.example,list,Ann,public,more\n", ["line 2: there are 5 cells, line 1 names 4 columns"]),
        (HEAD + "\na@c.example,lists,Ann,\n", ["line 3.kind: unknown value `lists`, did you mean `list`?"]),
        (HEAD + "a@c.example,list\n", ["line 2: there are 2 cells, line 1 names 4 columns"]),
        (HEAD + "a@c.example\n", ["line 2: there are 1 cell, line 1 names 4 columns"]),
        (HEAD + "a@c.example,list,,\n", ["line 2.owner: this is missing"]),
        (HEAD + 'a@c.example,list,"Ann\n', [": this is not CSV: "]),
        (HEAD + "a@c.example,list,A\x07nn,\n", ["line 2.owner: this is one line of text"]),
        (
            HEAD + "a@c.example,list,Ann,\nA@c.example,list,Bea,\n",
            ["line 3.address: `A@c.example` stands at line 2 already"],
        ),
        (HEAD + "c.example,list,Ann,\n", ["line 2.address: `c.example` is not an address"]),
        (HEAD + "a@c.example,list,Ann,publik\n", ["line 2.cleared: unknown level `publik`, did you mean `public`?"]),
    ],
)
def test_what_is_wrong_with_csv_is_said_with_its_line(text: str, problems: list[str]) -> None:
    said = bad(read_mailboxes, text)
    for begins in problems:
        assert any(problem.startswith(begins) for problem in said), said


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("[[mailboxes]]\n", ["mailboxes: unknown key `mailboxes`, did you mean `mailbox`?"]),
        ("mailbox = 7\n", ["mailbox: each entry is a table [[mailbox]]"]),
        (
            "mailbox = [7]\n",
            ["mailbox[1].address: this is missing", "mailbox[1].kind: this is", "mailbox[1].owner: thi"],
        ),
        ("[[mailbox]", [": this is not TOML"]),
        (
            '[[mailbox]]\naddress="a@c.example"\nkind="list"\nowner="o"\nclered=["x"]\n',
            ["mailbox[1].clered: unknown key `clered`, did you mean `cleared`?"],
        ),
        (
            '[[mailbox]]\naddress="a@c.example"\nkind="list"\nowner="o"\ncleared=[7]\n',
            ["mailbox[1].cleared: this is a list of texts in quotes"],
        ),
        (
            '[[mailbox]]\naddress="a@c.example"\nkind="list"\nowner="o"\nreviewed=2026-10-01T10:00:00Z\n',
            ["mailbox[1].reviewed: a date is year-month-day"],
        ),
    ],
)
def test_what_is_wrong_with_toml_is_said_with_its_key(text: str, problems: list[str]) -> None:
    said = bad(read_mailboxes, text, "r.toml")
    assert len(said) == len(problems)
    for problem, begins in zip(said, problems, strict=True):
        assert problem.startswith(begins)


def test_other_files_are_no_registers() -> None:
    assert bad(read_mailboxes, HEAD, "r.xlsx") == [": a register is a file whose name ends in .csv or .toml"]


@pytest.mark.parametrize("file", ["r.csv", "r.toml"])
def test_a_register_is_utf_8(file: str) -> None:
    sheet = Sheet(file)
    read_mailboxes(sheet, b"address,kind,owner\na@c.example,list,J\xfcrgen\n", SCOPE)
    assert [problem.text for problem in sheet.problems] == ["the file is not UTF-8 text"]


def test_every_line_can_be_wrong_and_twenty_are_said() -> None:
    text = HEAD + "".join(f"a{number}@c.example,list,Ann,nowhere\n" for number in range(30))
    said = bad(read_mailboxes, text)
    assert len(said) == 21
    assert said[0].startswith("line 2.cleared: unknown level `nowhere`; known are controlled, public, restricted")
    assert said[-1] == ": and 10 more problems like these"
    assert bad(read_mailboxes, "\n".join(text.splitlines()[:22]))[-1] == ": and 1 more problem like these"
    assert len(bad(read_mailboxes, "\n".join(text.splitlines()[:21]))) == 20
    worse = bad(read_mailboxes, text.replace("list", "lst"))
    assert worse[-1] == ": and 10 more problems like these"


def test_a_register_has_so_many_entries_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.config.registers.mailboxes.MOST_ENTRIES", 2)
    lines = [f"a{number}@c.example,list,Ann,\n" for number in range(4)]
    assert len(found(good(read_mailboxes, HEAD + "".join(lines[:2])))) == 2
    kept, said = read(read_mailboxes, HEAD + "".join(lines))
    assert said == ["line 4: this register has at most 2 entries"]
    assert len(found(kept)) == 2
