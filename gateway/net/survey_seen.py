"""What the network knows of a host, as the small flat values of `core.survey`, which are stored and shown."""

from dataclasses import replace
from typing import Final, assert_never

from gateway.core.dane import NoTlsa, TlsaFacts, TlsaFound, TlsaUnknown, TlsaUnusable
from gateway.core.sts import NoSts, StsFacts, StsFound, StsUnknown
from gateway.core.survey import CertificateSeen, DaneSeen, DaneState, HostReport, StsSeen, StsState
from gateway.core.tls import Evidence, Starttls

MAX_SHOWN: Final = 5
"""Names of a certificate, and TLSA records, that a report shows."""
MAX_RECORD: Final = 150
"""Characters of a TLSA record that are shown; digests need fewer."""


def with_evidence(evidence: Evidence, report: HostReport) -> HostReport:
    """The report, with what was seen of the connection."""
    if evidence.tls_version is None:
        return replace(report, address=evidence.address)
    return replace(
        report,
        address=evidence.address,
        starttls=Starttls.YES,
        tls_version=evidence.tls_version,
        cipher=evidence.cipher or "",
        certificate=CertificateSeen(
            subject=evidence.subject or "",
            issuer=evidence.issuer or "",
            names=evidence.names[:MAX_SHOWN],
            not_after=evidence.not_after,
            fingerprint=f"sha256:{evidence.spki}" if evidence.spki else "",
        ),
    )


def dane_seen(tlsa: TlsaFacts) -> DaneSeen:
    """The TLSA records as a report has them, each cut: one can hold a whole certificate."""
    match tlsa:
        case TlsaFound():
            return DaneSeen(
                state=DaneState.FOUND, records=tuple(str(each)[:MAX_RECORD] for each in tlsa.records[:MAX_SHOWN])
            )
        case TlsaUnusable():
            return DaneSeen(state=DaneState.UNUSABLE, reason="no TLSA record can be used")
        case TlsaUnknown():
            return DaneSeen(state=DaneState.UNKNOWN, reason=tlsa.reason)
        case NoTlsa.OFF:
            return DaneSeen(state=DaneState.OFF, reason="[dns] trust_ad is false")
        case NoTlsa():
            return DaneSeen(state=DaneState[tlsa.name], reason=tlsa.value)
        case _:
            assert_never(tlsa)


def sts_seen(sts: StsFacts) -> StsSeen:
    """The MTA-STS policy as a report has it."""
    match sts:
        case StsFound():
            return StsSeen(state=StsState.of(sts.policy.mode), id=sts.id, max_age=sts.policy.max_age)
        case StsUnknown():
            return StsSeen(state=StsState.UNKNOWN, reason=sts.reason)
        case NoSts():
            return StsSeen(state=StsState.ABSENT, reason=sts.value)
        case _:
            assert_never(sts)
