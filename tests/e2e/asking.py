"""Commands as a user gives them: a process of its own each, and what may never be seen of one."""

import asyncio
import json
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.running_sandbox import command

CODES = {0, 1, 2}
"""Fine, a finding, usage."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What a command said that was asked for JSON and had nothing to complain of."""
        assert (self.code, self.err) == (0, "")
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """The one sentence of an error."""
        assert self.out == ""
        assert self.err.startswith("sealpost: ")
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1
        return self.err.removeprefix("sealpost: ").removesuffix("\n")


async def ask(folder: Path, *words: object, stdin: bytes | None = None) -> Ran:
    """Runs `sealpost` with these words in a folder."""
    line = command(*map(str, words))
    process = await asyncio.create_subprocess_exec(
        *line, cwd=folder, stdin=DEVNULL if stdin is None else PIPE, stdout=PIPE, stderr=PIPE
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate(stdin)
    ran = Ran(process.returncode or 0, out.decode(), err.decode())
    assert ran.code in CODES
    assert "Traceback" not in ran.out + ran.err
    return ran
