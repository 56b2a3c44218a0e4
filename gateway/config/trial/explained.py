"""A message explained: what is known of it, and for each recipient every rule that was asked and the decision."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from gateway.config.settings import Settings
from gateway.config.trial.at_mta import at_mta
from gateway.config.trial.entries import entries_of
from gateway.core.address import Address
from gateway.core.decide import Ruling, decide
from gateway.core.decision import Decision, Tried
from gateway.core.explain import explain
from gateway.core.facts import Facts
from gateway.core.outcome import Outcome
from gateway.core.policy import Policy
from gateway.core.sealing import Unlock
from gateway.core.tls import Starttls
from gateway.flow.custody import Custody
from gateway.flow.options import PortalOptions
from gateway.transports.portal import Portal


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One recipient: the rules asked, the ruling, and what the registers say of the address."""

    address: Address
    tried: tuple[Tried, ...]
    ruling: Ruling
    entries: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A message that the gateway took: decisions and last outcomes by address, and the policy that made the decisions.

    ``lost`` are the facts that the place where it was found (``where``) does not keep, as sentences. ``earlier`` are
    the routes of a chain that were left, in their order, each with what it came to.
    """

    queue_id: str
    where: str
    policy_hash: str
    decisions: Mapping[str, Decision]
    lost: tuple[str, ...] = ()
    outcomes: Mapping[str, Outcome] = field(default_factory=lambda: MappingProxyType({}))
    earlier: Mapping[str, tuple[tuple[str, Outcome], ...]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One message. ``tls`` is what was assumed of the recipients' hosts.

    ``door`` is the sentence of a refusal that no rule is asked for; None for mail that comes in. ``answered`` is
    whether anybody is told of a failure. ``recorded`` is there for mail that went through the gateway. ``portal`` says
    how sealed messages are opened, and ``by_passphrase`` which routes send no code at all. ``custody`` is that of the
    listener that it comes by.
    """

    message: str
    door: str | None
    answered: bool
    defects: tuple[str, ...]
    facts: Facts
    policy: Policy
    policy_file: str
    judged: tuple[Judged, ...]
    tls: Starttls = Starttls.UNKNOWN
    recorded: Recorded | None = None
    portal: PortalOptions | None = None
    by_passphrase: frozenset[str] = frozenset()
    custody: Custody = Custody.RELAY

    def at_mta(self, address: Address, decision: Decision) -> str:
        """What an MTA in front would hear of it; empty if there is none."""
        return at_mta(decision, self.custody, self.policy.routes, inside=self.policy.owns(address.domain))

    def opened(self, route: str, level: str) -> str:
        """How a message of that level is opened that goes into the portal by that route; empty if there is none."""
        if self.portal is None:
            return ""
        unlock = self.portal.unlock_for(level, by_mail=route not in self.by_passphrase)
        return f"sealed in the portal, {_UNLOCKS[unlock]}"

    @property
    def found(self) -> tuple[str, ...]:
        """What the policy's detectors found, each as part of a sentence."""
        return tuple(detector.label for detector in self.policy.detectors if detector.id in self.facts.found)


_UNLOCKS: Final = {
    Unlock.MAIL: "opened with a code by mail, which travels as that mail does",
    Unlock.VERIFIED_MAIL: "opened with a code by verified mail, or a passphrase that the sender passes on",
    Unlock.PASSPHRASE: "opened with a passphrase that the sender passes on",
}


def by_passphrase(settings: Settings) -> frozenset[str]:
    """The routes into the portal that send no code by any mail."""
    options = settings.transport_options.items()
    return frozenset(name for name, each in options if isinstance(each, Portal.Options) and each.unlock != "mail")


def judge(facts: Facts, recipients: Iterable[Address], policy: Policy) -> tuple[Judged, ...]:
    """Decides for each recipient, and says why."""
    return tuple(_judge(facts, recipient, policy) for recipient in dict.fromkeys(recipients))


def _judge(facts: Facts, recipient: Address, policy: Policy) -> Judged:
    ruling = decide(facts, recipient, policy)
    level, day = ruling.classification.level, facts.at.date()
    return Judged(
        address=recipient,
        tried=explain(facts, recipient, policy),
        ruling=ruling,
        entries=tuple(entries_of(recipient, policy, level, day)),
    )
