from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.refusal import refusal
from tests.core.queued import REFUSED, recipient

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
