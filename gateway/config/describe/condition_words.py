"""A condition in the words of people: what a rule is about, for pages that are read and not executed."""

from collections.abc import Iterable
from typing import Final

from gateway.core.conditions.base import Condition
from gateway.core.conditions.content import AttachmentCountIsOver, ListenerIs, TimeIs, VisibleOver
from gateway.core.conditions.history import FirstContact, LooksAlike, ResemblesSender, ResentLower
from gateway.core.conditions.logic import All, AnyOf, Not
from gateway.core.conditions.message import AutomaticIs, ClassificationIs, Finds, IntentIs, SizeIsOver
from gateway.core.conditions.outside import StarttlsIs
from gateway.core.conditions.party import PartyIs
from gateway.core.conditions.registers import AgreementIs, CjsmAddressIs, MailboxIs, PartnerIs, SchoolIs
from gateway.core.facts import Intent
from gateway.core.sizes import exactly
from gateway.core.tls import Starttls

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def in_words(condition: Condition | None) -> str:
    """The condition as a clause behind "if"; the order of words never changes from one run to the next."""
    match condition:
        case None:
            return "nothing above applies"
        case All() | AnyOf() | Not():
            return _together(condition)
        case ClassificationIs() | IntentIs() | AutomaticIs() | SizeIsOver() | Finds():
            return _of_message(condition)
        case AttachmentCountIsOver() | ListenerIs() | TimeIs() | VisibleOver():
            return _of_envelope(condition)
        case PartyIs() | StarttlsIs() | FirstContact() | LooksAlike() | ResemblesSender() | ResentLower():
            return _of_party(condition)
        case MailboxIs() | SchoolIs() | AgreementIs() | PartnerIs() | CjsmAddressIs():
            return _of_register(condition)
        case _:
            return f"a condition holds ({type(condition).__name__})"


def _together(condition: All | AnyOf | Not) -> str:
    match condition:
        case All(parts):
            return " and ".join(_grouped(part) for part in parts)
        case AnyOf(parts):
            return " or ".join(_grouped(part) for part in parts)
        case Not(PartyIs() as party):
            return _of_party(party).replace(" is in ", " is not in ", 1)
        case Not(part):
            return f"it is not so that {_grouped(part)}"


def _grouped(part: Condition) -> str:
    text = in_words(part)
    return f"({text})" if isinstance(part, All | AnyOf) else text


def _of_message(condition: ClassificationIs | IntentIs | AutomaticIs | SizeIsOver | Finds) -> str:
    match condition:
        case ClassificationIs(levels):
            return f"the message is {_either(levels)}"
        case IntentIs(intents):
            return f"the button pressed is {_either(_button(intent) for intent in intents)}"
        case AutomaticIs(wanted):
            return "a machine sent it" if wanted else "a person sent it"
        case SizeIsOver(what, limit):
            subject = "the attached files come" if what == "attachment_bytes" else "the whole message comes"
            return f"{subject} to more than {exactly(limit)}"
        case Finds(detector):
            return detector.label


def _button(intent: Intent) -> str:
    return intent.label.capitalize() if intent else "none"


def _of_envelope(condition: AttachmentCountIsOver | ListenerIs | TimeIs | VisibleOver) -> str:
    match condition:
        case AttachmentCountIsOver():
            return f"there are more than {condition.limit} attached files" if condition.limit else "files are attached"
        case ListenerIs():
            return f"it comes by {_either(condition.listeners)}"
        case VisibleOver():
            return f"more than {condition.limit} outside addresses stand in To and Cc"
        case TimeIs():
            days = ", ".join(_DAYS[day] for day in sorted(condition.days))
            return f"it is between {condition.begin:%H:%M} and {condition.end:%H:%M} ({condition.zone}) on {days}"


def _of_party(
    condition: PartyIs | StarttlsIs | FirstContact | LooksAlike | ResemblesSender | ResentLower,
) -> str:
    match condition:
        case PartyIs():
            return f"the {condition.side} is in {_either(_party(group.label) for group in condition.groups)}"
        case StarttlsIs():
            can = "can" if condition.wanted is Starttls.YES else "cannot"
            return f"the recipient's mail system {can} receive with TLS"
        case FirstContact():
            return "nobody here wrote to the recipient before"
        case LooksAlike():
            return "the recipient's domain looks like one that we know, and is another"
        case ResemblesSender():
            return "the recipient looks like a private address of the sender"
        case ResentLower():
            return "the same files were refused a short while ago at a higher level"


def _party(label: str) -> str:
    return label.replace("group:", "the group ") if label.startswith("group:") else label


def _of_register(condition: MailboxIs | SchoolIs | AgreementIs | PartnerIs | CjsmAddressIs) -> str:
    match condition:
        case MailboxIs():
            kinds = _either(f"a {kind.value}" for kind in condition.kinds)
            cleared = {None: "", True: " that is cleared for it", False: " that is not cleared for it"}
            return f"a recipient is {kinds} mailbox{cleared[condition.cleared]}"
        case SchoolIs():
            logon = {None: "", True: " with a portal logon", False: " without a portal logon"}
            types = _either(f"{type.value}" for type in condition.types)
            return f"the recipient is at a school ({types}){logon[condition.logon]}"
        case AgreementIs():
            return (
                f"the agreement with the recipient's organisation is {_either(each.value for each in condition.wanted)}"
            )
        case PartnerIs():
            return f"the recipient's organisation is {'' if condition.wanted else 'not '}in the register of partners"
        case CjsmAddressIs():
            return f"the partner has {'a' if condition.wanted else 'no'} CJSM address"


def _either(words: Iterable[str]) -> str:
    return " or ".join(sorted(words))
