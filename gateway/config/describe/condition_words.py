"""A condition in the words of people: what a rule is about, for pages that are read and not executed."""

from collections.abc import Iterable
from typing import Final, Literal, assert_never

from gateway.core.conditions.base import Condition
from gateway.core.conditions.content import AttachmentCountIsOver, ListenerIs, TimeIs, VisibleOver
from gateway.core.conditions.history import FirstContact, LooksAlike, ResemblesSender, ResentLower
from gateway.core.conditions.logic import All, AnyOf, Not
from gateway.core.conditions.message import AutomaticIs, ClassificationIs, Finds, IntentIs, SizeIsOver
from gateway.core.conditions.outside import StarttlsIs
from gateway.core.conditions.party import PartyIs
from gateway.core.conditions.registers import AgreementIs, CjsmAddressIs, MailboxIs, PartnerIs, SchoolIs
from gateway.core.detect.base import Detector
from gateway.core.detect.links import LinksTo
from gateway.core.facts import Intent
from gateway.core.registers.partners import Standing
from gateway.core.registers.schools import SchoolType
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
            return _is_party(party, "is not")
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
            return f"{_either(_button(intent) for intent in intents)} is pressed"
        case AutomaticIs(wanted):
            return "a machine sent it" if wanted else "a person sent it"
        case SizeIsOver(what, limit):
            subject = "the attached files come" if what == "attachment_bytes" else "the whole message comes"
            return f"{subject} to more than {exactly(limit)}"
        case Finds(detector):
            return f"{detector.label}{_exempt(detector)}"


def _button(intent: Intent) -> str:
    return f"the {intent.label.capitalize()} button" if intent else "no button"


def _exempt(detector: Detector) -> str:
    if not isinstance(detector, LinksTo) or not detector.exempt:
        return ""
    return f" (other than {_either(group.words for group in detector.exempt)})"


def _of_envelope(condition: AttachmentCountIsOver | ListenerIs | TimeIs | VisibleOver) -> str:
    match condition:
        case AttachmentCountIsOver():
            return f"there are more than {condition.limit} attached files" if condition.limit else "files are attached"
        case ListenerIs():
            return f"it comes by {_either(condition.listeners)}"
        case VisibleOver():
            aside = "the largest organisation's own people aside"
            return f"more than {condition.limit} outside addresses ({aside}) stand in To and Cc"
        case TimeIs():
            days = ", ".join(_DAYS[day] for day in sorted(condition.days))
            return f"it is between {condition.begin:%H:%M} and {condition.end:%H:%M} ({condition.zone}) on {days}"


def _of_party(
    condition: PartyIs | StarttlsIs | FirstContact | LooksAlike | ResemblesSender | ResentLower,
) -> str:
    match condition:
        case PartyIs():
            return _is_party(condition, "is")
        case StarttlsIs():
            can = "can" if condition.wanted is Starttls.YES else "cannot"
            return f"the recipient's mail system {can} receive with TLS"
        case FirstContact():
            return "nobody here wrote to the recipient before"
        case LooksAlike():
            return "the recipient's domain only looks like one that we know"
        case ResemblesSender():
            return "the recipient looks like a private address of the sender"
        case ResentLower():
            return "the same files were refused a short while ago at a higher level"


def _is_party(condition: PartyIs, verb: Literal["is", "is not"]) -> str:
    return f"the {condition.side} {verb} {_either(group.place for group in condition.groups)}"


def _of_register(condition: MailboxIs | SchoolIs | AgreementIs | PartnerIs | CjsmAddressIs) -> str:
    match condition:
        case MailboxIs():
            kinds = _either(f"a {kind.value}" for kind in condition.kinds)
            cleared = {None: "", True: " that is cleared for it", False: " that is not cleared for it"}
            return f"a recipient, or an address in To or Cc, is {kinds} mailbox{cleared[condition.cleared]}"
        case SchoolIs():
            logon = {None: "", True: " with a portal logon", False: " without a portal logon"}
            return f"the recipient is at {_either(map(_school, condition.types))}{logon[condition.logon]}"
        case AgreementIs():
            return f"the agreement with the recipient's organisation {_either(map(_standing, condition.wanted))}"
        case PartnerIs():
            return f"the recipient's organisation is {'' if condition.wanted else 'not '}in the register of partners"
        case CjsmAddressIs():
            return f"the partner has {'a' if condition.wanted else 'no'} CJSM address"


def _school(type: SchoolType) -> str:
    match type:
        case SchoolType.MAINTAINED | SchoolType.ACADEMY | SchoolType.INDEPENDENT:
            return f"{'a' if type is SchoolType.MAINTAINED else 'an'} {type.value} school"
        case SchoolType.UNKNOWN:
            return "a school that the register does not name"
        case _:
            assert_never(type)


def _standing(standing: Standing) -> str:
    match standing:
        case Standing.VALID:
            return "is valid"
        case Standing.EXPIRED:
            return "has expired"
        case Standing.NONE:
            return "does not exist"
        case Standing.NOT_COVERING:
            return "does not cover the level"
        case _:
            assert_never(standing)


def _either(words: Iterable[str]) -> str:
    return " or ".join(sorted(words))
