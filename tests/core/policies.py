"""Any facts and any policy, for properties: every kind of condition and action, remarks, raised levels, registers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from hypothesis import strategies as st

from gateway.core.conditions.base import Condition
from gateway.core.conditions.logic import All, AnyOf, Not
from gateway.core.conditions.message import AutomaticIs, ClassificationIs, Finds, IntentIs, SizeIsOver
from gateway.core.conditions.outside import StarttlsIs
from gateway.core.conditions.party import PartyIs
from gateway.core.detect.base import Detector
from gateway.core.domains import parse_party
from gateway.core.edits import Add, Remove
from gateway.core.facts import Facts, Intent, Lookup, Scan
from gateway.core.policy import NO_WISHES, Action, Choice, GoOn, Hold, Reject, Rule, Wishes
from gateway.core.registers.book import Registers
from gateway.core.registers.directory import directory
from gateway.core.registers.partners import Partner
from gateway.core.template import Template
from gateway.core.tls import Protection, Starttls
from tests.fixtures.build import BOB, LEVELS, MIB, facts, policy, rule

NEED = (Lookup.STARTTLS, BOB.domain)
"""The only outside fact that the conditions here read of the recipient."""


@dataclass(frozen=True, slots=True)
class Marker(Detector):
    """Finds nothing by itself: tests say what was looked for and found."""

    name: str

    @property
    def id(self) -> str:
        return self.name

    @property
    def label(self) -> str:
        return f"a {self.name} stands there"

    def detect(self, scan: Scan) -> bool:
        return False


RED, BLUE = Marker("red"), Marker("blue")

LEAVES: list[Condition] = [
    ClassificationIs(frozenset({"restricted"})),
    ClassificationIs(frozenset({"controlled"})),
    IntentIs(frozenset({Intent.SECURE})),
    AutomaticIs(True),
    PartyIs("recipient", (parse_party("*.example"),)),
    PartyIs("recipient", (parse_party("other.example"), parse_party("bob@partner.example"))),
    PartyIs("sender", (parse_party("x.example"),)),
    SizeIsOver("attachment_bytes", 1000),
    StarttlsIs(Starttls.NO),
    StarttlsIs(Starttls.YES),
    Finds(RED),
    Finds(BLUE),
]
CONDITIONS = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        st.builds(All, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=5,
)
CHAINS = st.sampled_from(["tls", "secure", "secure encrypted", "encrypted", "small", "opportunistic tls", "gone"])
ACTIONS: st.SearchStrategy[Action | str] = st.one_of(
    CHAINS, st.just(Reject()), st.just(Hold()), st.just(Hold("dpo")), st.just(GoOn())
)
LOWERED = st.sampled_from([None, "agreed"])
WISHES = st.builds(
    Wishes,
    warn=st.sampled_from([None, Template("Look at {recipient}."), Template("Stop.")]),
    notify=st.sampled_from([(), ("dpo@council.example",)]),
    copies=st.sampled_from([(), ("archive@council.example",)]),
    edits=st.sampled_from([(), (Remove("X-A"), Add("X-A", "1"))]),
    receipt=st.booleans(),
    remind_after=st.sampled_from([None, timedelta(days=5)]),
)


@st.composite
def rule_lists(draw: st.DrawFn) -> tuple[Rule, ...]:
    """Rules that a policy can have; ``plain`` ones wish for nothing."""
    front: list[Rule] = []
    for at in range(draw(st.integers(0, 5))):
        action = draw(ACTIONS)
        wishes = draw(st.one_of(st.just(NO_WISHES), WISHES))
        if isinstance(action, GoOn):
            wishes = replace(wishes, raises=draw(st.sampled_from([None, *LEVELS])))
        front.append(
            rule(
                f"r{at}",
                draw(CONDITIONS),
                action,
                below_floor=draw(LOWERED) if isinstance(action, str) else None,
                ignores_buttons=draw(st.booleans()),
                overridable=isinstance(action, Reject | Hold) and draw(st.booleans()),
                wishes=wishes,
            )
        )
    return (*front, rule("last", None, draw(CHAINS), below_floor=draw(LOWERED)))


PARTNERS = st.builds(
    Partner,
    name=st.just("Partner"),
    tls=st.sampled_from(Protection),
    most_wait=st.sampled_from([None, timedelta(hours=4)]),
)
POLICIES = st.builds(
    lambda rules, choose, partner: policy(
        *rules,
        choose=choose,
        registers=Registers() if partner is None else Registers(partners=directory([(BOB.domain, partner)])),
    ),
    rule_lists(),
    st.sampled_from(Choice),
    st.one_of(st.none(), PARTNERS),
)


def _seen(plain: Facts, asked: Mapping[str, bool | None], overridden: frozenset[str]) -> Facts:
    looked = frozenset(name for name, found in asked.items() if found is not None)
    found = frozenset(name for name, found in asked.items() if found)
    return replace(plain, looked=looked, found=found, overridden=overridden)


FACTS = st.builds(
    _seen,
    st.builds(
        facts,
        st.sampled_from([*LEVELS, "unheard of"]),
        st.sampled_from(list(Intent)),
        automatic=st.booleans(),
        sender=st.sampled_from(["", "a@x.example", "not an address"]),
        files=st.sampled_from([0, 1000, 1001, 14 * MIB]),
        size=st.sampled_from([10, 3 * MIB]),
    ),
    st.fixed_dictionaries({"red": st.sampled_from([True, False, None]), "blue": st.sampled_from([True, False, None])}),
    st.frozensets(st.sampled_from(["r0", "r1", "r2"])),
)


def completions(known: Facts) -> list[Facts]:
    """Every way in which what is not known could turn out."""
    missing = [name for name in ("red", "blue") if name not in known.looked]
    whole: list[Facts] = [known]
    for name in missing:
        whole = [
            replace(each, looked=each.looked | {name}, found=found)
            for each in whole
            for found in (each.found, each.found | {name})
        ]
    return [replace(each, outside={NEED: answer}) for each in whole for answer in (Starttls.YES, Starttls.NO)]
