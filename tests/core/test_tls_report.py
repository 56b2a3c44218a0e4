"""The report as others read it: by RFC 8460's own schema, and by Python's mail parser."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from gateway.core.address import parse_address
from gateway.core.report import Stamp
from gateway.core.tls_count import Failure, PolicyCount
from gateway.core.tls_report import TlsReport
from gateway.core.tlsrpt import Applied, PolicyType, Result
from tests.fixtures.tls_report import read_report

STS = Applied(PolicyType.STS, "a.example", ("version: STSv1", "mode: testing"), ("*.a.example", "mx.b.example"))
DETAILED = Failure(Result.EXPIRED, "mx.a.example", "2001:db8::1", "198.51.100.1", 'expired "in May"')
REPORT = TlsReport(
    organisation="Rådhuset \ud800",
    contact="mailto:postmaster@council.example",
    sender=parse_address("tls-reports@council.example"),
    hostname="gw.council.example",
    domain="a.example",
    day=date(2026, 3, 1),
    policies=(
        PolicyCount(applied=STS, good=5326, failures=((DETAILED, 100), (Failure(Result.STS_FETCH), 3))),
        PolicyCount(applied=Applied(PolicyType.NONE, "a.example"), good=1),
    ),
)
STAMP = Stamp(now=datetime(2026, 3, 2, 3, 4, 5, tzinfo=UTC), message_id="one", boundary="edge")


def test_file_is_what_the_schema_says() -> None:
    assert read_report(REPORT.file()) == {
        "organization-name": "Rådhuset ?",
        "date-range": {"start-datetime": "2026-03-01T00:00:00Z", "end-datetime": "2026-03-01T23:59:59Z"},
        "contact-info": "postmaster@council.example",
        "report-id": REPORT.report_id,
        "policies": [
            {
                "policy": {
                    "policy-type": "sts",
                    "policy-string": ["version: STSv1", "mode: testing"],
                    "policy-domain": "a.example",
                    "mx-host": ["*.a.example", "mx.b.example"],
                },
                "summary": {"total-successful-session-count": 5326, "total-failure-session-count": 103},
                "failure-details": [
                    {
                        "result-type": "certificate-expired",
                        "sending-mta-ip": "198.51.100.1",
                        "receiving-mx-hostname": "mx.a.example",
                        "receiving-ip": "2001:db8::1",
                        "failed-session-count": 100,
                        "failure-reason-code": 'expired "in May"',
                    },
                    {"result-type": "sts-policy-fetch-error", "failed-session-count": 3},
                ],
            },
            {
                "policy": {"policy-type": "no-policy-found", "policy-domain": "a.example"},
                "summary": {"total-successful-session-count": 1, "total-failure-session-count": 0},
            },
        ],
    }


def test_name_has_sender_domain_and_the_whole_day_in_seconds() -> None:
    assert REPORT.file_name == f"council.example!a.example!1772323200!1772409599!{REPORT.unique}.json.gz"
    assert re.fullmatch("[0-9a-f]{32}", REPORT.unique)
    assert REPORT.report_id == f"{REPORT.unique}@council.example"


@pytest.mark.parametrize(
    "other",
    [
        replace(REPORT, hostname="gw2.council.example"),
        replace(REPORT, domain="b.example"),
        replace(REPORT, day=date(2026, 3, 2)),
        replace(REPORT, policies=REPORT.policies[:1]),
    ],
)
def test_another_report_has_another_id_and_the_same_one_the_same(other: TlsReport) -> None:
    assert other.report_id != REPORT.report_id
    same = replace(other, hostname=REPORT.hostname, domain=REPORT.domain, day=REPORT.day, policies=REPORT.policies)
    assert same.report_id == REPORT.report_id and same.file() == REPORT.file()


def test_file_does_not_say_when_it_was_made() -> None:
    assert REPORT.file()[:8] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00"


def test_mail_is_a_report_that_every_parser_finds() -> None:
    data = REPORT.mail(parse_address("reports@a.example"), STAMP)
    assert data.isascii() and b"\n" not in data.replace(b"\r\n", b"") and max(map(len, data.split(b"\r\n"))) <= 998
    mail = message_from_bytes(data, policy=policy.SMTP)
    assert isinstance(mail, EmailMessage)
    assert not mail.defects and not any(part.defects for part in mail.walk())
    assert mail.get_content_type() == "multipart/report" and mail.get_param("report-type") == "tlsrpt"
    assert {name: str(mail[name]) for name in mail.keys() if name != "Content-Type"} == {
        "From": "Mail Gateway <tls-reports@council.example>",
        "To": "reports@a.example",
        "Subject": f"Report Domain: a.example Submitter: council.example Report-ID: <{REPORT.report_id}>",
        "Date": "Mon, 02 Mar 2026 03:04:05 +0000",
        "Message-ID": "<one@gw.council.example>",
        "TLS-Report-Domain": "a.example",
        "TLS-Report-Submitter": "council.example",
        "TLS-Required": "No",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
    }
    text, file = mail.iter_parts()
    assert isinstance(text, EmailMessage) and isinstance(file, EmailMessage)
    assert text.get_content().strip().startswith("Rådhuset ? reports on TLS of mail to a.example on 2026-03-01 (UTC)")
    assert file.get_content_type() == "application/tlsrpt+gzip" and file.get_filename() == REPORT.file_name
    assert file.get_content() == REPORT.file()


def test_names_of_any_length_fit_into_lines() -> None:
    long = ".".join(["x" * 60] * 4)
    report = replace(REPORT, domain=long, sender=parse_address(f"a@{long}"))
    data = report.mail(parse_address(f"a@{long}"), STAMP)
    assert max(map(len, data.split(b"\r\n"))) <= 998
    mail = message_from_bytes(data, policy=policy.SMTP)
    assert isinstance(mail, EmailMessage)
    assert str(mail["TLS-Report-Domain"]) == long
    assert [part.get_filename() for part in mail.iter_attachments()][-1] == report.file_name
