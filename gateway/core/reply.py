"""SMTP replies and enhanced status codes that cannot contradict each other (RFC 5321 section 4.2, RFC 3463)."""

import re
from dataclasses import dataclass
from typing import Final

MAX_SHOWN: Final = 300
"""Characters of a reply in a sentence of ours; a server may send a hundred times as much."""

_TEXT = re.compile(r"[\t -~\u0080-\U0010ffff]*")


@dataclass(frozen=True, slots=True)
class Status:
    """An enhanced status code ``klass.subject.detail`` (RFC 3463 section 2)."""

    klass: int
    subject: int
    detail: int

    def __post_init__(self) -> None:
        if self.klass not in (2, 4, 5) or not (0 <= self.subject <= 999 and 0 <= self.detail <= 999):
            raise ValueError(f"not an enhanced status code: {self.klass}.{self.subject}.{self.detail}")

    def __str__(self) -> str:
        return f"{self.klass}.{self.subject}.{self.detail}"

    @classmethod
    def parse(cls, text: str) -> "Status | None":
        """The status at the start of ``text``, or None; a remote server's text decides nothing else."""
        match = re.match(r"([245])\.(\d{1,3})\.(\d{1,3})(?:\s|$)", text, re.ASCII)
        return cls(int(match[1]), int(match[2]), int(match[3])) if match else None

    def permanent(self) -> "Status":
        """The same subject and detail as a permanent failure, for the report at a deadline."""
        return Status(5, self.subject, self.detail)


@dataclass(frozen=True, slots=True)
class Reply:
    """One SMTP reply: ``code``, optional ``status`` of the same class, and lines without CR or LF."""

    code: int
    status: Status | None
    lines: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 200 <= self.code <= 599:
            raise ValueError(f"not a reply code: {self.code}")
        if self.status is not None and self.status.klass != self.code // 100:
            raise ValueError(f"status {self.status} contradicts the code {self.code}")
        if not self.lines or not all(_TEXT.fullmatch(line) for line in self.lines):
            raise ValueError("a reply has at least one line, and none holds a control character")

    def __str__(self) -> str:
        """For people, in one line and cut; whoever needs all of it has ``lines``."""
        text = f"{self.codes} {' / '.join(self.lines)}"
        return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"

    @property
    def codes(self) -> str:
        """Code and status alone, for where the words may repeat what was said in confidence."""
        return f"{self.code} {self.status}" if self.status else str(self.code)

    @property
    def is_positive(self) -> bool:
        """2xx."""
        return self.code < 300

    @property
    def is_transient(self) -> bool:
        """4xx."""
        return 400 <= self.code < 500

    @property
    def is_permanent(self) -> bool:
        """5xx."""
        return self.code >= 500


def reply(code: int, status: str, *lines: str) -> Reply:
    """Builds a reply of ours, e.g. ``reply(550, "5.7.1", "not allowed")``; a literal that is wrong raises at once."""
    parsed = Status.parse(status)
    if parsed is None:
        raise ValueError(f"not an enhanced status code: {status}")
    return Reply(code, parsed, lines)
