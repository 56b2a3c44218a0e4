"""A message as the inbox page shows it: its fields, its text, and its parts by name, type and size.

It uses Python's own mail parser, which the gateway never does: what is shown here is one more independent reading.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Final, TypeVar, cast

MAX_TEXT: Final = 100_000
"""Characters of text shown; the rest is in the raw message."""

UNREADABLE: Final = "(cannot be read)"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One leaf of the message; ``text`` is None for what is not text. ``size`` is decoded, in bytes."""

    name: str
    type: str
    size: int
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All that is shown."""

    fields: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]


def read_message(content: bytes) -> Reading:
    """Reads anything; what cannot be read is said to be so, and the rest is shown."""
    message = _parse(content)
    return Reading(
        fields=tuple((name, _clean(str(value))) for name, value in message.raw_items()),
        parts=tuple(_read_part(part) for part in _leaves(message)),
    )


def subject_of(content: bytes) -> str:
    """The decoded subject, from the header block alone; empty if there is none."""
    message = _parse(content.partition(b"\r\n\r\n")[0])
    return _clean(_tolerant(lambda: str(message.get("Subject", "")), UNREADABLE))


def _parse(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=policy.default)


def _leaves(message: EmailMessage) -> Iterator[EmailMessage]:
    """The parts that hold something; a message inside the message is one of them and is not opened."""
    if message.get_content_maintype() == "multipart" and message.is_multipart():
        for part in message.iter_parts():
            yield from _leaves(cast(EmailMessage, part))
    else:
        yield message


def _read_part(part: EmailMessage) -> Part:
    data = _tolerant(lambda: _payload(part), b"")
    text = None
    if part.get_content_maintype() in ("text", "message"):
        text = _clean(_tolerant(lambda: data.decode(part.get_content_charset("utf-8"), "replace"), UNREADABLE))[
            :MAX_TEXT
        ]
    name = _clean(_tolerant(lambda: part.get_filename(""), UNREADABLE))
    return Part(name=name, type=part.get_content_type(), size=len(data), text=text)


def _payload(part: EmailMessage) -> bytes:
    """The decoded content; of a contained message or a delivery status its source."""
    if part.is_multipart():
        inner = cast(list[EmailMessage], part.get_payload())
        return b"\n".join(message.as_bytes(policy=policy.compat32) for message in inner)
    return cast(bytes, part.get_payload(decode=True))


def _tolerant(read: Callable[[], _T], otherwise: _T) -> _T:
    try:
        return read()
    except Exception:
        # The parser raises whatever it did not foresee, an AttributeError as well as a ValueError.
        return otherwise


def _clean(text: str) -> str:
    # Bytes that are no text came through as lone surrogates, which cannot be written into a page.
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\r\n", "\n")
