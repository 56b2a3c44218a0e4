"""A policy's own tests: ``tests/<policy's name>/*.toml`` beside it, each case a message and the decision expected.

A case names the envelope, header fields, files and text; what is not named is not there. No message is needed, so
cases are quick to write and cost nothing to run.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime
from pydantic import Field as Key

from gateway.config.page import Page, Strict, dotted
from gateway.config.problems import Problem
from gateway.config.trial.what_if import Assumed, Described, Door, describe, envelope, with_outside
from gateway.config.units import Duration, OneOrMore, Size
from gateway.core.address import Address, BadAddress, NullPath, ReversePath, parse_address
from gateway.core.classify import gather
from gateway.core.decide import decide
from gateway.core.facts import Attachment, Facts, Field, Lock, Scan, Text
from gateway.core.policy import Policy
from gateway.core.scan import TooComplex
from gateway.core.tls import Starttls


class Expected(Strict):
    """What is named must come out; ``reason``, ``advice`` and each of ``warns`` are parts of the text.

    ``warned_by``, ``notifies`` (roles or mailboxes) and ``copies`` are all of them; an empty list is none.
    """

    rule: str | None = None
    action: Literal["route", "reject", "hold", "open"] | None = None
    route: list[str] | None = None
    floor: str | None = None
    reason: str | None = None
    advice: str | None = None
    level: str | None = None
    warns: list[str] | None = None
    warned_by: list[str] | None = None
    notifies: list[str] | None = None
    copies: list[str] | None = None
    patience: Duration | None = None


class FileTable(Strict):
    """One attached file; ``members`` are the names in an archive's directory."""

    name: str = "file"
    type: str = "application/octet-stream"
    bytes: Size = 0
    members: list[str] = Key(default_factory=list[str])
    locked: bool = False


class Case(Strict):
    """One message for one recipient or several, for each of whom the same is expected.

    An empty ``from`` is the null reverse-path, and the header's From is the same address. ``at`` is when it comes
    (now), ``visible`` what stands in To. ``known`` and ``resent`` are what the history says of every recipient,
    ``overridden`` the rules that a one-time token lets it pass.
    """

    name: str
    sender: str = Key(alias="from")
    to: OneOrMore = Key(min_length=1)
    headers: dict[str, str] = Key(default_factory=dict[str, str])
    at: AwareDatetime | None = None
    listener: str = Door().listener
    client: str = Door().client
    files: list[FileTable] = Key(default_factory=list[FileTable])
    attachment_bytes: Size = 0
    message_bytes: Size | None = None
    text: str = ""
    html: str = ""
    visible: list[str] = Key(default_factory=list[str])
    tls: Literal["yes", "no", "unknown"] = "unknown"
    known: bool | Literal["unknown"] = True
    resent: bool | Literal["unknown"] = False
    overridden: list[str] = Key(default_factory=list[str])
    expect: Expected


class CasesTable(Strict):
    """A file of cases."""

    cases: list[Case] = Key(min_length=1)


@dataclass(frozen=True, slots=True)
class TestRun:
    """How many cases were run, and what did not come out. ``folder`` is where they were looked for."""

    __test__ = False

    folder: Path
    cases: int
    problems: tuple[Problem, ...]


def run_policy_tests(policy_file: Path, policy: Policy) -> TestRun:
    """Runs every case beside the policy; a file that cannot be read is a problem."""
    cases = 0
    problems: list[Problem] = []
    folder = policy_file.parent / "tests" / policy_file.stem
    for file in sorted(folder.glob("*.toml")):
        page = Page(str(file))
        for key, case in _cases(page, file):
            cases += 1
            _run(page, key, case, policy)
        problems += page.problems
    return TestRun(folder, cases, tuple(problems))


def _cases(page: Page, file: Path) -> Iterator[tuple[str, Case]]:
    try:
        raw = page.toml(file.read_bytes())
    except OSError as exc:
        page.problem("", f"the file cannot be read: {exc.strerror or exc}")
        return
    table = None if raw is None else page.validate(CasesTable, raw)
    for number, case in enumerate(table.cases if table else ()):
        yield dotted("cases", number), case


def _run(page: Page, key: str, case: Case, policy: Policy) -> None:
    try:
        sender: ReversePath = parse_address(case.sender) if case.sender else NullPath.NULL
        recipients = [parse_address(text) for text in case.to]
    except BadAddress as exc:
        page.problem(key, f"`{case.name}`: not an address: {exc}")
        return
    try:
        facts = _facts(case, sender, recipients, policy)
    except TooComplex as exc:
        page.problem(key, f"`{case.name}`: it would be refused at the door with 554 5.6.0: {exc}")
        return
    assumed = Assumed(tls=Starttls(case.tls), known=_said(case.known), resent=_said(case.resent))
    facts = with_outside(facts, assumed)
    for recipient in recipients:
        ruling = decide(facts, recipient, policy)
        got, level = describe(ruling.decision), ruling.classification.level
        whom = f" for {recipient}" if len(recipients) > 1 else ""
        for text in (*_differences(case.expect, got, level), *_differing_effects(case.expect, got, policy)):
            page.problem(key, f"`{case.name}`{whom}: {text}")


def _said(answer: bool | Literal["unknown"]) -> bool | None:
    return None if answer == "unknown" else answer


def _facts(case: Case, sender: ReversePath, recipients: list[Address], policy: Policy) -> Facts:
    by = envelope(sender, recipients, Door(listener=case.listener, client=case.client))
    facts = gather(_scan(case), by, policy, case.at or datetime.now(UTC))
    return replace(facts, overridden=frozenset(case.overridden))


def _scan(case: Case) -> Scan:
    fields = [Field(name, value.encode()) for name, value in case.headers.items()]
    if case.sender and not any(name.casefold() == "from" for name in case.headers):
        fields.append(Field("From", case.sender.encode()))
    if case.visible:
        fields.append(Field("To", ", ".join(case.visible).encode()))
    files = tuple(_attachment(file) for file in case.files)
    if case.attachment_bytes:
        files += (Attachment(name="file", type="application/octet-stream", bytes=case.attachment_bytes),)
    texts = (("text/plain", case.text), ("text/html", case.html))
    size = sum(file.bytes for file in files) if case.message_bytes is None else case.message_bytes
    return Scan(
        fields=tuple(fields),
        attachments=files,
        message_bytes=size,
        header_bytes=0,
        texts=tuple(Text(type, text) for type, text in texts if text),
    )


def _attachment(file: FileTable) -> Attachment:
    lock = Lock.ARCHIVE if file.locked else Lock.OPEN
    return Attachment(name=file.name, type=file.type, bytes=file.bytes, members=tuple(file.members), lock=lock)


def _differences(expected: Expected, got: Described, level: str) -> Iterator[str]:
    same: dict[str, tuple[object, object]] = {
        "rule": (expected.rule, got.rule),
        "action": (expected.action, got.action),
        "route": (expected.route, list(got.route)),
        "floor": (expected.floor, got.floor),
        "level": (expected.level, level),
        "patience": (expected.patience, got.patience),
    }
    for what, (wanted, found) in same.items():
        if wanted is not None and wanted != found:
            yield f"the {what} is {found!r}, expected {wanted!r}"
    for what, part, text in (("reason", expected.reason, got.reason), ("advice", expected.advice, got.advice)):
        if part is not None and part not in text:
            yield f"the {what} is {text!r}, expected {part!r} in it"


def _differing_effects(expected: Expected, got: Described, policy: Policy) -> Iterator[str]:
    effects = got.effects
    texts = [f"{point.advice} {point.reason}" for point in effects.warnings]
    for part in expected.warns or ():
        if not any(part in text for text in texts):
            yield f"no warning says {part!r}: {texts}"
    if expected.warns == [] and texts:
        yield f"there are warnings, expected none: {texts}"
    same = {
        "warning rules": (expected.warned_by, [point.rule for point in effects.warnings]),
        "notified": (_mailboxes(expected.notifies, policy), [each.mailbox for each in effects.notifications]),
        "copies": (_mailboxes(expected.copies, policy), list(effects.copies)),
    }
    for what, (wanted, found) in same.items():
        if wanted is not None and sorted(set(wanted)) != sorted(set(found)):
            yield f"the {what} are {sorted(set(found))}, expected {sorted(set(wanted))}"


def _mailboxes(names: list[str] | None, policy: Policy) -> list[str] | None:
    """A role stands for its mailbox."""
    return None if names is None else [str(policy.roles.get(name, name)) for name in names]
