"""What a reload may not change is named by its key."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.app.wiring import Address, Wiring, changed

WIRING = Wiring(
    hostname="gateway.example",
    workers=2,
    spool=Path("/spool"),
    smtp=(Address(name="smtp", host="::", port=25),),
    admin=None,
    log_level="info",
)


@pytest.mark.parametrize(
    ("after", "keys"),
    [
        (WIRING, ()),
        (replace(WIRING, hostname="other.example"), ("hostname",)),
        (replace(WIRING, workers=0, spool=Path("/other")), ("workers", "spool.url")),
        (replace(WIRING, smtp=()), ("listen.smtp",)),
        (replace(WIRING, log_level="debug"), ("log.level",)),
        (replace(WIRING, admin=Address(name="admin", host="::1", port=1)), ("listen.admin",)),
        (replace(WIRING, spool_keys=(b"k" * 32,)), ("secrets.spool",)),
        (replace(WIRING, desk=Address(name="desk", host="::1", port=1)), ("listen.desk",)),
    ],
)
def test_what_differs_is_named_as_the_administrator_wrote_it(after: Wiring, keys: tuple[str, ...]) -> None:
    assert changed(WIRING, after) == keys


def test_an_address_reads_as_it_is_written() -> None:
    assert str(Address(name="smtp", host="::", port=25)) == "[::]:25"
    assert str(Address(name="smtp", host="10.0.0.1", port=25)) == "10.0.0.1:25"
