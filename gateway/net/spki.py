"""SubjectPublicKeyInfo as it stands in a certificate (RFC 5280 section 4.1), which TLSA records and pins are made of.

A library would read the key and write it anew, in another form for some (a compressed point, an RSA-PSS key), and fail
for an algorithm that it does not know. Left out on purpose: everything else in a certificate.
"""

from dataclasses import dataclass
from typing import Final

_SEQUENCE: Final = 0x30
_VERSION: Final = 0xA0

# Serial number, signature algorithm, issuer, validity and subject stand before the key.
_BEFORE: Final = 5


@dataclass(frozen=True, slots=True)
class _Element:
    """One DER element: where its content begins and where it ends."""

    tag: int
    content: int
    end: int


def public_key_info(certificate: bytes) -> bytes:
    """The DER bytes of the certificate's SubjectPublicKeyInfo, empty if they cannot be found. Never raises."""
    try:
        signed = _element(certificate, _element(certificate, 0).content)
        begin = signed.content
        first = _element(certificate, begin)
        begin = first.end if first.tag == _VERSION else begin
        for _ in range(_BEFORE):
            begin = _element(certificate, begin).end
        key = _element(certificate, begin)
    except (IndexError, ValueError):
        return b""
    return certificate[begin : key.end] if key.tag == _SEQUENCE and key.end <= signed.end else b""


def _element(der: bytes, begin: int) -> _Element:
    """Raises IndexError or ValueError."""
    tag, size, content = der[begin], der[begin + 1], begin + 2
    if size & 0x80:
        octets = size & 0x7F
        size = int.from_bytes(der[content : content + octets], "big")
        content += octets
    if content + size > len(der):
        raise ValueError("the element is longer than the certificate")
    return _Element(tag, content, content + size)
