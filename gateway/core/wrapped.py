"""Whether a message is encrypted as a whole, as far as its form tells: S/MIME (RFC 8551), or an ``rpmsg`` of Microsoft.

Nothing is decrypted, so a form can lie: only what comes from a host that is trusted to seal is asked. Left out on
purpose: OpenPGP, which no connector makes.
"""

from collections.abc import Sequence
from typing import Final

from gateway.core.facts import Attachment, Scan
from gateway.core.params import read_value

_CMS: Final = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
# RFC 8551 section 3.2.2: the same type carries signed and compressed messages, which anybody can read.
_ENVELOPED: Final = frozenset({"enveloped-data", "authenveloped-data"})
_RPMSG_TYPE: Final = "application/x-microsoft-rpmsg-message"
_RPMSG_NAMES: Final = frozenset({"message.rpmsg", "message_v2.rpmsg", "message_v3.rpmsg", "message_v4.rpmsg"})
_PAGE: Final = "message.html"
"""What readers without Outlook open; it says nothing of the message itself."""


def is_wrapped(scan: Scan) -> bool:
    """Whether nothing of the message is outside its encryption but what the sealing host itself wrote around it."""
    return _is_enveloped(scan) or _is_rpmsg(scan.attachments)


def holds_wrapped(attachments: Sequence[Attachment]) -> bool:
    """Whether some file is encrypted in one of these forms, or says so; then a wrapped form proves nothing new."""
    return any(file.type in _CMS or _is_rights_managed(file) for file in attachments)


def _is_enveloped(scan: Scan) -> bool:
    values = scan.values("Content-Type")
    if len(values) != 1:
        return False
    content = read_value(values[0])
    return content.main in _CMS and content.text("smime-type").casefold() in _ENVELOPED


def _is_rpmsg(attachments: Sequence[Attachment]) -> bool:
    """Files that stand beside it were left outside."""
    sealed = [file for file in attachments if _is_rights_managed(file) and file.bytes > 0]
    return bool(sealed) and all(_is_rights_managed(file) or file.name.casefold() == _PAGE for file in attachments)


def _is_rights_managed(file: Attachment) -> bool:
    return file.type == _RPMSG_TYPE or file.name.casefold() in _RPMSG_NAMES
