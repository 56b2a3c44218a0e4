"""An operator sees whether DANE is in use, and whether the resolver validates."""

import pytest
from prometheus_client import CollectorRegistry

from gateway.telemetry.dnssec import DnssecState


class Shown:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.state = DnssecState(self.registry)

    @property
    def values(self) -> tuple[float | None, float | None]:
        names = ("sealpost_dane_enabled", "sealpost_resolver_validates")
        first, second = (self.registry.get_sample_value(name) for name in names)
        return first, second


def test_nothing_is_claimed_before_it_is_known() -> None:
    assert Shown().values == (0, 0)


@pytest.mark.parametrize(
    ("trusted", "validates", "values"),
    [(True, True, (1, 1)), (True, False, (1, 0)), (False, True, (0, 1)), (False, False, (0, 0)), (True, None, (1, 0))],
)
def test_each_gauge_says_its_own(trusted: bool, validates: bool | None, values: tuple[float, float]) -> None:
    shown = Shown()
    shown.state.show(trusted=trusted, validates=validates)
    assert shown.values == values


def test_a_probe_without_answer_takes_nothing_back_and_one_with_an_answer_does() -> None:
    shown = Shown()
    shown.state.show(trusted=True, validates=True)
    shown.state.show(trusted=False, validates=None)
    assert shown.values == (0, 1)
    shown.state.show(trusted=True, validates=False)
    assert shown.values == (1, 0)
