"""What has to become of mail for one domain, by its signed zone and its host's certificate (RFC 7672, RFC 7671).

Three programs are asked about each case, and they are of one opinion.
"""

from typing import Final

from gateway.core.grade import Grade
from tests.e2e.trusted_certificates import Shown
from tests.e2e.trusted_hosts import EXPIRED, NEXT_HOP, PLAIN, SIGNED, Case

_NEXT_HOP: Final = NEXT_HOP.partition(".")[0]

CASES: Final = (
    # The host's own certificate or key.
    Case("ee-key", Shown.SELF_SIGNED, Grade.DANE, ("3 1 1 leaf",)),
    Case("ee-certificate", Shown.GOOD, Grade.DANE, ("3 0 1 leaf",)),
    Case("ee-key-sha512", Shown.SELF_SIGNED, Grade.DANE, ("3 1 2 leaf",)),
    Case("ee-certificate-sha512", Shown.GOOD, Grade.DANE, ("3 0 2 leaf",)),
    Case("ee-key-whole", Shown.SELF_SIGNED, Grade.DANE, ("3 1 0 leaf",)),
    Case("ee-certificate-whole", Shown.BARE, Grade.DANE, ("3 0 0 leaf",)),
    Case("ee-other-key", Shown.GOOD, None, ("3 1 1 other",)),
    Case("ee-other-certificate", Shown.GOOD, None, ("3 0 1 other",)),
    Case("ee-other-key-sha512", Shown.GOOD, None, ("3 1 2 other",)),
    Case("ee-other-key-whole", Shown.GOOD, None, ("3 1 0 other",)),
    Case("ee-expired", Shown.EXPIRED, Grade.DANE, ("3 1 1 leaf",)),
    Case("ee-elsewhere", Shown.ELSEWHERE, Grade.DANE, ("3 1 1 leaf",)),
    Case("ee-rsa", Shown.RSA, Grade.DANE, ("3 1 1 leaf",)),
    Case("ee-for-clients", Shown.FOR_CLIENTS, Grade.DANE, ("3 1 1 leaf",)),
    Case("ee-not-by-an-authority", Shown.NOT_BY_AN_AUTHORITY, Grade.DANE, ("3 0 1 leaf",)),
    Case("ee-of-the-authority", Shown.GOOD, None, ("3 1 1 authority",)),
    # Several records.
    Case("rollover", Shown.GOOD, Grade.DANE, ("3 1 1 other", "3 1 1 leaf")),
    Case("either-usage", Shown.GOOD, Grade.DANE, ("3 1 1 other", "2 1 1 authority")),
    Case("strongest-digest", Shown.GOOD, Grade.DANE, ("3 1 1 other", "3 1 2 leaf")),
    Case("weaker-digest", Shown.GOOD, None, ("3 1 1 leaf", "3 1 2 other")),
    Case("whole-beside-digest", Shown.GOOD, Grade.DANE, ("3 1 0 leaf", "3 1 2 other")),
    # A trust anchor.
    Case("ta-key", Shown.GOOD, Grade.DANE, ("2 1 1 authority",)),
    Case("ta-certificate", Shown.GOOD, Grade.DANE, ("2 0 1 authority",)),
    Case("ta-in-the-record", Shown.BARE, Grade.DANE, ("2 0 0 authority",)),
    Case("ta-not-shown", Shown.BARE, None, ("2 0 1 authority",)),
    Case("ta-other", Shown.GOOD, None, ("2 1 1 other",)),
    Case("ta-wrong-name", Shown.ELSEWHERE, None, ("2 1 1 authority",)),
    Case("ta-wrong-name-whole", Shown.ELSEWHERE, None, ("2 0 0 authority",)),
    Case("ta-expired", Shown.EXPIRED, None, ("2 1 1 authority",)),
    Case("ta-self-signed", Shown.SELF_SIGNED, None, ("2 1 1 authority",)),
    Case(_NEXT_HOP, Shown.ELSEWHERE, Grade.DANE, ("2 1 1 authority",)),
    Case("ta-key-whole", Shown.GOOD, Grade.DANE, ("2 1 0 authority",)),
    Case("ta-key-in-the-record", Shown.BARE, Grade.DANE, ("2 1 0 authority",)),
    Case("ta-other-key-in-the-record", Shown.BARE, None, ("2 1 0 other",)),
    Case("ta-is-the-leaf", Shown.SELF_SIGNED, None, ("2 1 1 leaf",)),
    Case("ta-above", Shown.DEEP, Grade.DANE, ("2 1 1 root",)),
    Case("ta-between", Shown.DEEP, Grade.DANE, ("2 0 1 issuer",)),
    Case("ta-beside", Shown.DEEP, None, ("2 1 1 authority",)),
    Case("ta-too-deep", Shown.TOO_DEEP, None, ("2 1 1 authority",)),
    Case("ta-of-too-deep", Shown.TOO_DEEP, Grade.DANE, ("2 1 1 issuer",)),
    Case("ta-is-none", Shown.NOT_BY_AN_AUTHORITY, None, ("2 1 1 issuer",)),
    Case("ta-above-none", Shown.NOT_BY_AN_AUTHORITY, None, ("2 1 1 authority",)),
    Case("ta-old", Shown.OLD_AUTHORITY, None, ("2 1 1 issuer",)),
    Case("ta-strange", Shown.STRANGE_AUTHORITY, None, ("2 1 1 issuer",)),
    Case("ta-for-clients", Shown.FOR_CLIENTS, None, ("2 1 1 authority",)),
    Case("ta-wildcard", Shown.WILDCARD, Grade.DANE, ("2 1 1 authority",)),
    Case("ta-wide-wildcard", Shown.WIDE_WILDCARD, None, ("2 1 1 authority",), domain_in=PLAIN),
    # It covers the domain, though not its host.
    Case("ta-wildcard-of-domains", Shown.WIDE_WILDCARD, Grade.DANE, ("2 1 1 authority",)),
    # Records that say nothing, and none.
    Case("unusable-usage", Shown.SELF_SIGNED, Grade.ENCRYPTED, ("1 1 1 other", "0 0 1 other")),
    Case("unusable-matching", Shown.SELF_SIGNED, Grade.ENCRYPTED, ("3 1 7 other",)),
    Case("unusable-beside-usable", Shown.GOOD, None, ("1 1 1 leaf", "3 1 1 other")),
    Case("none", Shown.SELF_SIGNED, Grade.ENCRYPTED),
    Case("none-without-tls", Shown.NO_TLS, Grade.PLAIN),
    Case("without-tls", Shown.NO_TLS, None, ("3 1 1 leaf",)),
    # What is forged or cannot be proven.
    Case("forged-records", Shown.GOOD, None, ("3 1 1 leaf",), forged=("3 1 1 other",)),
    Case("bogus-host", Shown.GOOD, None, ("3 1 1 leaf",), host_in=EXPIRED),
    Case("bogus-domain", Shown.GOOD, None, ("3 1 1 leaf",), domain_in=EXPIRED),
    # What is not signed.
    Case("unsigned-domain", Shown.SELF_SIGNED, Grade.VERIFIED, ("3 1 1 leaf",), domain_in=PLAIN),
    Case("unsigned-domain-mismatch", Shown.GOOD, None, ("3 1 1 other",), domain_in=PLAIN),
    Case("unsigned-host", Shown.GOOD, Grade.ENCRYPTED, ("3 1 1 other",), host_in=PLAIN),
    # MX hosts that are aliases.
    Case("alias", Shown.GOOD, Grade.DANE, ("3 1 1 leaf",), alias_in=SIGNED),
    Case("alias-ta", Shown.GOOD, Grade.DANE, ("2 1 1 authority",), alias_in=SIGNED),
    Case("alias-mismatch", Shown.GOOD, None, ("3 1 1 other",), alias_in=SIGNED),
    Case("alias-with-records", Shown.GOOD, Grade.DANE, ("3 1 1 leaf",), alias_in=SIGNED, tlsa_at_alias=True),
    Case(
        "signed-alias-out",
        Shown.GOOD,
        Grade.DANE,
        ("3 1 1 leaf",),
        alias_in=SIGNED,
        host_in=PLAIN,
        tlsa_at_alias=True,
    ),
    Case("unsigned-alias-in", Shown.GOOD, Grade.ENCRYPTED, ("3 1 1 other",), alias_in=PLAIN),
)
