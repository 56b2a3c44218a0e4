"""``[receipts]``: a domain of its own, and what rules that remind need of it."""

import pytest

from gateway.config.page import Page
from gateway.config.policy_file import read_policy
from tests.fixtures.build import ROUTES

POLICY = """
{receipts}
[organisation]
name = "Council"
domains = ["council.example", "county.example"]
contact = "the desk"
postmaster = "postmaster@council.example"
[classification]
levels = ["public"]
default = "public"
floor = {{ public = "none" }}
[[rules]]
name = "asks"
when = {{ recipient = ["surgery.example"] }}
receipt = true
{reminder}
[[rules]]
name = "last"
route = ["tls"]
"""


def read(receipts: str = "", reminder: str = "") -> tuple[str | None, list[str], list[str]]:
    """The domain, the problems and the warnings."""
    page = Page("p")
    text = POLICY.format(receipts=receipts, reminder=reminder)
    policy = read_policy(page, text.encode(), ROUTES)
    problems, warnings = ([f"{one.key}: {one.text}" for one in some] for some in (page.problems, page.warnings))
    return policy.receipts if policy else None, problems, warnings


def table(domain: str) -> str:
    return f'[receipts]\ndomain = "{domain}"'


def test_domain_is_read_and_a_reminder_with_it_is_fine() -> None:
    assert read(table("Receipts.Council.example"), 'remind_after = "60d"') == ("receipts.council.example", [], [])


def test_without_it_receipts_are_asked_for_and_nobody_is_reminded() -> None:
    assert read() == ("", [], [])
    domain, problems, (warning,) = read(reminder='remind_after = "5d"')
    assert (domain, problems) == ("", [])
    assert warning.startswith("rules[1].remind_after: nobody is reminded without [receipts]")


@pytest.mark.parametrize(
    ("receipts", "reminder", "problem"),
    [
        (table("county.example"), "", "receipts.domain: people have mail at `county.example`"),
        (table("*.council.example"), "", "receipts.domain: `*.council.example` is not a domain"),
        (table("[192.0.2.1]"), "", "receipts.domain: `[192.0.2.1]` is not a domain: it is an address literal"),
        ("[receipts]", "", "receipts.domain: this is missing"),
        (table("r.example") + '\ndomian = "x"', "", "receipts.domian: unknown key `domian`, did you mean `domain`?"),
        (table("r.example"), 'remind_after = "61d"', "rules[1].remind_after: a receipt is waited for at most 60d"),
    ],
)
def test_what_cannot_be(receipts: str, reminder: str, problem: str) -> None:
    domain, (found,), _ = read(receipts, reminder)
    assert domain is None
    assert found.startswith(problem)
