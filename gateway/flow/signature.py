"""Signing what leaves: one that fails keeps no mail from going, because an unsigned message is better than none."""

from collections.abc import Callable
from typing import TypeAlias

from gateway.flow.ports import Signer

Broken: TypeAlias = Callable[[str, str, BaseException], None]
"""Hears of a fault of ours; see `Events.broken`."""


def signature(signer: Signer, header: bytes, body_hash: str, queue_id: str, broken: Broken) -> bytes:
    """The fields that stand before the header; none where that fails, of which somebody hears. Never raises."""
    try:
        return signer.sign(header, body_hash)
    except Exception as error:
        broken("dkim", queue_id, error)
        return b""
