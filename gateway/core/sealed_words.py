"""What letters say to the readers of a sealed message: who wrote, where it waits, how it is opened, until when.

For people who never heard of us, so in plain words, what to do first, and a way to check that the letter is genuine.
Left out on purpose: any word of the message (but where its text is handed over), and any other recipient.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, assert_never

from gateway.core.mail_names import one_line
from gateway.core.paragraph import Paragraph, when
from gateway.core.sealed import Reader
from gateway.core.sealing import Unlock


class Office(Protocol):
    """Who writes to readers: what letters need of ``[portal]``. ``url`` has no slash at its end."""

    @property
    def url(self) -> str: ...

    @property
    def organisation(self) -> str: ...

    @property
    def telephone(self) -> str: ...

    @property
    def wording(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What the letter to one reader is made of. ``token`` is the end of their link, ``author`` the sender's name.

    ``subject`` is the message's own, empty where it may not be repeated, and so are ``lines``, its text as it stands.
    """

    reader: Reader
    token: str
    author: str = ""
    subject: str = ""
    lines: tuple[str, ...] = ()


def who(invitation: Invitation) -> str:
    """The person who wrote, as a line names them."""
    sender = str(invitation.reader.sender)
    return f"{invitation.author} ({sender})" if invitation.author else sender


def invited(invitation: Invitation, office: Office) -> tuple[Paragraph, ...]:
    """A message waits."""
    first = (
        "What to do: open the link below, and read the message there.",
        f"{who(invitation)} of {office.organisation} has sent you a protected message.",
    )
    return _letter(invitation, office, first)


def handed(invitation: Invitation, office: Office) -> tuple[Paragraph, ...]:
    """The text goes along, and the files wait."""
    first = (
        "What to do: read the message below; its files wait for you at the link under it.",
        f"{who(invitation)} of {office.organisation} has sent you a message with files that are handed over protected.",
    )
    heading = f"The message: {one_line(invitation.subject)}" if invitation.subject else "The message"
    head, *rest = _letter(invitation, office, first)
    return (head, Paragraph(heading, invitation.lines), *rest)


def reminded(invitation: Invitation, office: Office) -> tuple[Paragraph, ...]:
    """It was not opened yet, and its time is nearly over."""
    first = (
        f"What to do: open the link below before {when(invitation.reader.expires_at)}.",
        f"{who(invitation)} of {office.organisation} sent you a protected message on"
        f" {when(invitation.reader.sealed_at)}. Nobody has opened it yet. You are reminded once.",
    )
    return _letter(invitation, office, first)


def coded(code: str, reader: Reader, office: Office) -> tuple[Paragraph, ...]:
    """The code that somebody asked for."""
    first = (
        f"What to do: type {code} into the page where you asked for it.",
        f"It opens the message that {reader.sender} of {office.organisation} sent you, for 15 minutes and once.",
        "If you did not ask for a code, do nothing, and give it to nobody: without it the message stays closed.",
    )
    return (Paragraph("", first).in_lines(), Paragraph("Your code", (code,)), _genuine(office).in_lines())


def _letter(invitation: Invitation, office: Office, first: tuple[str, ...]) -> tuple[Paragraph, ...]:
    reader = invitation.reader
    parts = (
        Paragraph("", first),
        Paragraph("Your link", (f"{office.url}/m/{invitation.token}",)),
        Paragraph("How it is opened", (_opened(reader), f"It can be opened until {when(reader.expires_at)}.")),
        *((Paragraph(office.organisation, tuple(office.wording)),) if office.wording else ()),
        _genuine(office),
        Paragraph(
            "Sent to the wrong person?",
            ('Open the link, and press "This is not for me": the message is then closed, and its sender is told.',),
        ),
    )
    return tuple(part.in_lines() for part in parts)


def _opened(reader: Reader) -> str:
    spoken = (
        "the passphrase that was agreed with you"
        if reader.agreed
        else f"the passphrase that {reader.sender} gives you by telephone or in person"
    )
    match reader.unlock:
        case Unlock.MAIL:
            code = "With a code: the page sends it to this mailbox when you ask for it."
            return f"{code[:-1]}; or with {spoken}." if reader.agreed else code
        case Unlock.VERIFIED_MAIL:
            return (
                "With a code: the page sends it to this mailbox when you ask for it, if your mail system can be reached"
                f" over a protected connection. Otherwise with {spoken}."
            )
        case Unlock.PASSPHRASE:
            return f"With {spoken}."
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(reader.unlock)


def _genuine(office: Office) -> Paragraph:
    return Paragraph(
        "Is this letter genuine?",
        (
            f"Our links begin with {office.url}/ and lead nowhere else. We never ask for the password of your mailbox.",
            f"If in doubt, call {office.organisation} on {office.telephone} before you open anything.",
        ),
    )
