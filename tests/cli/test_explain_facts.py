"""`sealpost explain`: registers, effects, door and time, and messages that the gateway took."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.core.decision import Refused
from gateway.core.facts import Attachment
from gateway.core.outcome import Declined, Proof
from gateway.core.record import Event, EventKind, Kind, QueueId
from gateway.core.reply import Status
from gateway.core.tls import Protection
from tests.cli.conftest import Call
from tests.config.certified import certified
from tests.fixtures.build import facts
from tests.spool.audited import events, keep, write
from tests.spool.samples import START, message, routed, row
from tests.telemetry.samples import DELIVERED, deferred

POLICY = """
[organisation]
name = "Council"
domains = ["council.example"]
contact = "the desk"
postmaster = "postmaster@council.example"

[classification]
levels = ["public", "controlled", "restricted"]
default = "controlled"
floor = { public = "none", controlled = "encrypted", restricted = "verified" }

[[classification.defaults]]
level = "restricted"
listener = "printers"
network = "10.5.0.0/16"

[[labels]]
source = "header"
name = "X-Classification"
values = { public = "public", restricted = "restricted" }

[[labels]]
source = "subject"
marks = { "[RESTRICTED]" = "restricted" }

[roles]
dpo = "dpo@council.example"
records = "archive@council.example"

[registers]
partners = "partners.csv"
mailboxes = "mailboxes.csv"

[[rules]]
name = "Team mailbox"
when = { mailbox = { kind = "shared" } }
warn = "Check with {owner} who reads {mailbox}."
notify = "dpo"
copy_to = "records"

[[rules]]
name = "Public is a mistake"
when = { classification = "public" }
raise = "restricted"

[[rules]]
name = "Personal data"
when = { recipient = "held.example" }
hold = true
release_by = "dpo"
override = true

[[rules]]
name = "The Encrypted button"
when = { intent = "encrypted" }
route = ["encrypted"]

[[rules]]
name = "Everything else"
route = ["secure", "encrypted"]
add_header = { Sensitivity = "Company-Confidential" }
tag_subject = "[OFFICIAL]"
receipt = true
remind_after = "5d"
"""

LETTER = b"""From: officer@council.example
To: team@police.example, other@x.example
Subject: =?utf-8?q?=5BRESTRICTED=5D?= hello [ref: ABC/12]
X-Classification: public

hello
"""


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The documented configuration with the policy above, its registers and a letter, where we stand."""
    config = certified(tmp_path)
    policies = tmp_path / "policies"
    (policies / "council.toml").write_text(POLICY)
    (policies / "partners.csv").write_text(
        "name,members,agreement,reference,levels,expires,tls,most_wait\n"
        "Police,police.example,ISA,P-7,controlled restricted,2026-12-31,verified,4h\n"
    )
    (policies / "mailboxes.csv").write_text(
        "address,kind,owner,cleared,reviewed\nteam@police.example,shared,Chief Clerk,controlled,2026-01-05\n"
    )
    (tmp_path / "m.eml").write_bytes(LETTER)
    text = config.read_text().replace("sqlite:///var/spool/sealpost", "sqlite:spool")
    listen = "[[listen.smtp]]\naddress     ="
    for number, name in enumerate(("mail", "printers")):
        allow = 'allow = [{ networks = ["10.0.0.0/8"] }]'
        more = f'[[listen.smtp]]\nname = "{name}"\naddress = "[::1]:{2525 + number}"\n{allow}\n'
        text = text.replace(listen, f"{more}\n{listen}")
    config.write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


Ask = Callable[..., Any]
BASIC = ("m.eml", "--from", "officer@council.example", "--to", "team@police.example", "--at", "2026-11-22T10:00")


@pytest.fixture
def ask(at_home: Path, call: Call) -> Ask:
    """The JSON answer."""

    def run(*arguments: object) -> Any:
        code, out, err = call("explain", *arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    return run


@pytest.fixture
def tell(at_home: Path, call: Call) -> Callable[..., list[str]]:
    """The answer in lines."""

    def run(*arguments: object) -> list[str]:
        code, out, err = call("explain", *arguments)
        assert (code, err) == (0, "")
        return [line.strip() for line in out.splitlines()]

    return run


def test_what_the_registers_say_and_what_rules_cause_is_shown(tell: Callable[..., list[str]]) -> None:
    lines = tell(*BASIC)
    for line in (
        "Conflict   the labels say different things; the highest holds",
        "Visible    2 addresses in To and Cc: team@police.example, other@x.example",
        "Reference  ABC/12",
        "Register   partner Police: agreement for restricted: valid, ISA P-7 until 2026-12-31 (controlled, restricted),"
        " never below verified, clinical safety",
        "Register   shared mailbox team@police.example: owner Chief Clerk, cleared for controlled, reviewed 2026-01-05",
        "Patience   no route but the last keeps it longer than 4 h",
        "Notifies   dpo@council.example (`Team mailbox`)",
        "Copy       to archive@council.example",
        "Header     adds Sensitivity: Company-Confidential",
        "Header     puts [OFFICIAL] before the subject",
        "Receipt    is asked for; a reminder after 120 h",
    ):
        assert line in lines
    [warning] = [line for line in lines if line.startswith("Warning")]
    assert warning.startswith("Warning    `Team mailbox`: Check with Chief Clerk who reads team@police.example. (")


def test_json_has_the_same(ask: Ask) -> None:
    found = ask(*BASIC)
    assert found["conflict"] is True
    assert found["visible"] == ["team@police.example", "other@x.example"]
    assert found["reference"] == "ABC/12"
    [one] = found["recipients"]
    assert [point["rule"] for point in one["warnings"]] == ["Team mailbox"]
    assert [each["mailbox"] for each in one["notifications"]] == ["dpo@council.example"]
    assert one["copies"] == ["archive@council.example"]
    assert one["edits"] == ["adds Sensitivity: Company-Confidential", "puts [OFFICIAL] before the subject"]
    assert (one["receipt"], one["remind_after"], one["patience"]) == (True, 432_000, 14_400)
    assert len(one["registers"]) == 2
    assert one["decided"] is None


def test_a_raised_level_is_shown_where_it_was_raised(ask: Ask, tell: Callable[..., list[str]], at_home: Path) -> None:
    (at_home / "m.eml").write_bytes(LETTER.replace(b"=?utf-8?q?=5BRESTRICTED=5D?= ", b""))
    found = ask(*BASIC)
    assert found["classification"] == "public"
    assert found["recipients"][0]["level"] == "restricted"
    assert "Public is a mistake" in found["recipients"][0]["level_source"]
    assert any(line.startswith("Level      restricted (raised by") for line in tell(*BASIC))


def test_who_may_release_and_whether_a_token_helps_is_said(ask: Ask, tell: Callable[..., list[str]]) -> None:
    asked = ("m.eml", "--from", "officer@council.example", "--to", "a@held.example")
    [one] = ask(*asked)["recipients"]
    assert (one["action"], one["release_by"], one["override"]) == ("hold", "dpo", True)
    lines = tell(*asked)
    assert "Release    by the role dpo (dpo@council.example)" in lines
    assert any(line.startswith("Override") for line in lines)


@pytest.mark.parametrize(
    ("more", "level"),
    [
        ((), "controlled"),
        (("--listener", "printers", "--client", "10.5.3.3"), "restricted"),
        (("--listener", "printers", "--client", "10.6.3.3"), "controlled"),
        (("--listener", "mail", "--client", "10.5.3.3"), "controlled"),
    ],
)
def test_the_door_it_comes_by_can_be_named(ask: Ask, at_home: Path, more: tuple[str, ...], level: str) -> None:
    (at_home / "bare.eml").write_bytes(b"From: officer@council.example\n\nhello\n")
    assert ask("bare.eml", *BASIC[1:], *more)["classification"] == level


def test_the_day_can_be_named(ask: Ask) -> None:
    entries = [ask(*BASIC[:-1], day)["recipients"][0]["registers"][0] for day in ("2026-12-31", "2027-01-02")]
    assert "agreement for restricted: valid" in entries[0]
    assert "agreement for restricted: expired" in entries[1]


def test_a_message_can_come_from_the_standard_input(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(LETTER)))
    assert ask("-", *BASIC[1:])["reference"] == "ABC/12"


REFUSED = Refused(rule="Gone since", floor=Protection.VERIFIED, reason="it was so", advice="call")
TAKEN = replace(
    facts("restricted"),
    attachments=(Attachment(name="secret plan.pdf", type="application/pdf", bytes=100),),
    attachment_bytes=100,
)


def test_a_message_that_waits_is_explained_from_the_queue(
    ask: Ask, tell: Callable[..., list[str]], at_home: Path
) -> None:
    waits = replace(row(), recipient=replace(row().recipient), decision=routed())
    taken = replace(message(QueueId("000-a"), (waits,)), facts=TAKEN)
    keep(at_home / "spool", taken, [waits])
    found = ask("--queue-id", "000-a")
    assert found["recorded"]["where"] == "the queue"
    assert found["recorded"]["policy_hash"] == "p1"
    assert found["attachments"][0]["name"] == "secret plan.pdf"
    [one] = found["recipients"]
    assert (one["decided"]["rule"], one["decided"]["route"]) == ("Controlled", ["tls", "encrypted"])
    assert (one["rule"], one["route"]) == ("Everything else", ["secure", "encrypted"])
    lines = tell("--queue-id", "000-a")
    assert "Decided    `Controlled`: tls, then encrypted, never below encrypted, because controlled" in lines


def test_a_message_that_ended_is_explained_from_the_audit_and_what_it_lacks_is_said(
    ask: Ask, tell: Callable[..., list[str]], at_home: Path
) -> None:
    told = events("000-b", TAKEN, ("team@police.example", REFUSED), ("b@x.example", routed()), at=START)
    write(at_home / "spool", told)
    found = ask("--queue-id", "000-b")
    assert found["recorded"]["where"] == "the audit"
    assert any("names of attached files" in text for text in found["recorded"]["not_recorded"])
    assert found["attachments"][0]["name"] == ""
    assert [one["decided"]["action"] for one in found["recipients"]] == ["reject", "route"]
    lines = tell("--queue-id", "000-b")
    assert any(line.startswith("Not kept   the names of attached files") for line in lines)
    assert "Decided    `Gone since`: given back, never below verified, because it was so" in lines


def test_what_the_last_attempt_came_to_stands_with_its_evidence(
    ask: Ask, tell: Callable[..., list[str]], at_home: Path
) -> None:
    waits = replace(row(), decision=routed(), last=deferred(detail="it is busy."))
    keep(at_home / "spool", replace(message(QueueId("000-d"), (waits,)), facts=TAKEN), [waits])
    [one] = ask("--queue-id", "000-d")["recipients"]
    assert (one["last"]["result"], one["last"]["evidence"]["grade"]) == ("deferred", "encrypted")
    assert one["last"]["evidence"]["spki"] == "ab" * 32
    lines = tell("--queue-id", "000-d")
    assert "Came to    deferred (reply 4xx) 4.7.1 it is busy." in lines
    assert "Grade        encrypted" in lines and f"Key          sha256:{'ab' * 32}" in lines


def test_the_audit_tells_what_the_last_of_several_attempts_came_to(
    ask: Ask, tell: Callable[..., list[str]], at_home: Path
) -> None:
    told = events("000-e", TAKEN, ("team@police.example", routed()), ("b@x.example", routed()), at=START)
    tried = Event(kind=EventKind.ATTEMPT, at=START, queue_id=QueueId("000-e"), address="b@x.example")
    tries = [replace(tried, outcome=outcome) for outcome in (deferred(), DELIVERED)]
    write(at_home / "spool", [*told, *tries])
    found = {one["recipient"]: one["last"] for one in ask("--queue-id", "000-e")["recipients"]}
    assert found["team@police.example"] is None
    assert (found["b@x.example"]["result"], found["b@x.example"]["evidence"]["grade"]) == ("delivered", "verified")
    lines = tell("--queue-id", "000-e")
    assert "Came to    delivered to mx.tls.example, TLSv1.3, verified: checked" in lines
    assert len([line for line in lines if line.startswith("Came to")]) == 1


def test_the_routes_that_were_left_stand_before_the_last_one_with_their_reasons(
    ask: Ask, tell: Callable[..., list[str]], at_home: Path
) -> None:
    told = events("000-f", TAKEN, ("b@x.example", routed()), at=START)
    tried = Event(kind=EventKind.ATTEMPT, at=START, queue_id=QueueId("000-f"), address="b@x.example")
    no_key = Declined(proof=Proof.NO_KEY, status=Status(5, 7, 5), detail="There is no certificate.")
    steps = (("tls", deferred()), ("tls", deferred(detail="it is busy.")), ("smime", no_key), ("encrypted", DELIVERED))
    write(at_home / "spool", [*told, *(replace(tried, route=route, outcome=came_to) for route, came_to in steps)])
    [one] = ask("--queue-id", "000-f")["recipients"]
    found = [(each["route"], each["outcome"]["detail"]) for each in one["earlier"]]
    assert found == [("tls", "it is busy."), ("smime", "There is no certificate.")]
    assert one["last"]["result"] == "delivered"
    lines = [line for line in tell("--queue-id", "000-f") if line.startswith(("Tried", "Came to"))]
    assert lines == [
        "Tried      tls: deferred (reply 4xx) 4.7.1 it is busy.",
        "Tried      smime: declined (no usable key) 5.7.5 There is no certificate.",
        "Came to    delivered to mx.tls.example, TLSv1.3, verified: checked",
    ]


def test_our_own_mail_is_explained_in_a_sentence(call: Call, at_home: Path) -> None:
    write(at_home / "spool", events("000-c", None, ("b@x.example", routed()), kind=Kind.REPORT))
    code, out, err = call("explain", "--queue-id", "000-c")
    assert (code, out) == (1, "")
    assert err.startswith("sealpost: 000-c is the gateway's own mail: ")


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ((), "Everything else"),
        (("--new",), "Stranger"),
        (("--resent",), "Lowered"),
        (("--new", "--resent"), "Stranger"),
    ],
)
def test_what_was_sent_before_can_be_assumed(ask: Ask, at_home: Path, more: tuple[str, ...], rule: str) -> None:
    rules = (
        '[[rules]]\nname = "Stranger"\nwhen = { first_contact = true }\nreject = true\nadvice = "x"\n\n'
        '[[rules]]\nname = "Lowered"\nwhen = { resent_lower = true }\nreject = true\nadvice = "x"\n\n'
    )
    (at_home / "policies/council.toml").write_text(POLICY.replace("[[rules]]", f"{rules}[[rules]]", 1))
    (at_home / "bare.eml").write_bytes(b"From: officer@council.example\n\nhello\n")
    assert ask("bare.eml", *BASIC[1:3], "--to", "b@x.example", *more)["recipients"][0]["rule"] == rule
