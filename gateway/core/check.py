"""Check: how a server's certificate is to be judged in one handshake, as a value that sessions are compared by.

All parts that are there must hold. It says nothing of who wants it: that is `core.demand`'s.
"""

from dataclasses import dataclass

from gateway.core.dane import Tlsa
from gateway.core.tls import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """``sni`` is the name said in the handshake, empty for an address.

    ``names``: the certificate leads to an authority and is for one of them; ``authorities`` is the file of those that
    are believed for it, empty for the usual ones. ``tlsa``: one record matches; for usage 2 the certificate is also for
    one of ``tlsa_names``. ``pins``: the SHA-256 of its public key, in hex, is one of them.
    """

    sni: str
    names: tuple[str, ...] = ()
    authorities: str = ""
    tlsa: tuple[Tlsa, ...] = ()
    tlsa_names: tuple[str, ...] = ()
    pins: frozenset[str] = frozenset()

    @property
    def gives(self) -> Channel:
        """What a connection is on which all of it held."""
        if self.tlsa:
            return Channel.DANE
        if self.pins:
            return Channel.PINNED
        return Channel.PKIX if self.names else Channel.ENCRYPTED
