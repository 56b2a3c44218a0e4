"""Mail that waits: nothing of it can be read in the spool, and a gateway without its key leaves it alone, saying so."""

import asyncio
import base64
from pathlib import Path

from gateway.core.record import EventKind
from gateway.sandbox.authority import write_secret
from gateway.sandbox.behaviour import Behaviour, Fault
from gateway.sandbox.behaviour import Stage as At
from gateway.sealed.keys import new_keyring
from tests.e2e.stage import EVERYBODY, Setting, Stage, letter, scenario_cast, stage

PLANTED = b"kumquat marmalade recipe"
"""As long as three groups of three bytes, so that its base64 stands in that of whatever holds it at such a place."""
SIZES = (3_000, 600_000)
"""In a row, and in a file."""
RECIPIENT = "gp@tls.example"


def found_in(folder: Path) -> list[str]:
    words = (PLANTED, base64.b64encode(PLANTED))
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if any(word in path.read_bytes() for word in words)]


async def submit(on: Stage, size: int) -> None:
    message = letter(classification="controlled", subject=PLANTED.decode())
    message["Comments"] = PLANTED.decode()
    content = PLANTED * (size // len(PLANTED))
    message.add_attachment(content, maintype="application", subtype="octet-stream", filename=f"{PLANTED.decode()}.pdf")
    await on.submit(message, RECIPIENT)


async def test_mail_that_waits_cannot_be_read_and_goes_out_with_its_key_only(tmp_path: Path) -> None:
    busy = Behaviour(faults=(Fault(stage=At.MAIL, answer="451 4.3.2 later"),))
    async with stage(tmp_path, Setting(cast=scenario_cast(), partners=EVERYBODY)) as on:
        host = on.world.hosts["mx.tls.example"]
        host.behave(busy)
        for size in SIZES:
            await submit(on, size)
        await on.until(lambda: len(on.events(None, EventKind.ATTEMPT)) >= len(SIZES))
        assert found_in(on.spool) == []
        await on.process.stop()
        assert found_in(on.spool) == []

        keys = on.folder / "spool.keys"
        kept = keys.read_bytes()
        keys.unlink()
        write_secret(keys, new_keyring("other").to_bytes())
        starting = asyncio.create_task(on.start())
        await on.until(lambda: "not among those of secrets.spool" in on.log())
        starting.cancel()
        await on.process.stop()

        host.behave(Behaviour())
        keys.write_bytes(new_keyring("newest").to_bytes() + kept)
        await on.start()
        await on.until(lambda: len(on.events(None, EventKind.ENDED)) >= len(SIZES))
        came = [arrival.content for arrival in on.world.inbox.to(RECIPIENT)]
        assert [base64.b64encode(PLANTED) in content for content in came] == [True] * len(SIZES)
        await on.until(lambda: not any((on.spool / "shard-000/bodies").iterdir()))
