"""Mail that waits in the store, as bytes: its record as JSON, and the text behind it as it stands."""

from dataclasses import replace

from pydantic import TypeAdapter, ValidationError

from gateway.core.sealed import OwnMail
from gateway.sealed.keys import Damaged

_RECORD = TypeAdapter(OwnMail)
_LENGTH = 4


def to_bytes(mail: OwnMail) -> bytes:
    """For `from_bytes`."""
    record = _RECORD.dump_json(replace(mail, text=b""))
    return len(record).to_bytes(_LENGTH, "big") + record + mail.text


def from_bytes(data: bytes) -> OwnMail:
    """Raises Damaged."""
    end = _LENGTH + int.from_bytes(data[:_LENGTH], "big")
    try:
        return replace(_RECORD.validate_json(data[_LENGTH:end]), text=data[end:])
    except ValidationError:
        raise Damaged("mail that waits in the store cannot be read") from None
