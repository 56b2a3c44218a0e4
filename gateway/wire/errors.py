"""Broken protocol promises, ours and theirs, told apart (after h11); anything else a codec raises is a bug.

Deliberately without codes or replies: whoever catches one knows the stage and says what becomes of the message.
"""


class LocalProtocolError(ValueError):
    """We were about to break the protocol; nothing was sent. The cause is in this program or in what it stored."""


class RemoteProtocolError(Exception):
    """The peer broke the protocol, fell silent or went away; the text is one plain sentence without its bytes."""
