"""Follows a certificate to a trust anchor that TLSA records mean (DANE-TA: RFC 7671 section 5.2, RFC 5280 section 6).

The anchor is found among what the peer showed and what the records hold whole; no other authority is believed. Left out
on purpose: a leaf that is its own anchor, and authorities that are not counted because they signed themselves anew.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import product
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from gateway.core.dane import Tlsa, matches
from gateway.core.tlsrpt import Result
from gateway.net.certificate import UNREADABLE, Fault, parse_certificate
from gateway.net.flaw import authority_flaw, flaw, weak_key
from gateway.net.signatures import Signatures
from gateway.net.spki import public_key_info

MAX_CERTIFICATES: Final = 12
"""Certificates beside the leaf that are looked at; a chain has one to three."""


class Anchors:
    """The trust anchors that records of usage 2 mean."""

    def __init__(self, records: Sequence[Tlsa]) -> None:
        self._records = records
        self._keys = [(record, key) for record in records if (key := _bare_key(record)) is not None]

    def find(self, leaf: x509.Certificate, shown: Sequence[bytes], now: datetime) -> Tlsa | Fault:
        """The record that means the anchor to which the leaf leads by way of others that were shown, or why none does.

        The shortest way counts, which is the best one for limits on its length. Each certificate is taken once.
        """
        refused = flaw(leaf, now)
        if refused is not None:
            return refused
        level, others = [leaf], self._others(leaf, shown)
        signatures = Signatures()
        for below in range(len(others) + 1):
            bare = self._bare(level, signatures)
            if bare is not None:
                return bare
            above = [other for other in others if any(signatures.issued(other, child) for child in level)]
            others = [other for other in others if other not in above]
            meant = {other: self._meaning(other) for other in above}
            flaws = {other: authority_flaw(other, now, below=below, anchor=meant[other] is not None) for other in above}
            level = [other for other in above if flaws[other] is None]
            found = next((record for other in level if (record := meant[other]) is not None), None)
            if found is not None:
                return found
            refused = refused or next((fault for fault in flaws.values() if fault is not None), None)
        if signatures.spent:
            return Fault(Result.VALIDATION, "too many signatures would have to be verified for it")
        return refused or Fault(Result.NOT_TRUSTED, "it does not lead to the authority of a TLSA record")

    def _others(self, leaf: x509.Certificate, shown: Sequence[bytes]) -> list[x509.Certificate]:
        """Each once, and first those that the records hold, so that the peer cannot crowd them out."""
        whole = [record.data for record in self._records if (record.selector, record.matching) == (0, 0)]
        found = dict.fromkeys(_readable([*whole, *shown]))
        found.pop(leaf, None)
        return list(found)[:MAX_CERTIFICATES]

    def _bare(self, level: Sequence[x509.Certificate], signatures: Signatures) -> Tlsa | None:
        """The record that holds the key which signed one of them."""
        signed = (record for child, (record, key) in product(level, self._keys) if signatures.signed(key, child))
        return next(signed, None)

    def _meaning(self, certificate: x509.Certificate) -> Tlsa | None:
        """The record that means it."""
        der = certificate.public_bytes(Encoding.DER)
        key = public_key_info(der)
        return next((record for record in self._records if matches(record, der, key)), None)


def _readable(certificates: Sequence[bytes]) -> Iterator[x509.Certificate]:
    for der in certificates:
        try:
            yield parse_certificate(der)
        except UNREADABLE:
            # It may be one that nobody needs; if it is needed, the chain ends before it.
            continue


def _bare_key(record: Tlsa) -> PublicKeyTypes | None:
    """The key that a record holds whole: its certificate may be missing from the chain (RFC 7671 section 5.2)."""
    if (record.selector, record.matching) != (1, 0):
        return None
    try:
        key = load_der_public_key(record.data)
    except UNREADABLE:
        return None
    return key if weak_key(key, "") is None else None
