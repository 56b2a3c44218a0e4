"""Protection's orders, and the one decision between TLS, clear text and neither."""

from datetime import timedelta
from itertools import product

import pytest

from gateway.core.tls import (
    CHANNEL_FOR,
    PLAIN_AFTER,
    Channel,
    MxAuth,
    Obtained,
    Protection,
    Requirement,
    Step,
    next_step,
)

IN_CLEAR = Requirement(MxAuth.NONE, Channel.PLAIN)
DEMANDING = [Requirement(MxAuth.NONE, channel) for channel in Channel if channel > Channel.PLAIN]
WAITED = [None, timedelta(0), PLAIN_AFTER - timedelta(seconds=1), PLAIN_AFTER, timedelta(days=1)]


def test_a_connection_meets_what_is_at_most_itself_on_both_axes() -> None:
    for mx, channel, wanted_mx, wanted_channel in product(MxAuth, Channel, MxAuth, Channel):
        met = Obtained(mx, channel).meets(Requirement(wanted_mx, wanted_channel))
        assert met is (mx.value >= wanted_mx.value and channel.value >= wanted_channel.value)


def test_the_words_of_the_configuration() -> None:
    assert [protection.label for protection in Protection] == ["none", "encrypted", "verified", "sealed"]
    assert Protection.SEALED not in CHANNEL_FOR


@pytest.mark.parametrize("requirement", [IN_CLEAR, *DEMANDING])
@pytest.mark.parametrize("waited", WAITED)
@pytest.mark.parametrize("proven", [True, False])
def test_what_is_offered_is_tried(requirement: Requirement, waited: timedelta | None, proven: bool) -> None:
    step = next_step(requirement, offered=True, handshake_failed=False, first_failed_for=waited, proven=proven)
    assert step is Step.STARTTLS


@pytest.mark.parametrize("requirement", DEMANDING)
@pytest.mark.parametrize("waited", WAITED)
@pytest.mark.parametrize(("offered", "failed"), [(False, False), (True, True)])
def test_a_demand_is_never_met_in_clear(
    requirement: Requirement, waited: timedelta | None, offered: bool, failed: bool
) -> None:
    for proven, expected in ((True, Step.DECLINE), (False, Step.DEFER)):
        step = next_step(requirement, offered=offered, handshake_failed=failed, first_failed_for=waited, proven=proven)
        assert step is expected


@pytest.mark.parametrize("proven", [True, False])
def test_without_a_demand_what_is_not_offered_is_not_missed(proven: bool) -> None:
    step = next_step(IN_CLEAR, offered=False, handshake_failed=False, first_failed_for=None, proven=proven)
    assert step is Step.PLAIN


@pytest.mark.parametrize(
    ("waited", "expected"), list(zip(WAITED, [Step.DEFER, Step.DEFER, Step.DEFER, Step.PLAIN, Step.PLAIN], strict=True))
)
@pytest.mark.parametrize("proven", [True, False])
def test_a_broken_offer_is_met_in_clear_only_after_five_minutes(
    waited: timedelta | None, expected: Step, proven: bool
) -> None:
    assert next_step(IN_CLEAR, offered=True, handshake_failed=True, first_failed_for=waited, proven=proven) is expected


def test_both_demands_together_are_what_meets_each() -> None:
    every = [Requirement(mx, channel) for mx, channel in product(MxAuth, Channel)]
    for one, two, (mx, channel) in product(every, every, product(MxAuth, Channel)):
        obtained = Obtained(mx, channel)
        assert obtained.meets(one | two) is (obtained.meets(one) and obtained.meets(two))
