"""A whole supervisor in a process of its own, for the test that kills it: prints its port, runs until it dies."""

import asyncio
import sys
from pathlib import Path

from tests.app.world import running


async def main(folder: Path) -> None:
    async with running(folder) as world:
        sys.stdout.write(f"{world.port}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
