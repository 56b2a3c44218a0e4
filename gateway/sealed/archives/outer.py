"""The mail that carries a protected archive: fixed words that say how it is opened, and no word of the message.

Left out on purpose: the password, which is never in any mail to the recipient.
"""

from dataclasses import dataclass
from typing import Final

from gateway.core.dsn import alternatives
from gateway.core.paragraph import Paragraph
from gateway.sealed.cms.header import halves

_ZIP: Final = (
    "With 7-Zip, WinZip, Keka, The Unarchiver or another program for AES ZIP; what Windows has of its own cannot.",
    "In it is message.zip, which needs no password: message.txt or message.html is the text, original.eml all of it.",
)
_PDF: Final = (
    "With Adobe Acrobat Reader, a web browser or another PDF reader.",
    "The text is on its pages; the files are embedded (the paper clip of Acrobat Reader, Firefox and others).",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    """``header`` is the message's block; ``name`` and ``type`` are the file's, ``boundary`` is unguessable."""

    header: bytes
    subject: str
    wording: str
    name: str
    type: str
    boundary: str

    def block(self) -> bytes:
        """The header block of the mail, with its empty line."""
        fields = halves(self.header, self.subject).outer
        return (
            fields + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n\tboundary="
            b'"' + self.boundary.encode() + b'"\r\n\r\n'
        )

    def before(self) -> bytes:
        """The body up to the file's base64."""
        inner = f"{self.boundary}.text"
        head = (f'--{self.boundary}\r\nContent-Type: multipart/alternative;\r\n\tboundary="{inner}"\r\n\r\n').encode()
        file = (
            f'\r\n--{self.boundary}\r\nContent-Type: {self.type}; name="{self.name}"\r\n'
            f'Content-Disposition: attachment; filename="{self.name}"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        ).encode()
        return head + alternatives(self._paragraphs(), self.subject, self.subject, inner) + file

    def after(self) -> bytes:
        """What stands behind it."""
        return f"--{self.boundary}--\r\n".encode()

    def _paragraphs(self) -> tuple[Paragraph, ...]:
        program = _PDF if self.name.endswith(".pdf") else _ZIP
        own = (Paragraph("", (self.wording,)),) if self.wording else ()
        return (
            Paragraph(
                "",
                (
                    "What to do: save the attached file, and open it with the password that the sender gives you.",
                    "The message and its files are inside it. Nothing of them stands in this mail.",
                ),
            ),
            Paragraph(
                "How it is opened",
                (
                    *program,
                    "The password is six words. The sender tells you by telephone or another way, never by mail.",
                ),
            ),
            Paragraph("Please confirm", ("Answer this mail to say that it has come; then ask for the password.",)),
            Paragraph(
                "Is this mail genuine?",
                ("If in doubt, telephone the sender by a number that you know before you open anything.",),
            ),
            *own,
        )
