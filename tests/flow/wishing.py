"""The gate with a policy whose rules have wishes."""

from dataclasses import replace

from gateway.core.edits import Add, HeaderEdit, Remove, Retitle
from gateway.core.modes import Rollout
from gateway.core.policy import GoOn, Rule, Wishes
from gateway.core.template import Template
from tests.flow.gate import POLICY, RULES, Gate, to


def remark(name: str, domain: str, wishes: Wishes) -> Rule:
    """A rule that only wishes, for one domain."""
    return Rule(name=name, when=to(domain), action=GoOn(), advice=Template(""), wishes=wishes)


TAG: tuple[HeaderEdit, ...] = (Retitle(tag="[OFFICIAL]"), Remove("X-Encrypt"), Add("X-Handling", "careful"))
WARNING = Wishes(warn=Template("Put them in Bcc next time."))
WISHING = (
    remark("Many", "one.example", WARNING),
    remark("Many", "two.example", WARNING),
    remark("Many", "forbidden.example", WARNING),
    remark("Many", "held.example", WARNING),
    remark("Many", "asks.example", WARNING),
    remark("Record", "kept.example", Wishes(copies=("archive@council.example", "officer@council.example"))),
    remark("Record", "forbidden.example", Wishes(copies=("archive@council.example",))),
    remark("Tag", "two.example", Wishes(edits=TAG)),
    remark("Receipt", "receipt.example", Wishes(receipt=True)),
)


def wishing(*rollouts: Rollout, rules: tuple[Rule, ...] = (*WISHING, *RULES)) -> Gate:
    """A gate with these rules in front of the usual ones."""
    return Gate(policy=replace(POLICY, rules=rules, rollouts=rollouts))


def joined(report: bytes) -> bytes:
    """A report without the soft line ends of its encoding."""
    return report.replace(b"=\r\n", b"")
