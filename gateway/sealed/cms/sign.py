"""A detached signature over an entity by the organisation's certificate (RFC 5652 section 5, RFC 8551 section 3.5.3).

Detached, because the entity then stays as it is: nothing in it is encoded once more, and its digest is all that has to
be known before it streams. Left out on purpose: timestamps, countersignatures, several signers.
"""

import secrets
from base64 import encodebytes
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from gateway.sealed.cms.certificates import UNREADABLE, issuer_and_serial
from gateway.sealed.cms.der import NULL, OCTET_STRING, SEQUENCE, SET, UTC_TIME, element, integer, oid, set_of, tagged
from gateway.sealed.cms.envelope import DATA

_SIGNED: Final = oid("1.2.840.113549.1.7.2")
_SHA256: Final = element(SEQUENCE, oid("2.16.840.1.101.3.4.2.1"))
_RSA: Final = element(SEQUENCE, oid("1.2.840.113549.1.1.1"), NULL)
_ECDSA_SHA256: Final = element(SEQUENCE, oid("1.2.840.10045.4.3.2"))
_CONTENT_TYPE: Final = oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST: Final = oid("1.2.840.113549.1.9.4")
_SIGNING_TIME: Final = oid("1.2.840.113549.1.9.5")


@dataclass(frozen=True, slots=True)
class Wrapper:
    """What stands before and behind the entity in a multipart/signed."""

    before: bytes
    behind: bytes


class EntitySigner:
    """Our certificate, those behind it in its file, and its key."""

    def __init__(self, certificate: Path, private_key: Path | None) -> None:
        """Without ``private_key`` the file of the certificate holds the key too.

        Raises:
            ValueError: one of them cannot be used.
        """
        try:
            self._chain = x509.load_pem_x509_certificates(certificate.read_bytes())
            key = load_pem_private_key((private_key or certificate).read_bytes(), None)
        except (OSError, *UNREADABLE) as error:
            raise ValueError(f"{certificate} and its key cannot be used for signatures") from error
        if not isinstance(key, RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise ValueError(f"the key of {certificate} is neither RSA nor one of a curve for ECDSA")
        if key.public_key() != self._chain[0].public_key():
            raise ValueError(f"the key does not belong to the certificate in {certificate}")
        self._key = key

    def wrapper(self, digest: bytes, now: datetime) -> Wrapper:
        """Around an entity whose SHA-256 is ``digest`` (RFC 1847 section 2.1)."""
        line = b"--" + secrets.token_hex(16).encode()
        before = (
            b'Content-Type: multipart/signed; protocol="application/pkcs7-signature";\r\n'
            b'\tmicalg=sha-256; boundary="' + line[2:] + b'"\r\n\r\n' + line + b"\r\n"
        )
        head = (
            b'Content-Type: application/pkcs7-signature; name="smime.p7s"\r\nContent-Transfer-Encoding: base64\r\n'
            b'Content-Disposition: attachment; filename="smime.p7s"\r\n\r\n'
        )
        text = encodebytes(self._signed_data(digest, now)).replace(b"\n", b"\r\n")
        return Wrapper(before, b"\r\n" + line + b"\r\n" + head + text + line + b"--\r\n")

    def _signed_data(self, digest: bytes, now: datetime) -> bytes:
        certificates = [each.public_bytes(Encoding.DER) for each in self._chain]
        data = element(
            SEQUENCE,
            integer(1),
            element(SET, _SHA256),
            element(SEQUENCE, DATA),
            set_of(tagged(0), *certificates),
            element(SET, self._signer_info(_attributes(digest, now))),
        )
        return element(SEQUENCE, _SIGNED, element(tagged(0), data))

    def _signer_info(self, attributes: tuple[bytes, ...]) -> bytes:
        # They are signed as a SET OF, and stand in the message under a tag of their own (RFC 5652 section 5.4).
        algorithm, signature = self._signature(set_of(SET, *attributes))
        return element(
            SEQUENCE,
            integer(1),
            issuer_and_serial(self._chain[0]),
            _SHA256,
            set_of(tagged(0), *attributes),
            algorithm,
            element(OCTET_STRING, signature),
        )

    def _signature(self, data: bytes) -> tuple[bytes, bytes]:
        if isinstance(self._key, RSAPrivateKey):
            return _RSA, self._key.sign(data, PKCS1v15(), SHA256())
        return _ECDSA_SHA256, self._key.sign(data, ec.ECDSA(SHA256()))


def _attributes(digest: bytes, now: datetime) -> tuple[bytes, ...]:
    """What is signed in place of the entity (RFC 5652 section 11)."""
    time = element(UTC_TIME, f"{now:%y%m%d%H%M%S}Z".encode())
    pairs = ((_CONTENT_TYPE, DATA), (_SIGNING_TIME, time), (_MESSAGE_DIGEST, element(OCTET_STRING, digest)))
    return tuple(element(SEQUENCE, name, element(SET, value)) for name, value in pairs)
