"""The policy in force as a page for people, made from nothing but the policy, so that paper and machine agree.

For the staff what happens to their mail, for the service desk the rules with their limits, for the data-protection
officer what is promised, held, told and agreed. The same policy gives the same page.
"""

from enum import StrEnum
from typing import assert_never

from gateway.config.describe.desk import desk_page
from gateway.config.describe.document import Document
from gateway.config.describe.dpo import dpo_page
from gateway.config.describe.staff import staff_page
from gateway.core.policy import Policy


class Audience(StrEnum):
    """Who reads the page."""

    STAFF = "staff"
    DESK = "desk"
    DPO = "dpo"


def describe_policy(policy: Policy, audience: Audience) -> Document:
    """The page for one audience."""
    name, contact = policy.organisation.name, policy.organisation.contact
    match audience:
        case Audience.STAFF:
            title, lead = f"What happens to your email: {name}", f"Questions, or something went wrong? Ask {contact}."
            sections = staff_page(policy)
        case Audience.DESK:
            title, lead = f"Email rules for the service desk: {name}", f"What senders are told to ask: {contact}."
            sections = desk_page(policy)
        case Audience.DPO:
            title = f"Email protection in force: {name}"
            lead = f"Made from the policy {policy.hash[:12]}. The first rule that applies decides."
            sections = dpo_page(policy)
        case _:
            assert_never(audience)
    return Document(title, lead, tuple(sections))
