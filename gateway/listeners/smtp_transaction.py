"""One mail transaction: what MAIL and RCPT said, until the flow gets it as an `Envelope` (RFC 5321 section 3.3)."""

from dataclasses import dataclass, field

from gateway.core.address import Address
from gateway.core.envelope import Client, Envelope, Recipient
from gateway.listeners.admission import Admitted
from gateway.listeners.intake import Intake
from gateway.wire.bdat import LineEnds
from gateway.wire.smtp_params import MailCommand


@dataclass(slots=True, kw_only=True)
class Transaction:
    """``intake`` is there once content comes; ``line_ends`` is for chunks alone."""

    mail: MailCommand
    admitted: Admitted
    recipients: dict[Address, Recipient] = field(default_factory=dict[Address, Recipient])
    intake: Intake | None = None
    line_ends: LineEnds = field(default_factory=LineEnds)

    def envelope(self, client: Client, listener: str) -> Envelope:
        """The envelope as the flow knows it."""
        mail = self.mail
        return Envelope(
            client=client,
            listener=listener,
            reverse_path=mail.reverse_path,
            recipients=tuple(self.recipients.values()),
            ret=mail.ret,
            envid=mail.envid,
            body=mail.body,
            smtputf8=mail.smtputf8,
            require_tls=mail.require_tls,
        )
