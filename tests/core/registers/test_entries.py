from dataclasses import replace
from datetime import date

import pytest

from gateway.core.address import parse_address
from gateway.core.domains import parse_party
from gateway.core.registers.exceptions import Waiver
from gateway.core.registers.partners import Agreement, Partner, Standing

END = date(2026, 11, 22)
PARTNER = Partner(name="P", agreement=Agreement.ISA, levels=frozenset({"controlled"}), expires=END)
WAIVER = Waiver(
    route="encrypted",
    sender=parse_party("legal@council.example"),
    recipient=parse_party("*.court.example"),
    up_to=26_000_000,
    until=END,
    reference="SD-1",
)
LEGAL, COURT = parse_address("Legal@council.example"), parse_address("clerk@one.court.example")


@pytest.mark.parametrize(
    ("partner", "level", "day", "standing"),
    [
        (PARTNER, "controlled", END, Standing.VALID),
        (PARTNER, "controlled", date(2026, 11, 23), Standing.EXPIRED),
        (PARTNER, "restricted", date(2026, 11, 23), Standing.EXPIRED),
        (PARTNER, "restricted", END, Standing.NOT_COVERING),
        (replace(PARTNER, expires=None), "controlled", date(2099, 1, 1), Standing.VALID),
        (replace(PARTNER, agreement=None), "controlled", END, Standing.NONE),
    ],
)
def test_how_an_agreement_stands(partner: Partner, level: str, day: date, standing: Standing) -> None:
    assert partner.standing(level, day) is standing
    assert partner.covers(level, day) is (standing is Standing.VALID)


@pytest.mark.parametrize(
    ("waiver", "applies"),
    [
        (WAIVER, True),
        (replace(WAIVER, until=date(2026, 11, 21)), False),
        (replace(WAIVER, route="secure"), False),
        (replace(WAIVER, sender=parse_party("other@council.example")), False),
        (replace(WAIVER, recipient=parse_party("court.example")), False),
    ],
)
def test_an_exception_is_for_these_two_on_this_route_until_its_end(waiver: Waiver, *, applies: bool) -> None:
    assert waiver.applies("encrypted", LEGAL, COURT, END) is applies


def test_nobody_has_no_exception() -> None:
    assert not WAIVER.applies("encrypted", None, COURT, END)
