"""`python -m bench.decide`: microseconds for the decision of one recipient, in a policy of 200 rules.

The registers hold 50,000 entries. The conditions are a typical mix, and the last rule decides, so that no rule is
saved: three quarters ask who writes to whom, the others for levels, buttons, sizes, what was found, and STARTTLS.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gateway.core.address import Address, parse_address
from gateway.core.conditions.base import Condition
from gateway.core.conditions.logic import All, AnyOf, Not
from gateway.core.conditions.message import AutomaticIs, ClassificationIs, Finds, IntentIs, SizeIsOver
from gateway.core.conditions.party import PartyIs
from gateway.core.decide import decide
from gateway.core.detect.base import Detector
from gateway.core.domains import Group, parse_domains
from gateway.core.facts import Classification, Facts, Intent, Scan
from gateway.core.policy import Choice, GoOn, Organisation, Policy, Rule, Send, Wishes
from gateway.core.reading import Reading
from gateway.core.registers.book import Registers
from gateway.core.registers.directory import directory
from gateway.core.registers.partners import Agreement, Partner
from gateway.core.route import Route
from gateway.core.template import Template
from gateway.core.tls import Channel, Protection

RULES = 200
ENTRIES = 50_000
ROUNDS = 2000


class Word(Detector):
    """Something that is looked for and not found."""

    __slots__ = ("_number",)

    def __init__(self, number: int) -> None:
        self._number = number

    @property
    def id(self) -> str:
        return f"word/{self._number}"

    @property
    def label(self) -> str:
        return "a word was found"

    def detect(self, scan: Scan) -> bool:
        return False


def conditions() -> Iterator[Condition]:
    """One after the other, none of which holds for the message."""
    large = Group("group:large", domains=parse_domains(f"d{at}.large.example" for at in range(ENTRIES)))
    restricted = ClassificationIs(frozenset({"restricted"}))
    number = 0
    while True:
        number += 1
        body = Group(f"group:body{number}", domains=parse_domains([f"b{number}.example", f"*.b{number}.example"]))
        staff = Group(f"group:staff{number}", addresses=frozenset({f"staff{number}@council.example"}))
        found = Finds(Word(number % 12))
        yield PartyIs("recipient", (body,))
        yield All((PartyIs("recipient", (body,)), restricted))
        yield All((PartyIs("sender", (staff,)), found))
        yield PartyIs("recipient", (large,))
        yield All((found, SizeIsOver("attachment_bytes", 10_000_000)))
        yield AnyOf((restricted, IntentIs(frozenset({Intent.ENCRYPTED}))))
        yield All((PartyIs("recipient", (body,)), PartyIs("sender", (staff,)), Not(AutomaticIs(True))))
        yield All((ClassificationIs(frozenset({"controlled", "restricted"})), found))


def policy(rules: tuple[Rule, ...]) -> Policy:
    """Those rules, before one that takes all."""
    partners = [(f"p{at}.example", Partner(name=f"partner {at}", agreement=Agreement.ISA)) for at in range(ENTRIES)]
    last = Rule(name="last", when=None, action=Send(("tls",)), advice=Template("Ask."))
    return Policy(
        organisation=Organisation(
            name="Council",
            domains=frozenset({"council.example"}),
            contact="the desk",
            postmaster=parse_address("postmaster@council.example"),
        ),
        reading=Reading(levels=("public", "controlled", "restricted"), default="controlled", sources=()),
        floors={"public": Protection.NONE, "controlled": Protection.ENCRYPTED, "restricted": Protection.VERIFIED},
        groups={},
        rules=(*rules[: RULES - 1], last),
        routes={"tls": Route(name="tls", transport="mx", demands=Channel.ENCRYPTED)},
        hash="",
        registers=Registers(partners=directory(partners)),
    )


def facts(made: Policy) -> Facts:
    """A person's ordinary message with a file, in which nothing was found."""
    return Facts(
        at=datetime(2026, 11, 22, tzinfo=UTC),
        classification=Classification(level="controlled", source="default"),
        intent=Intent.NONE,
        intent_source="",
        automatic=False,
        automatic_reason="",
        sender="officer@council.example",
        header_from=(),
        attachments=(),
        attachment_bytes=50_000,
        message_bytes=90_000,
        looked=frozenset(detector.id for detector in made.detectors),
    )


def deciding(number: int, when: Condition) -> Rule:
    """A rule that would send."""
    return Rule(name=f"rule {number}", when=when, action=Send(("tls",)), advice=Template("Ask {contact}."))


def remark(number: int) -> Rule:
    """A rule that warns of every controlled message and copies it."""
    wishes = Wishes(
        warn=Template("Look at {recipient}."), copies=("archive@council.example",), remind_after=timedelta(days=5)
    )
    when = ClassificationIs(frozenset({"controlled"}))
    return Rule(name=f"remark {number}", when=when, action=GoOn(), advice=Template(""), wishes=wishes)


def measure(made: Policy, recipient: Address) -> float:
    """The median of many, in microseconds."""
    seen = facts(made)
    taken: list[float] = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        decide(seen, recipient, made)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1_000_000


def main() -> None:
    """Prints one line for each case."""
    plain = tuple(deciding(at, when) for at, when in zip(range(RULES), conditions(), strict=False))
    remarks = tuple(remark(at) if at % 40 == 0 else rule for at, rule in enumerate(plain))
    quiet = tuple(replace(rule, action=GoOn()) if at % 2 else rule for at, rule in enumerate(plain))
    cases: dict[str, Callable[[], Policy]] = {
        "the last rule decides": lambda: policy(plain),
        "the same, with 5 remarks that match": lambda: policy(remarks),
        "the same, with 100 remarks that do not": lambda: policy(quiet),
        "the most secure of all decides": lambda: replace(policy(plain), choose=Choice.MOST_SECURE),
    }
    for name, make in cases.items():
        print(f"{measure(make(), parse_address('bob@p777.example')):6.1f} µs  {name}")


if __name__ == "__main__":
    main()
