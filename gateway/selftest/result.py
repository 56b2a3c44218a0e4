"""What a self-test found: a line for each fault, and whether it proves anything at all."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.selftest.proof import Violation


class Became(StrEnum):
    """What became of one message; the gateway's own word, which is shown and proves nothing."""

    DELIVERED = "by the first route"
    NEXT_ROUTE = "by a next route"
    REPORTED = "given back"
    WAITING = "still waiting"
    REFUSED = "refused by the policy"
    NOT_TAKEN = "not taken (451)"
    LOST = "lost"


class Verdict(StrEnum):
    """What a line says."""

    SAFE = "none left unprotected"
    CONTROL = "arrived as it should"
    LEFT = "LEFT UNPROTECTED"
    OFF = "not run: DANE is off in this configuration"
    EMPTY = "not run: nothing protected was sent to it"
    MISSED = "did not arrive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One fault: its name, what was done, and what became of so many ``pushed`` messages."""

    key: str
    done: str
    pushed: int
    became: Mapping[Became, int]
    verdict: Verdict
    violations: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """All of it. ``unprotected`` is what the gateway's own witness counted, ``doubts`` why it proves nothing."""

    lines: tuple[Line, ...]
    unprotected: int
    doubts: tuple[str, ...]

    @property
    def violations(self) -> tuple[Violation, ...]:
        """Every message that left unprotected."""
        return tuple(each for line in self.lines for each in line.violations)

    @property
    def pushed(self) -> int:
        """Messages that demanded protection and were pushed at a fault."""
        return sum(line.pushed for line in self.lines if line.verdict in (Verdict.SAFE, Verdict.LEFT))

    @property
    def faults(self) -> int:
        """Faults that they were pushed at."""
        return sum(line.verdict in (Verdict.SAFE, Verdict.LEFT) for line in self.lines)

    @property
    def left(self) -> int:
        """Messages that left unprotected."""
        return len({each.sent.marker for each in self.violations})

    @property
    def passed(self) -> bool:
        """Whether it is proven that none left unprotected."""
        return not self.violations and not self.unprotected and not self.doubts

    @property
    def summary(self) -> str:
        """The last line."""
        return f"{self.pushed} messages pushed at {self.faults} faults: {self.left} left unprotected."
