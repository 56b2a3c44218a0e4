"""What a running gateway remembers of the mail that passed it, as the command line reads it."""

from datetime import UTC, datetime
from pathlib import Path

from gateway.spool.state_reader import labels_seen, read_state
from tests.app.house import House, house
from tests.cli.running import started


def contacts(here: House) -> int:
    return len(read_state(here.household.spool, "history/k/", 100, datetime.now(UTC)))


async def test_recipients_and_unknown_labels_are_remembered_across_a_restart(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        async with started(here):
            await here.send("alice@tls.example")
            await here.send("alice@tls.example", "bob@tls.example", level="nobody's level")
            await here.until(lambda: contacts(here) == 2)
            await here.until(lambda: len(labels_seen(here.household.spool, datetime.now(UTC))) == 1)
        async with started(here):
            await here.send("carol@tls.example", "alice@tls.example")
            await here.until(lambda: contacts(here) == 3)
        [seen] = labels_seen(here.household.spool, datetime.now(UTC))
        assert (seen.value, seen.count) == ("nobody's level", 1)
        assert "alice" not in repr(read_state(here.household.spool, "", 1000, datetime.now(UTC)))
