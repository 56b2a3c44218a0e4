"""The body hashes that signatures need, made while a message is at hand; without a key nothing is hashed."""

from collections.abc import Iterable

from gateway.core.author import author_domain
from gateway.core.body_hash import BodyHash
from gateway.core.header import read_header
from gateway.core.header_end import HeaderEnd
from gateway.flow.ports import Signer


class Hashing:
    """Fed a whole message as it comes, from which it takes the body."""

    def __init__(self) -> None:
        self._header_end = HeaderEnd()
        self._body = BodyHash()

    def feed(self, block: bytes) -> None:
        """Takes the next bytes of the message."""
        self._body.feed(self._header_end.behind(block))

    def digest(self) -> str:
        """`Message.body_hash`; asked for once."""
        return self._body.digest()


def hashing(signer: Signer, domains: Iterable[str]) -> Hashing | None:
    """For a message whose author is not known yet: None if there is a key for none of the domains."""
    return Hashing() if any(signer.wanted(domain) for domain in domains) else None


def own_hash(signer: Signer, text: bytes, header_bytes: int) -> str:
    """For a mail of our own; empty if its author has no key."""
    fields = read_header(text[: header_bytes - 2]).fields
    if not signer.wanted(author_domain([field.value for field in fields if field.name.casefold() == "from"])):
        return ""
    body = BodyHash()
    body.feed(text[header_bytes:])
    return body.digest()
