"""One message sealed for one certificate, as it streams (RFC 5652 section 6, RFC 5083, RFC 5084, RFC 5753).

The key of the content is new for every message. RSA is PKCS #1 v1.5, which every mail program and card can open;
curves agree on a key with one that is made for the message. Left out on purpose: several recipients in one message,
because each would read in it who the others are; X25519, which OpenSSL 3.0 cannot open in CMS.
"""

import secrets
from enum import Enum
from typing import Final, assert_never

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import AEADEncryptionContext, Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC, GCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.sealed.cms.certificates import issuer_and_serial
from gateway.sealed.cms.der import (
    BIT_STRING,
    NULL,
    OCTET_STRING,
    SEQUENCE,
    SET,
    element,
    integer,
    oid,
    opening,
    tagged,
)

DATA: Final = oid("1.2.840.113549.1.7.1")
_ENVELOPED: Final = oid("1.2.840.113549.1.7.3")
_AUTH_ENVELOPED: Final = oid("1.2.840.113549.1.9.16.1.23")
_AES256_CBC: Final = oid("2.16.840.1.101.3.4.1.42")
_AES256_GCM: Final = oid("2.16.840.1.101.3.4.1.46")
_AES256_WRAP: Final = element(SEQUENCE, oid("2.16.840.1.101.3.4.1.45"))
_RSA: Final = element(SEQUENCE, oid("1.2.840.113549.1.1.1"), NULL)
_EC_KEY: Final = element(SEQUENCE, oid("1.2.840.10045.2.1"))
_AGREEMENT: Final = element(SEQUENCE, oid("1.3.132.1.11.1"), _AES256_WRAP)
"""dhSinglePass-stdDH-sha256kdf-scheme (RFC 5753 section 7.1.4)."""
_IMPLICIT_CONTENT: Final = 0x80
_KEY_BYTES: Final = 32
_BLOCK: Final = 16
_GCM_NONCE: Final = 12
_GCM_TAG: Final = 16


class Content(Enum):
    """How the content is encrypted; the value is its name in evidence."""

    GCM = "AES-256-GCM"
    CBC = "AES-256-CBC"

    @property
    def smime_type(self) -> str:
        """The parameter of its media type (RFC 8551 section 3.2.2)."""
        return "authEnveloped-data" if self is Content.GCM else "enveloped-data"


class Envelope:
    """Gives the DER form of a ContentInfo: `start`, then `seal` for all of the content, then `finish`."""

    def __init__(self, certificate: x509.Certificate, content: Content, size: int) -> None:
        """``size`` is the content's in bytes. The certificate's key has been looked at by `certificates.judge`."""
        self._content = content
        self._left = size
        self._padding = b"" if content is Content.GCM else _padding(size)
        key = secrets.token_bytes(_KEY_BYTES)
        nonce = secrets.token_bytes(_GCM_NONCE if content is Content.GCM else _BLOCK)
        mode = GCM(nonce) if content is Content.GCM else CBC(nonce)
        self._encryptor = Cipher(AES256(key), mode).encryptor()
        self._start = _start(_recipient(certificate, key), content, nonce, size + len(self._padding))

    def start(self) -> bytes:
        """All that stands before the encrypted content."""
        return self._start

    def seal(self, block: bytes) -> bytes:
        """The next bytes of the encrypted content, which may be fewer. Raises ValueError beyond ``size``."""
        self._left -= len(block)
        if self._left < 0:
            raise ValueError("there is more content than was said")
        return self._encryptor.update(block)

    def finish(self) -> bytes:
        """The rest. Raises ValueError if less came than ``size``."""
        if self._left:
            raise ValueError("there is less content than was said")
        rest = self._encryptor.update(self._padding) + self._encryptor.finalize()
        if isinstance(self._encryptor, AEADEncryptionContext):
            return rest + element(OCTET_STRING, self._encryptor.tag)
        return rest


def _padding(size: int) -> bytes:
    """RFC 5652 section 6.3."""
    count = _BLOCK - size % _BLOCK
    return bytes([count]) * count


def _start(recipient: bytes, content: Content, nonce: bytes, size: int) -> bytes:
    """ContentInfo up to the content octets, of which there are ``size``; what stands behind them is counted too."""
    match content:
        case Content.GCM:
            kind, version, behind = _AUTH_ENVELOPED, 0, len(element(OCTET_STRING, bytes(_GCM_TAG)))
            parameters = element(SEQUENCE, element(OCTET_STRING, nonce), integer(_GCM_TAG))
            algorithm = element(SEQUENCE, _AES256_GCM, parameters)
        case Content.CBC:
            # RFC 5652 section 6.1: 0 only if every recipient's part is of version 0, which key agreement is not.
            kind, version, behind = _ENVELOPED, 0 if recipient[0] == SEQUENCE else 2, 0
            algorithm = element(SEQUENCE, _AES256_CBC, element(OCTET_STRING, nonce))
        case _:
            assert_never(content)
    encrypted = opening(SEQUENCE, DATA + algorithm + opening(_IMPLICIT_CONTENT, b"", size), size)
    rest = size + behind
    data = opening(SEQUENCE, integer(version) + element(SET, recipient) + encrypted, rest)
    return opening(SEQUENCE, kind + opening(tagged(0), data, rest), rest)


def _recipient(certificate: x509.Certificate, key: bytes) -> bytes:
    match certificate.public_key():
        case rsa.RSAPublicKey() as public:
            sealed = element(OCTET_STRING, public.encrypt(key, PKCS1v15()))
            return element(SEQUENCE, integer(0), issuer_and_serial(certificate), _RSA, sealed)
        case ec.EllipticCurvePublicKey() as public:
            return _agreed(certificate, public, key)
        case _:
            raise ValueError("this kind of key is not used")


def _agreed(certificate: x509.Certificate, public: ec.EllipticCurvePublicKey, key: bytes) -> bytes:
    """KeyAgreeRecipientInfo with a key pair of ours for this message alone (RFC 5753 section 3.1)."""
    ours = ec.generate_private_key(public.curve)
    wrapping = X963KDF(SHA256(), _KEY_BYTES, _shared_info()).derive(ours.exchange(ec.ECDH(), public))
    point = ours.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    originator = element(tagged(1), _EC_KEY, element(BIT_STRING, b"\x00", point))
    wrapped = element(SEQUENCE, issuer_and_serial(certificate), element(OCTET_STRING, aes_key_wrap(wrapping, key)))
    return element(tagged(1), integer(3), element(tagged(0), originator), _AGREEMENT, element(SEQUENCE, wrapped))


def _shared_info() -> bytes:
    """ECC-CMS-SharedInfo (RFC 5753 section 7.2): for which cipher, and how many bits of key."""
    bits = (_KEY_BYTES * 8).to_bytes(4, "big")
    return element(SEQUENCE, _AES256_WRAP, element(tagged(2), element(OCTET_STRING, bits)))
