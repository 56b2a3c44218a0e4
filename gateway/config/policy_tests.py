"""A policy's own tests: ``tests/<policy's name>/*.toml`` beside it, each case a message and the decision expected.

A case names the envelope, header fields and sizes; what is not named is not there. No body is needed, so cases are
quick to write and cost nothing to run.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field as Key

from gateway.config.page import Page, Strict, dotted
from gateway.config.problems import Problem
from gateway.config.units import Size
from gateway.config.what_if import Described, describe, envelope, with_tls
from gateway.core.address import Address, BadAddress, NullPath, ReversePath, parse_address
from gateway.core.classify import gather
from gateway.core.decide import decide
from gateway.core.facts import Attachment, Facts, Field, Scan
from gateway.core.policy import Policy
from gateway.core.tls import Starttls


class Expected(Strict):
    """What is named must come out; ``reason`` and ``advice`` are parts of the text."""

    rule: str | None = None
    action: Literal["route", "reject", "hold", "open"] | None = None
    route: list[str] | None = None
    floor: str | None = None
    reason: str | None = None
    advice: str | None = None


class Case(Strict):
    """One message for one recipient; an empty ``from`` is the null reverse-path."""

    name: str
    sender: str = Key(alias="from")
    to: str
    headers: dict[str, str] = Key(default_factory=dict[str, str])
    attachment_bytes: Size = 0
    message_bytes: Size | None = None
    tls: Literal["yes", "no", "unknown"] = "unknown"
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
        recipient = parse_address(case.to)
    except BadAddress as exc:
        page.problem(key, f"`{case.name}`: not an address: {exc}")
        return
    facts = with_tls(_facts(case, sender, recipient, policy), [recipient], Starttls(case.tls))
    got = describe(decide(facts, recipient, policy).decision)
    for text in _differences(case.expect, got):
        page.problem(key, f"`{case.name}`: {text}")


def _facts(case: Case, sender: ReversePath, recipient: Address, policy: Policy) -> Facts:
    files = (Attachment(name="file", type="application/octet-stream", bytes=case.attachment_bytes),)
    size = case.attachment_bytes if case.message_bytes is None else case.message_bytes
    fields = tuple(Field(name, value.encode()) for name, value in case.headers.items())
    attachments = files if case.attachment_bytes else ()
    scan = Scan(fields=fields, attachments=attachments, message_bytes=size, header_bytes=0)
    return gather(scan, envelope(sender, [recipient]), policy, datetime.now(UTC))


def _differences(expected: Expected, got: Described) -> Iterator[str]:
    same: dict[str, tuple[object, object]] = {
        "rule": (expected.rule, got.rule),
        "action": (expected.action, got.action),
        "route": (expected.route, list(got.route)),
        "floor": (expected.floor, got.floor),
    }
    for what, (wanted, found) in same.items():
        if wanted is not None and wanted != found:
            yield f"the {what} is {found!r}, expected {wanted!r}"
    for what, part, text in (("reason", expected.reason, got.reason), ("advice", expected.advice, got.advice)):
        if part is not None and part not in text:
            yield f"the {what} is {text!r}, expected {part!r} in it"
