"""Every fixed reply of the SMTP listener in one place, and their form on the wire (RFC 5321 section 4.2, RFC 3463)."""

from functools import lru_cache
from typing import Final

from gateway.core.reply import Reply, reply

# The conversation.
GO_AHEAD: Final = Reply(354, None, ("end the message with <CRLF>.<CRLF>",))
TLS_READY: Final = reply(220, "2.0.0", "ready to start TLS")
BYE: Final = reply(221, "2.0.0", "bye")
OK: Final = reply(250, "2.0.0", "OK")
SENDER_OK: Final = reply(250, "2.1.0", "OK")
RECIPIENT_OK: Final = reply(250, "2.1.5", "OK")
HELP: Final = reply(214, "2.0.0", "this server relays mail as RFC 5321 says")
CANNOT_VERIFY: Final = reply(252, "2.0.0", "send the message and it will be tried")

# The end of a connection.
TIMED_OUT: Final = reply(421, "4.4.2", "timeout, closing the connection")
CLOSING: Final = reply(421, "4.3.2", "the service is closing down, try again later")
TOO_MANY_CONNECTIONS: Final = reply(421, "4.7.0", "too many connections, try again later")
PLACE_NEEDED: Final = reply(421, "4.3.2", "too busy, the connection is needed for another client, try again later")
TOO_MANY_ERRORS: Final = reply(421, "4.7.0", "too many errors, closing the connection")
TOO_MANY_COMMANDS: Final = reply(421, "4.7.0", "too many commands without a message, closing the connection")
OUT_OF_STEP: Final = reply(421, "4.7.0", "content and commands cannot be told apart, closing the connection")
NOT_SMTP: Final = reply(421, "4.7.0", "this is not SMTP, closing the connection")
# RFC 3207 section 4; only reported, because a failed handshake leaves nobody to say it to.
TLS_FAILED: Final = 454

# Faults of a command.
LINE_TOO_LONG: Final = reply(500, "5.5.2", "the command line is too long")
BARE_LINE_END_IN_COMMAND: Final = reply(500, "5.5.2", "a command ends with CRLF and holds no other CR or LF")
UNKNOWN: Final = reply(500, "5.5.1", "the command is not known")
NO_ARGUMENT: Final = reply(501, "5.5.4", "the command takes no argument")
HELO_ARGUMENT: Final = reply(501, "5.5.4", "the command needs the name of the client")
BAD_CHUNK: Final = reply(501, "5.5.4", "BDAT needs a size in bytes and at most LAST")
NOT_OFFERED: Final = reply(502, "5.5.1", "the command is not offered")
HELO_FIRST: Final = reply(503, "5.5.1", "send EHLO or HELO first")
MAIL_FIRST: Final = reply(503, "5.5.1", "send MAIL first")
MAIL_TWICE: Final = reply(503, "5.5.1", "a transaction has begun already")
CHUNKS_BEGUN: Final = reply(503, "5.5.1", "the message is being sent by BDAT")
NO_RECIPIENTS: Final = reply(554, "5.5.1", "no valid recipients")
TLS_ALREADY: Final = reply(503, "5.5.1", "TLS is active already")
AFTER_STARTTLS: Final = reply(503, "5.5.1", "STARTTLS must be the last command of a group")
CERTIFICATE_FIRST: Final = reply(530, "5.7.0", "Must issue a STARTTLS command first")
# RFC 8689 section 2: whoever asks for TLS all the way has to ask inside TLS, or the content would be in the clear here.
REQUIRETLS_IN_CLEAR: Final = reply(530, "5.7.0", "REQUIRETLS needs a session inside TLS")
NOT_ALLOWED: Final = reply(550, "5.7.1", "this client may not relay here")
NOT_OURS: Final = reply(550, "5.7.1", "mail of this sender's domain is not relayed here")
TOO_MANY_RECIPIENTS: Final = reply(452, "4.5.3", "too many recipients, send the rest in another transaction")

# The fate of a message.
BROKEN: Final = reply(451, "4.3.0", "a fault on our side, try again later")
NO_ROOM: Final = reply(452, "4.3.1", "no room for the message now, try again later")
BARE_LINE_END: Final = reply(550, "5.5.2", "the message has a CR or LF that is not part of a CRLF")
TOO_LARGE: Final = reply(552, "5.3.4", "the message is larger than this server takes")


def greeting(hostname: str) -> Reply:
    """What the server says first; neither product nor version."""
    return Reply(220, None, (f"{hostname} ESMTP",))


def ehlo(hostname: str, max_message: int, max_recipients: int, *, starttls: bool, inside_tls: bool) -> Reply:
    """The extensions: RFC 2920, 1870, 6152, 6531, 2034, 3461, 3030, 9422, 3207, and inside TLS alone 8689."""
    extensions = (
        "PIPELINING",
        f"SIZE {max_message}",
        "8BITMIME",
        "SMTPUTF8",
        "ENHANCEDSTATUSCODES",
        "DSN",
        "CHUNKING",
        f"LIMITS RCPTMAX={max_recipients}",
        *(("REQUIRETLS",) if inside_tls else ()),
    )
    return Reply(250, None, (hostname, *(("STARTTLS",) if starttls else ()), *extensions))


@lru_cache(maxsize=256)
def encode(answer: Reply, *, utf8: bool = False) -> bytes:
    """The reply as the wire carries it; without SMTPUTF8 what is not ASCII becomes ``?`` (RFC 6531 section 3.5)."""
    status = f"{answer.status} " if answer.status else ""
    *first, last = answer.lines
    text = "".join(f"{answer.code}-{status}{line}\r\n" for line in first) + f"{answer.code} {status}{last}\r\n"
    return text.encode("utf-8" if utf8 else "ascii", "replace")
