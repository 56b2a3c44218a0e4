"""Which recipients an operator's words mean."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.address import NullPath
from gateway.core.selection import NULL_PATH, Selection, senders_of
from tests.core.queued import MESSAGE, NOW, ROW, with_envelope

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("selection", "meant"),
    [
        (Selection(), True),
        (Selection(sender="OFFICER@council.example"), True),
        (Selection(sender="other@council.example"), False),
        (Selection(sender="@COUNCIL.example"), True),
        (Selection(sender="@cil.example"), False),
        (Selection(sender=NULL_PATH), False),
        (Selection(recipients=frozenset({"gp@x.example", "other@x.example"})), True),
        (Selection(recipients=frozenset({"other@x.example"})), False),
        (Selection(rule="Controlled"), True),
        (Selection(rule="Controlle"), False),
        (Selection(accepted_before=NOW + SECOND), True),
        (Selection(accepted_before=NOW), False),
        (Selection(sender="officer@council.example", rule="Files"), False),
    ],
)
def test_all_that_is_said_has_to_hold(selection: Selection, meant: bool) -> None:
    assert selection.holds(MESSAGE, ROW) is meant


def test_mail_without_a_reverse_path_is_asked_for_by_name() -> None:
    ours = replace(with_envelope(reverse_path=NullPath.NULL), facts=None)
    assert senders_of(ours) == frozenset()
    assert Selection(sender=NULL_PATH).holds(ours, ROW)
    assert not Selection(sender="officer@council.example").holds(ours, ROW)


def test_a_from_that_is_no_address_still_names_somebody() -> None:
    assert MESSAGE.facts is not None
    odd = replace(MESSAGE, facts=replace(MESSAGE.facts, header_from=("Not An Address",)))
    assert "not an address" in senders_of(odd)
    assert Selection(sender="NOT AN ADDRESS").holds(odd, ROW)
    assert not Selection(sender="another").holds(odd, ROW)
