from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.effects import Effects, Point
from gateway.core.observing import SOFT_END
from gateway.core.refusal import postponement, refusal, softly_refused
from tests.core.queued import OPEN, REFUSED, recipient

CONTACT = "Service Desk, 01629 000000"


def test_refusal_says_what_to_do_who_why_which_rule_and_whom_to_call() -> None:
    answer = refusal([(recipient("a@x.example"), REFUSED)], CONTACT)
    assert (answer.code, str(answer.status)) == (550, "5.7.1")
    assert answer.lines == (
        "Make them smaller.",
        "a@x.example: the files are too large (rule: Files)",
        "Questions, or sent to the wrong person? Report it now: Service Desk, 01629 000000",
    )


def test_different_advice_stands_with_its_recipient() -> None:
    other = replace(REFUSED, rule="Other", advice="Use the portal.")
    none = replace(REFUSED, rule="None", advice="")
    lines = refusal(
        [(recipient("a@x.example"), REFUSED), (recipient("b@x.example"), other), (recipient(), none)], CONTACT
    ).lines
    assert lines[0] == "a@x.example: the files are too large Make them smaller. (rule: Files)"
    assert lines[1] == "b@x.example: the files are too large Use the portal. (rule: Other)"
    assert lines[2] == "gp@x.example: the files are too large (rule: None)"


def test_rule_without_advice_still_names_whom_to_call() -> None:
    lines = refusal([(recipient(), replace(REFUSED, advice=""))], CONTACT).lines
    assert len(lines) == 2 and CONTACT in lines[1]


def test_many_recipients_are_counted() -> None:
    lines = refusal([(recipient(f"r{n}@x.example"), REFUSED) for n in range(13)], CONTACT).lines
    assert "and 3 more recipients" in lines
    assert sum("rule: Files" in line for line in lines) == 10


@given(st.text(max_size=1000), st.text(max_size=1000), st.text(max_size=100))
def test_any_text_becomes_a_reply_within_the_limits_of_smtp(reason: str, advice: str, contact: str) -> None:
    answer = refusal([(recipient(), replace(REFUSED, reason=reason, advice=advice, rule=reason))], contact)
    for line in answer.lines:
        assert line.isascii() and line.isprintable()
        assert len(f"550-5.7.1 {line}\r\n") <= 512


def test_further_points_are_named_once_and_not_without_end() -> None:
    points = [Point(f"R{number}", "so it is", f"Do {number}.") for number in range(7)]
    warned = replace(REFUSED, effects=Effects(warnings=tuple(points)))
    lines = refusal([(recipient("a@x.example"), warned), (recipient("b@x.example"), warned)], CONTACT).lines
    assert [line for line in lines if line.startswith("Also: ")] == [
        f"Also: Do {number}. (why: so it is; rule: R{number})" for number in range(5)
    ]
    assert lines[-1].endswith(CONTACT)


def test_softened_refusal_is_the_same_words_for_now() -> None:
    softened = replace(OPEN, missing=(SOFT_END,), advice="Make them smaller.")
    answer = postponement([(recipient("a@x.example"), softened)], CONTACT)
    assert (answer.code, str(answer.status)) == (450, "4.7.1")
    assert answer.lines[:2] == ("Make them smaller.", "a@x.example: not known (rule: TLS)")
    assert softly_refused(softened) and not softly_refused(OPEN)
