"""A letter of ours to somebody who did not write to us: text and HTML, auto-generated (RFC 3834 section 5).

Answers to a sender are `core.dsn`'s.
"""

from gateway.core.dsn import alternatives
from gateway.core.paragraph import Paragraph
from gateway.core.report import Identity, Stamp
from gateway.core.trace import date_text


def build_letter(
    mailbox: str, subject: str, parts: tuple[Paragraph, ...], identity: Identity, stamp: Stamp, *, heading: str = ""
) -> bytes:
    """The message, CRLF line ends. ``subject`` is printable ASCII; ``heading`` is its short form on top of the page."""
    sender = identity.postmaster if identity.postmaster.is_ascii else f"MAILER-DAEMON@{identity.hostname}"
    header = (
        f"From: Mail Gateway <{sender}>\r\n"
        f"To: <{mailbox}>\r\n"
        f"Subject: {subject}\r\n"
        f"Date: {date_text(stamp.now)}\r\n"
        f"Message-ID: <{stamp.message_id}@{identity.hostname}>\r\n"
        "Auto-Submitted: auto-generated\r\n"
        "X-Auto-Response-Suppress: All\r\n"
        "MIME-Version: 1.0\r\n"
        f'Content-Type: multipart/alternative;\r\n\tboundary="{stamp.boundary}"\r\n\r\n'
    )
    return header.encode() + alternatives(parts, subject, heading or subject, stamp.boundary)
