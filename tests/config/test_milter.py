"""The doors for an MTA: what they are told, and what would let strangers in."""

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.config.milter import read_milters
from gateway.config.page import Page
from gateway.config.tables import ListenTable
from gateway.flow.custody import Custody
from gateway.flow.options import Refusals
from gateway.listeners.options import LOOPBACK, LocalSocket, MilterOptions, TcpSocket


def read(*tables: dict[str, object], smtp: str = "[::]:25") -> tuple[Page, tuple[MilterOptions, ...]]:
    page = Page("f")
    found = page.validate(ListenTable, {"smtp": [{"address": smtp}], "milter": list(tables)})
    return page, read_milters(page, found) if found is not None else ()


def problems(**table: object) -> list[str]:
    page, _ = read({"address": "127.0.0.1:8891"} | table)
    return [str(problem) for problem in page.problems]


def test_a_door_is_for_takeover_and_for_this_machine_unless_it_is_told_otherwise() -> None:
    page, (plain, other) = read(
        {"address": "127.0.0.1:8891"},
        {
            "address": "unix:/run/sealpost/milter",
            "name": "front",
            "permissions": "0666",
            "mode": "gate",
            "max_message": "60MiB",
            "max_recipients": 200,
            "max_connections": 20,
            "timeout": "1h",
        },
    )
    assert page.problems == [] and page.warnings == []
    assert plain == MilterOptions(name="127.0.0.1:8891", where=TcpSocket("127.0.0.1", 8891))
    assert (plain.custody, plain.refusals, plain.allow) == (Custody.TAKEOVER, Refusals.REPORT, LOOPBACK)
    assert other == MilterOptions(
        name="front",
        where=LocalSocket(Path("/run/sealpost/milter"), 0o666),
        custody=Custody.GATE,
        max_message=60 * 1024 * 1024,
        max_recipients=200,
        max_connections=20,
        timeout=timedelta(hours=1),
    )


def test_networks_of_ours_may_ask_and_those_of_many_may_not() -> None:
    page, (options,) = read({"address": "10.1.1.1:8891", "allow": ["10.0.0.0/8"], "refusals": "session"})
    assert page.problems == [] and options.allow == (ip_network("10.0.0.0/8"),)
    assert options.refusals is Refusals.SESSION
    assert problems(allow=["10.0.0.0/8", "0.0.0.0/0"]) == [
        "f: listen.milter[1].allow: 0.0.0.0/0 is shared by many organisations; a milter's client is your MTA"
    ]
    page, _ = read({"address": "127.0.0.1:8891", "mode": "tag"})
    assert [str(warning) for warning in page.warnings] == [
        "f: listen.milter[1].mode: tag only records: nothing of the policy is enforced there"
    ]
    page, _ = read({"address": "127.0.0.1:8891", "allow": []})
    assert [str(warning) for warning in page.warnings] == ["f: listen.milter[1].allow: nobody may connect here"]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"address": "unix:run/milter"}, "a local socket is unix: and its path from the root"),
        ({"address": "unix:/" + "x" * 107}, "of 107 bytes at most"),
        ({"address": "8891"}, "an address is host:port"),
        ({"mode": "takover"}, "takeover"),
        ({"permissions": "660"}, "permissions"),
        ({"permissions": "0666"}, "only a local socket has them; name networks in `allow`"),
        ({"address": "unix:/x", "allow": ["10.0.0.0/8"]}, "guarded by `permissions`, not by networks"),
        ({"mode": "gate", "refusals": "session"}, "in mode gate nothing is carried by us, so there are no reports"),
        ({"address": "[::]:25", "name": "n"}, "milter[1].address: another listener has [::]:25"),
        ({"address": "unix:/x", "permissions": "0440"}, "milter[1].permissions: nobody could connect"),
        ({"timeout": "0s"}, "milter[1].timeout: no MTA answers in no time"),
        ({"name": "[::]:25"}, "another listener is called [::]:25"),
        ({"max_recipients": 99}, "max_recipients"),
        ({"certificate": "c.pem"}, "certificate"),
    ],
)
def test_what_cannot_be_is_said_with_its_key(table: dict[str, object], words: str) -> None:
    (problem,) = problems(**table)
    assert "milter[1]" in problem and words in problem


def test_a_gateway_needs_one_door_of_either_kind() -> None:
    assert Page("f").validate(ListenTable, {"milter": [{"address": "127.0.0.1:8891"}]}) is not None
    page = Page("f")
    assert page.validate(ListenTable, {}) is None
    assert "nothing takes mail: give [[listen.smtp]] or [[listen.milter]]" in str(page.problems[0])
