"""Verifies signatures between a chain's certificates: few of them, and none that takes long (RFC 5280 section 6.1.3).

A peer shows what it likes, and what it shows is followed while nothing else of this process runs. Left out on purpose:
who may sign, see `net.flaw`.
"""

from collections.abc import Callable
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from gateway.net.certificate import UNREADABLE
from gateway.net.flaw import takes_long, weak_signature

MAX_SIGNATURES: Final = 20
"""Signatures that one judgement verifies; a chain of usual length has one to three."""


class Signatures:
    """Those of one chain; once `MAX_SIGNATURES` were verified none holds any more."""

    def __init__(self) -> None:
        self._left = MAX_SIGNATURES

    @property
    def spent(self) -> bool:
        """Whether no more are verified."""
        return self._left == 0

    def issued(self, issuer: x509.Certificate, child: x509.Certificate) -> bool:
        """Whether the one certificate names and signed the other."""
        return self._holds(child, issuer.public_key, lambda: child.verify_directly_issued_by(issuer))

    def signed(self, key: PublicKeyTypes, child: x509.Certificate) -> bool:
        """Whether a key of which no more is known signed it."""
        return self._holds(child, lambda: key, lambda: _verify(child, key))

    def _holds(self, child: x509.Certificate, key: Callable[[], PublicKeyTypes], verify: Callable[[], None]) -> bool:
        try:
            if self.spent or weak_signature(child) or takes_long(key()):
                return False
            verify()
        except InvalidSignature:
            self._left -= 1
            return False
        except UNREADABLE:
            # Also where names or algorithms do not fit, so that nothing was verified.
            return False
        self._left -= 1
        return True


def _verify(child: x509.Certificate, key: PublicKeyTypes) -> None:
    """Raises InvalidSignature, or what is in `UNREADABLE`."""
    signature, signed = child.signature, child.tbs_certificate_bytes
    digest, how = child.signature_hash_algorithm, child.signature_algorithm_parameters
    match key:
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            key.verify(signature, signed)
        case rsa.RSAPublicKey() if digest is not None and isinstance(how, padding.PKCS1v15 | padding.PSS):
            key.verify(signature, signed, how, digest)
        case ec.EllipticCurvePublicKey() if isinstance(how, ec.ECDSA):
            key.verify(signature, signed, how)
        case _:
            raise TypeError("the key is of another kind than the signature")
