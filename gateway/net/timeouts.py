"""How long each step of an SMTP session may take (RFC 5321 section 4.5.3.2); a wait without a limit does not exist.

Left out on purpose: a limit for the whole session. A server that answers each step in time is not cut off.
"""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """The RFC's figures, except where it says nothing: connecting, STARTTLS and QUIT follow Postfix's practice.

    ``block`` is for one block of the message to leave us, ``dot`` for the reply to the whole message, which a server
    may scan before it answers; giving up too early there makes duplicates. Nobody waits for a reply to QUIT.
    """

    connect: timedelta = timedelta(seconds=30)
    greeting: timedelta = timedelta(minutes=5)
    hello: timedelta = timedelta(minutes=5)
    starttls: timedelta = timedelta(minutes=5)
    handshake: timedelta = timedelta(minutes=1)
    login: timedelta = timedelta(minutes=5)
    mail: timedelta = timedelta(minutes=5)
    rcpt: timedelta = timedelta(minutes=5)
    data: timedelta = timedelta(minutes=2)
    block: timedelta = timedelta(minutes=3)
    dot: timedelta = timedelta(minutes=10)
