"""What DNS says of a key, so that others can check its signatures (RFC 6376 section 3.6.1, RFC 8463 section 4)."""

from base64 import b64encode
from typing import Final, assert_never

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.signing.keys import PrivateKey

_MOST: Final = 255
"""The length of one string of a TXT record (RFC 1035 section 3.3.14)."""


def key_record(key: PrivateKey) -> str:
    """The text of the TXT record."""
    public = key.public_key()
    match key:
        case RSAPrivateKey():
            kind, data = "rsa", public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        case Ed25519PrivateKey():
            # The key's 32 bytes alone, without ASN.1.
            kind, data = "ed25519", public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        case _:
            assert_never(key)
    return f"v=DKIM1; k={kind}; p={b64encode(data).decode()}"


def zone_line(selector: str, domain: str, key: PrivateKey) -> str:
    """The record as a line of a zone file, its text in as many strings as it needs (RFC 6376 section 3.6.2.2)."""
    text = key_record(key)
    strings = [f'"{text[start : start + _MOST]}"' for start in range(0, len(text), _MOST)]
    return f"{selector}._domainkey.{domain}. IN TXT ( {' '.join(strings)} )"
