"""What is wrong with a configuration: every problem at once, each with its file and key."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding: ``file`` as the user named it, ``key`` dotted (empty for the whole file), ``text`` one sentence."""

    file: str
    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.text}" if self.key else f"{self.file}: {self.text}"


class ConfigError(Exception):
    """The configuration cannot be used; ``problems`` is never empty."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems
