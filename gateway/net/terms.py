"""The terms of one delivery: what a connection must be, for whom, and what an earlier attempt met (mission promise 1).

Time-outs, hosts and routes are none of its business.
"""

from dataclasses import dataclass
from datetime import timedelta

from gateway.core.tls import MxAuth, Requirement


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """``mx`` is how the host's name is known for this recipient domain; it joins what the connection is.

    ``handshake_failed_for`` is how long ago a handshake first failed for every recipient, None unless it did for all.
    """

    requirement: Requirement
    mx: MxAuth
    demanded_by: str
    handshake_failed_for: timedelta | None = None
