"""Follows a certificate to a trust anchor that TLSA records mean (DANE-TA: RFC 7671 section 5.2, RFC 5280 section 6).

The anchor is found among what the peer showed and what the records hold whole; no other authority is believed. Left out
on purpose: a leaf that is its own anchor, and authorities that are not counted because they signed themselves anew.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from gateway.core.dane import Tlsa, matches
from gateway.core.tlsrpt import Result
from gateway.net.certificate import Fault
from gateway.net.flaw import UNREADABLE, authority_flaw, flaw, weak_key, weak_signature
from gateway.net.spki import public_key_info

MAX_CERTIFICATES: Final = 12
"""Certificates beside the leaf that are looked at; a chain has one to three. It bounds the signatures to verify."""


class Anchors:
    """The trust anchors that records of usage 2 mean."""

    def __init__(self, records: Sequence[Tlsa]) -> None:
        self._records = records
        self._keys = [key for record in records if (key := _bare_key(record)) is not None]

    def refuse(self, leaf: x509.Certificate, shown: Sequence[bytes], now: datetime) -> Fault | None:
        """Why the leaf does not lead to an anchor by way of the others that were shown; None if it does.

        The shortest way counts, which is the best one for limits on its length. Each certificate is taken once.
        """
        refused = flaw(leaf, now)
        if refused is not None:
            return refused
        level, others = [leaf], self._others(leaf, shown)
        for below in range(len(others) + 1):
            if any(_signed_by(child, key) for child in level for key in self._keys):
                return None
            above = [other for other in others if any(_issued(child, other) for child in level)]
            others = [other for other in others if other not in above]
            flaws = {other: authority_flaw(other, now, below=below, anchor=self._has(other)) for other in above}
            level = [other for other in above if flaws[other] is None]
            if any(self._has(other) for other in level):
                return None
            refused = refused or next((found for found in flaws.values() if found is not None), None)
        return refused or Fault(Result.NOT_TRUSTED, "it does not lead to the authority of a TLSA record")

    def _others(self, leaf: x509.Certificate, shown: Sequence[bytes]) -> list[x509.Certificate]:
        """Each once, and first those that the records hold, so that the peer cannot crowd them out."""
        whole = [record.data for record in self._records if (record.selector, record.matching) == (0, 0)]
        found = dict.fromkeys(_readable([*whole, *shown]))
        found.pop(leaf, None)
        return list(found)[:MAX_CERTIFICATES]

    def _has(self, certificate: x509.Certificate) -> bool:
        der = certificate.public_bytes(Encoding.DER)
        return any(matches(record, der, public_key_info(der)) for record in self._records)


def _readable(certificates: Sequence[bytes]) -> Iterator[x509.Certificate]:
    for der in certificates:
        try:
            yield x509.load_der_x509_certificate(der)
        except UNREADABLE:
            # It may be one that nobody needs; if it is needed, the chain ends before it.
            continue


def _issued(child: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        child.verify_directly_issued_by(issuer)
        return not weak_signature(child)
    except (*UNREADABLE, InvalidSignature):
        return False


def _bare_key(record: Tlsa) -> PublicKeyTypes | None:
    """The key that a record holds whole: its certificate may be missing from the chain (RFC 7671 section 5.2)."""
    if (record.selector, record.matching) != (1, 0):
        return None
    try:
        key = load_der_public_key(record.data)
    except UNREADABLE:
        return None
    return key if weak_key(key, "") is None else None


def _signed_by(child: x509.Certificate, key: PublicKeyTypes) -> bool:
    try:
        return not weak_signature(child) and _verified(child, key)
    except (*UNREADABLE, InvalidSignature):
        return False


def _verified(child: x509.Certificate, key: PublicKeyTypes) -> bool:
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
            return False
    return True
