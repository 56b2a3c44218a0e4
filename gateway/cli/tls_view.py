"""What `sealpost tls` found, as text, as JSON, and as a web page for the data-protection officer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import TypeAdapter

from gateway.config.describe.document import Block, Bullets, Document, Paragraph, Rows, Section
from gateway.core.grade import Grade
from gateway.core.survey import DaneSeen, DomainReport, HostReport, StsSeen, StsState
from gateway.core.survey_findings import Change

_DAY: Final = timedelta(days=1)
_NOTHING: Final = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One domain. ``partner`` is empty for one that is none; ``before`` is when it was surveyed last, None if never."""

    domain: str
    partner: str
    demanded: Grade
    grade: Grade | None
    report: DomainReport
    problems: tuple[str, ...]
    changes: tuple[Change, ...] = ()
    before: datetime | None = None

    @property
    def wanted(self) -> str:
        """All that is demanded, in words."""
        demanded = "" if self.demanded is Grade.PLAIN else str(self.demanded)
        pin = f"the pin {self.report.pin}" if self.report.pin else ""
        return ", ".join(filter(None, (demanded, pin))) or "nothing"


_FOUND: Final = TypeAdapter(tuple[Found, ...])


def as_array(found: Sequence[Found]) -> str:
    """An array of `Found`; times and durations as ISO 8601 has them."""
    return _FOUND.dump_json(tuple(found), indent=2).decode()


def told(found: Found) -> Iterator[str]:
    """The lines about one domain."""
    report = found.report
    yield report.domain + (f" ({found.partner})" if found.partner else "")
    yield f"  MTA-STS      {_policy(report.sts)}"
    yield f"  demanded     {found.wanted}"
    if report.hosts and report.trouble:
        yield f"  Note: {report.trouble}"
    for host in report.hosts:
        yield f"  {host.host}: preference {host.preference}, named by {_signed(host)}"
        yield from (f"    {name:<12} {value}" for name, value in _facts(host, report))
    yield from (f"  Wrong: {problem}" for problem in found.problems)
    yield from (f"  Since {_day(found.before)}: {change.text}" for change in found.changes)


def _facts(host: HostReport, report: DomainReport) -> Iterator[tuple[str, str]]:
    yield "addresses", ", ".join(host.addresses) or _NOTHING
    yield "STARTTLS", host.starttls.value
    if host.tls_version:
        yield "TLS", _version(host)
    if host.certificate is not None:
        yield "certificate", _certificate(host, report.at)
        yield "subject", host.certificate.subject or _NOTHING
        yield "issuer", host.certificate.issuer or _NOTHING
        yield "key", host.certificate.fingerprint
    yield "DANE", _dane(host)
    if host.in_policy is not None:
        yield "MTA-STS", _named(host)
    if host.demanded_by:
        yield "demanded by", host.demanded_by
    yield "grade", _grade(host.grade) + (f": {host.grade.meaning}" if host.grade is not None else "")
    if host.why:
        yield "not better", host.why


def _signed(host: HostReport) -> str:
    return "signed DNS" if host.signed else "DNS that is not signed"


def _version(host: HostReport) -> str:
    return f"{host.tls_version}, {host.cipher}" if host.tls_version else _NOTHING


def _certificate(host: HostReport, at: datetime) -> str:
    seen = host.certificate
    if seen is None:
        return _NOTHING
    return f"for {', '.join(seen.names) or 'no name'}; {_left(seen.not_after, at)}"


def _left(end: datetime | None, at: datetime) -> str:
    if end is None:
        return "end unknown"
    return f"{(end - at) // _DAY} days left" if end > at else f"ended on {end:%Y-%m-%d}"


def _dane(host: HostReport) -> str:
    seen: DaneSeen = host.dane
    if not seen.records:
        return f"{seen.state}: {seen.reason}" if seen.reason else str(seen.state)
    match = "one matches" if host.grade is Grade.DANE else "the certificate is not proven by them"
    return f"{match}: {'; '.join(seen.records)}"


def _named(host: HostReport) -> str:
    return "names this host" if host.in_policy else "does not name this host"


def _policy(sts: StsSeen) -> str:
    if sts.state in (StsState.ABSENT, StsState.UNKNOWN):
        return f"{sts.state}: {sts.reason}" if sts.reason else str(sts.state)
    believed = "" if sts.max_age is None else f", believed for {sts.max_age // _DAY} days"
    return f"{sts.state}, id {sts.id}{believed}"


def _grade(grade: Grade | None) -> str:
    return "no mail is handed over" if grade is None else str(grade)


def _day(when: datetime | None) -> str:
    return "" if when is None else f"{when:%Y-%m-%d %H:%M} UTC"


def _ends(report: DomainReport) -> str:
    return "unknown" if report.ends is None else f"{report.ends:%Y-%m-%d}"


# The columns of all partners together, on the terminal and on the page.
HEAD: Final = ("Domain", "Partner", "Demanded", "Given at the least", "In order", "First certificate ends")


def summary(found: Sequence[Found]) -> Iterator[tuple[str, ...]]:
    """A row for each domain under `HEAD`."""
    for each in found:
        order = f"no: {len(each.problems)} to look at" if each.problems else "yes"
        yield each.domain, each.partner, each.wanted, _grade(each.grade), order, _ends(each.report)


def as_document(found: Sequence[Found], organisation: str, at: datetime) -> Document:
    """The page for the data-protection officer."""
    wrong = sum(bool(each.problems) for each in found)
    lead = f"{len(found)} domains of partners were looked at on {_day(at)}; {wrong} of them need attention."
    sections = (
        Section("All partners", (_table("How mail to each of them travels", HEAD, summary(found)),)),
        Section("What is wrong, and what to do", _lists(found, {each.domain: each.problems for each in found})),
        Section("What changed since the last survey", _lists(found, {each.domain: _changes(each) for each in found})),
        Section("Mail hosts", (_table("Each mail host of each domain", _HOSTS, _hosts(found)),)),
        Section("What the grades mean", (_table("Weakest first", ("Grade", "Meaning"), _meanings()),)),
    )
    return Document(f"Protection of email to partners: {organisation}", lead, sections)


_HOSTS: Final = ("Host", "Domain", "TLS", "Certificate", "DANE", "MTA-STS", "Grade")


def _hosts(found: Sequence[Found]) -> Iterator[tuple[str, ...]]:
    for report in (each.report for each in found):
        for host in report.hosts:
            sts = _policy(report.sts) if host.in_policy is None else f"{report.sts.state}, {_named(host)}"
            certificate = _certificate(host, report.at)
            yield host.host, report.domain, _version(host), certificate, _dane(host), sts, _grade(host.grade)


def _meanings() -> Iterator[tuple[str, ...]]:
    yield from ((grade.value, grade.meaning) for grade in Grade)


def _changes(found: Found) -> tuple[str, ...]:
    return tuple(f"{change.text}{' This is worse.' if change.worse else ''}" for change in found.changes)


def _lists(found: Sequence[Found], texts: dict[str, tuple[str, ...]]) -> tuple[Block, ...]:
    """All sentences, each with whom it is about; one that says so if there are none."""
    items = tuple(f"{each.partner} ({each.domain}): {text}" for each in found for text in texts[each.domain])
    return (Bullets(items),) if items else (Paragraph("Nothing."),)


def _table(caption: str, head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Rows:
    return Rows(caption, head, tuple(rows))
