"""What letters say of a sealed message later: it was opened, it is locked, it is not for them.

Left out on purpose: any word of the message, and when a letter is due, which is the portal's.
"""

from datetime import datetime

from gateway.core.given_name import given_name
from gateway.core.paragraph import Paragraph, when
from gateway.core.report import Identity
from gateway.core.sealed import Reader
from gateway.core.sender_words import closing


def opened(reader: Reader, at: datetime, who: str, link: str, identity: Identity) -> tuple[Paragraph, ...]:
    """The receipt."""
    return _told(
        reader,
        ("You need not do anything.", f"{_message(reader)} was opened on {when(at)}.{_by(who)}"),
        link,
        identity,
    )


def locked(reader: Reader, link: str, identity: Identity) -> tuple[Paragraph, ...]:
    """Too many wrong codes."""
    return _told(
        reader,
        (
            f"What to do: call {reader.address}. If it was they who tried, open the message for them again.",
            f"{_message(reader)} is locked for them: a wrong code or passphrase was given five times in a row.",
        ),
        link,
        identity,
    )


def disowned(reader: Reader, who: str, link: str, identity: Identity) -> tuple[Paragraph, ...]:
    """It is not for them."""
    seen = "It had been opened before." if reader.opened else "It was not opened."
    return _told(
        reader,
        (
            "What to do: check the address. If it was the wrong one, report it as a data incident"
            f" ({identity.contact}).",
            f'{_message(reader)} is closed: there somebody said "This is not for me".{_by(who)} {seen}',
        ),
        link,
        identity,
    )


def _told(reader: Reader, first: tuple[str, ...], link: str, identity: Identity) -> tuple[Paragraph, ...]:
    page = (Paragraph("Who opened it, and what you can do", (link,)),) if link else ()
    return (Paragraph("", first), *page, closing(reader.queue_id, identity))


def _by(who: str) -> str:
    name = given_name(who)
    return f' Whoever did gave the name "{name}".' if name else ""


def _message(reader: Reader) -> str:
    return f"The message of {when(reader.sealed_at)} from {reader.sender} to {reader.address}"
