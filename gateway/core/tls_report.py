"""The daily report of TLS sessions as a file and as a mail: I-JSON in gzip (RFC 8460 sections 4 and 5, RFC 7493).

The same counts give the same report, byte for byte, so that one which is sent twice is known by its id. Left out on
purpose: ``additional-information`` (we publish no page) and ``receiving-mx-helo``.
"""

import hashlib
import json
import zlib
from base64 import encodebytes
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, TypeAlias

from gateway.core.address import Address
from gateway.core.report import Stamp
from gateway.core.tls_count import Failure, PolicyCount
from gateway.core.trace import date_text

MEDIA_TYPE: Final = "application/tlsrpt+gzip"

# zlib's number for the gzip format with the largest window; it leaves the time in the header 0.
_GZIP: Final = 31

_Json: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsReport:
    """What one domain is told of one UTC day; ``hostname`` tells our reports from those of another gateway of ours."""

    organisation: str
    contact: str
    sender: Address
    hostname: str
    domain: str
    day: date
    policies: tuple[PolicyCount, ...]

    @property
    def submitter(self) -> str:
        """The domain that reports, and signs."""
        return self.sender.domain

    @property
    def unique(self) -> str:
        """A name for its content, of letters and digits."""
        content = json.dumps([self.hostname, self.domain, self._body("")]).encode()
        return hashlib.sha256(content).hexdigest()[:32]

    @property
    def report_id(self) -> str:
        """What a reader knows a second copy by."""
        return f"{self.unique}@{self.submitter}"

    @property
    def file_name(self) -> str:
        """Section 5.1."""
        begin = datetime.combine(self.day, time(), UTC)
        first, last = int(begin.timestamp()), int((begin + timedelta(days=1)).timestamp()) - 1
        return f"{self.submitter}!{self.domain}!{first}!{last}!{self.unique}.json.gz"

    def file(self) -> bytes:
        """The report itself."""
        body = json.dumps(self._body(self.report_id), ensure_ascii=False, separators=(",", ":"))
        return zlib.compress(body.encode("utf-8", "replace"), wbits=_GZIP)

    def mail(self, to: Address, stamp: Stamp) -> bytes:
        """The report as a mail (section 5.3), CRLF line ends."""
        name, edge = self.file_name, f"--{stamp.boundary}"
        text = f"{self.organisation} reports on TLS of mail to {self.domain} on {self.day} (UTC), as RFC 8460 has it."
        return (
            f"{self._header(to, stamp)}"
            f"{edge}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            f"{_base64(text.encode('utf-8', 'replace'))}"
            f'{edge}\r\nContent-Type: {MEDIA_TYPE};\r\n\tname="{name}"\r\nContent-Transfer-Encoding: base64\r\n'
            f'Content-Disposition: attachment;\r\n\tfilename="{name}"\r\n\r\n'
            f"{_base64(self.file())}{edge}--\r\n"
        ).encode("ascii")

    def _header(self, to: Address, stamp: Stamp) -> str:
        """It leaves whatever the destination's TLS is like: that may be what it tells of (section 5.3.1)."""
        return (
            f"From: Mail Gateway <{self.sender}>\r\n"
            f"To: <{to}>\r\n"
            f"Subject: Report Domain: {self.domain}\r\n"
            f" Submitter: {self.submitter}\r\n"
            f" Report-ID: <{self.report_id}>\r\n"
            f"Date: {date_text(stamp.now)}\r\n"
            f"Message-ID: <{stamp.message_id}@{self.hostname}>\r\n"
            f"TLS-Report-Domain: {self.domain}\r\n"
            f"TLS-Report-Submitter: {self.submitter}\r\n"
            "TLS-Required: No\r\n"
            "Auto-Submitted: auto-generated\r\n"
            "MIME-Version: 1.0\r\n"
            f'Content-Type: multipart/report; report-type="tlsrpt";\r\n\tboundary="{stamp.boundary}"\r\n\r\n'
        )

    def _body(self, report_id: str) -> _Json:
        return {
            "organization-name": self.organisation,
            "date-range": {"start-datetime": f"{self.day}T00:00:00Z", "end-datetime": f"{self.day}T23:59:59Z"},
            "contact-info": self.contact.removeprefix("mailto:"),
            "report-id": report_id,
            "policies": [_policy(one) for one in self.policies],
        }


def _policy(one: PolicyCount) -> _Json:
    applied = one.applied
    policy = {
        "policy-type": applied.type.value,
        "policy-string": list(applied.strings),
        "policy-domain": applied.domain,
        "mx-host": list(applied.mx_hosts),
    }
    entry = {
        "policy": _filled(policy),
        "summary": {"total-successful-session-count": one.good, "total-failure-session-count": one.failed},
        "failure-details": [_failure(failure, times) for failure, times in one.failures],
    }
    return _filled(entry)


def _failure(failure: Failure, times: int) -> _Json:
    return _filled(
        {
            "result-type": failure.result.value,
            "sending-mta-ip": failure.ours,
            "receiving-mx-hostname": failure.host,
            "receiving-ip": failure.address,
            "failed-session-count": times,
            "failure-reason-code": failure.detail,
        }
    )


def _filled(members: _Json) -> _Json:
    """What is not known is left out."""
    return {name: value for name, value in members.items() if value not in ("", [])}


def _base64(data: bytes) -> str:
    return encodebytes(data).decode().replace("\n", "\r\n")
