from dataclasses import replace

import pytest

from gateway.core.address import NullPath, ReversePath, parse_address
from gateway.core.effects import Effects, Point
from gateway.core.envelope import Notify
from gateway.core.record import Kind
from gateway.core.reply import Status
from gateway.core.report import Purpose, Report, answers, item_of, owner_of, reader_of, wished
from gateway.core.tls import Protection
from tests.core.queued import DECLINED, FACTS, HELD, MESSAGE, REFUSED, ROUTED, ROW, recipient, with_envelope

F, D, R = Purpose.FAILED, Purpose.DELAYED, Purpose.RELAYED
NOTICES = {Purpose.MOVED, Purpose.WARNED, Purpose.HELD}


@pytest.mark.parametrize(
    ("notify", "purposes"),
    [
        ((), {F, D, *NOTICES}),
        ((Notify.NEVER,), set[Purpose]()),
        ((Notify.FAILURE,), {F, *NOTICES}),
        ((Notify.DELAY,), {D, *NOTICES}),
        ((Notify.SUCCESS,), {R, *NOTICES}),
        ((Notify.SUCCESS, Notify.FAILURE, Notify.DELAY), {F, D, R, *NOTICES}),
    ],
)
def test_notify_is_honoured(notify: tuple[Notify, ...], purposes: set[Purpose]) -> None:
    assert {purpose for purpose in Purpose if wished(recipient("a@x.example", *notify), purpose)} == purposes


@pytest.mark.parametrize("path", [NullPath.NULL, parse_address("MAILER-DAEMON@council.example")])
def test_null_and_daemon_paths_are_never_answered(path: ReversePath) -> None:
    assert not answers(with_envelope(reverse_path=path))
    assert answers(MESSAGE)


def test_automatic_mail_and_our_own_are_never_answered() -> None:
    assert not answers(replace(MESSAGE, facts=replace(FACTS, automatic=True)))
    assert not answers(replace(MESSAGE, kind=Kind.REPORT))
    assert answers(replace(MESSAGE, facts=None))


def test_item_has_what_the_row_knows() -> None:
    item = item_of(replace(ROW, last=DECLINED), Status(5, 7, 4))
    assert (item.number, item.recipient, item.outcome) == (3, ROW.recipient, DECLINED)
    assert (item.rule, item.advice, item.floor) == (ROUTED.rule, ROUTED.advice, ROUTED.floor)


def test_one_protected_recipient_makes_the_report_neutral() -> None:
    open_item = replace(item_of(ROW, Status(5, 0, 0)), floor=Protection.NONE)
    public = Report(purpose=F, message=MESSAGE, items=(open_item,), header=b"")
    assert not public.protected
    assert replace(public, items=(open_item, item_of(ROW, Status(5, 0, 0)))).protected


def test_lowered_floor_protects_the_report_all_the_same() -> None:
    lowered = replace(ROUTED, floor=Protection.NONE, original_floor=Protection.VERIFIED, lowered_because="agreed")
    item = item_of(replace(ROW, decision=lowered), Status(5, 0, 0))
    assert item.floor is Protection.VERIFIED
    assert Report(purpose=F, message=MESSAGE, items=(item,), header=b"").protected
    held = replace(HELD, floor=Protection.NONE, lowered_from=Protection.ENCRYPTED, without=("It cannot go by x.",))
    item = item_of(replace(ROW, decision=held), Status(5, 0, 0))
    assert (item.floor, item.without) == (Protection.ENCRYPTED, ("It cannot go by x.",))
    assert item_of(replace(ROW, decision=HELD), Status(5, 0, 0)).floor is HELD.floor
    assert item_of(replace(ROW, decision=REFUSED), Status(5, 0, 0)).floor is REFUSED.floor


def test_what_a_detector_found_may_stand_in_the_subject() -> None:
    open_item = replace(item_of(ROW, Status(5, 0, 0)), floor=Protection.NONE)
    found = replace(MESSAGE, facts=replace(FACTS, looked=frozenset({"a", "b"}), found=frozenset({"b"})))
    looked = replace(MESSAGE, facts=replace(FACTS, looked=frozenset({"a", "b"})))
    assert Report(purpose=F, message=found, items=(open_item,), header=b"").protected
    assert not Report(purpose=F, message=looked, items=(open_item,), header=b"").protected
    assert not Report(purpose=F, message=replace(MESSAGE, facts=None), items=(open_item,), header=b"").protected


@pytest.mark.parametrize(
    ("owner", "reader"),
    [("", "officer@council.example"), ("owner@council.example", "owner@council.example"), ("The Print Room", None)],
)
def test_owner_of_a_system_reads_what_is_said_of_its_mail(owner: str, reader: str | None) -> None:
    message = replace(MESSAGE, facts=replace(FACTS, owner=owner))
    assert str(reader_of(message)) == (reader or "officer@council.example")
    assert (owner_of(message) is not None) is (reader == owner)
    assert owner_of(replace(MESSAGE, facts=None)) is None


def test_null_path_has_no_reader() -> None:
    with pytest.raises(ValueError, match="never answered"):
        reader_of(with_envelope(reverse_path=NullPath.NULL))


def test_item_has_the_points_of_its_decision_and_who_releases_it() -> None:
    point = Point("Subject", "there is a number in it", "Leave it out.")
    held = replace(HELD, role="dpo", effects=Effects(warnings=(point,)))
    item = item_of(replace(ROW, decision=held), Status(4, 7, 1))
    assert (item.role, item.warnings) == ("dpo", (point,))
    assert item_of(ROW, Status(4, 7, 1)).role == ""
