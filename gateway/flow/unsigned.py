"""Mail without signatures: where no key is configured."""

from dataclasses import dataclass

from gateway.flow.ports import Signer


@dataclass(frozen=True, slots=True)
class NoSigner(Signer):
    """Signs nothing."""

    def wanted(self, domain: str) -> bool:
        """No."""
        return False

    def sign(self, header: bytes, body_hash: str) -> bytes:
        """No field."""
        return b""
