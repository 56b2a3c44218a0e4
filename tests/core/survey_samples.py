"""Reports of surveys, good in all respects unless a test says otherwise."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gateway.core.grade import Grade
from gateway.core.survey import CertificateSeen, DaneSeen, DaneState, DomainReport, HostReport, StsSeen, StsState
from gateway.core.tls import Starttls

AT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
KEY = f"sha256:{'ab' * 32}"


def a_certificate(days: float | None = 90, fingerprint: str = KEY) -> CertificateSeen:
    end = None if days is None else AT + timedelta(days=days)
    return CertificateSeen(
        subject="CN=mx", issuer="CN=authority", names=("mx.test",), not_after=end, fingerprint=fingerprint
    )


def a_host(host: str = "mx.test", grade: Grade | None = Grade.VERIFIED, why: str = "", **changes: object) -> HostReport:
    """Reached, with STARTTLS and a certificate that lasts."""
    report = HostReport(
        host=host,
        preference=10,
        signed=False,
        addresses=("192.0.2.1",),
        address="192.0.2.1",
        starttls=Starttls.YES,
        tls_version="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        certificate=a_certificate(),
        dane=DaneSeen(state=DaneState.ABSENT, reason="there is none"),
        grade=grade,
        why=why,
    )
    return replace(report, **changes)  # pyright: ignore[reportArgumentType]


def down(host: str = "mx.test") -> HostReport:
    """A host that did not answer."""
    return HostReport(host=host, preference=10, signed=False, why=f"{host} [192.0.2.1] cannot be reached: refused.")


def a_report(*hosts: HostReport, domain: str = "partner.test", **changes: object) -> DomainReport:
    report = DomainReport(domain=domain, at=AT, hosts=hosts, sts=StsSeen(state=StsState.ABSENT))
    return replace(report, **changes)  # pyright: ignore[reportArgumentType]
