"""The keys that sign outgoing mail (RFC 6376, RFC 8463), as the configuration names them."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class DkimKey:
    """For mail whose header From is in one of ``domains``; ``private_key`` is PEM, RSA or Ed25519."""

    domains: frozenset[str]
    selector: str
    private_key: bytes = field(repr=False)
