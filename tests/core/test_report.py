from dataclasses import replace

import pytest

from gateway.core.address import NullPath, ReversePath, parse_address
from gateway.core.envelope import Notify
from gateway.core.record import Kind
from gateway.core.reply import Status
from gateway.core.report import Purpose, Report, answers, item_of, wished
from gateway.core.tls import Protection
from tests.core.queued import DECLINED, FACTS, MESSAGE, REFUSED, ROUTED, ROW, recipient, with_envelope

F, D, R, M = Purpose.FAILED, Purpose.DELAYED, Purpose.RELAYED, Purpose.MOVED


@pytest.mark.parametrize(
    ("notify", "purposes"),
    [
        ((), {F, D, M}),
        ((Notify.NEVER,), set[Purpose]()),
        ((Notify.FAILURE,), {F, M}),
        ((Notify.DELAY,), {D, M}),
        ((Notify.SUCCESS,), {R, M}),
        ((Notify.SUCCESS, Notify.FAILURE, Notify.DELAY), {F, D, R, M}),
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
    assert item_of(replace(ROW, decision=REFUSED), Status(5, 0, 0)).floor is REFUSED.floor
