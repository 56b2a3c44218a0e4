"""A route by its name: what the policy and the dispatcher need to know of it, whichever transport carries it."""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from gateway.core.mapping import NO_SUFFIXES, Suffixes
from gateway.core.tls import CHANNEL_FOR, Channel, MxAuth, Protection, Requirement


class Declared(Enum):
    """What a route is said to give whatever the connection obtained, once its own TLS demand is met.

    SEALED: the next hop seals. SEALING: the route's own transport does, before anything leaves.
    """

    CONNECTION = "connection"
    SEALED = "sealed"
    SEALING = "sealing"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One ``[routes.<name>]``. ``demands`` is the channel of its own TLS level (may, encrypt, verify, authentic).

    ``authentic``: more than unsigned DNS has to vouch for the host's name, which is DNSSEC, MTA-STS or our own setting.
    Sizes are bytes, None is no limit. ``give_up_after`` None means that only ``queue.max_age`` ends it. ``returns``:
    its host seals the message and hands it back to us. ``suffixes`` are what addresses grow by on it.
    """

    name: str
    transport: str
    demands: Channel
    authentic: bool = False
    declared: Declared = Declared.CONNECTION
    give_up_after: timedelta | None = None
    max_attachments: int | None = None
    max_message: int | None = None
    add_header: tuple[tuple[str, str], ...] = ()
    returns: bool = False
    suffixes: Suffixes = NO_SUFFIXES

    @property
    def gives(self) -> Protection:
        """The least protection this route ever gives; INTERNAL meets every floor."""
        if self.declared is not Declared.CONNECTION:
            return Protection.SEALED
        return {Channel.PLAIN: Protection.NONE, Channel.ENCRYPTED: Protection.ENCRYPTED}.get(
            self.demands, Protection.VERIFIED
        )

    @property
    def requirement(self) -> Requirement:
        """Its own TLS level as a demand on a connection."""
        return Requirement(MxAuth.MTA_STS if self.authentic else MxAuth.NONE, self.demands)


def demand(route: Route, floor: Protection) -> Requirement | None:
    """What a connection for this route and floor must be: the higher of the two; None if the route cannot give it.

    A route that is declared sealed or internal owes only its own TLS level; the message on it is protected otherwise.
    """
    if route.declared is not Declared.CONNECTION:
        return route.requirement
    if floor is Protection.SEALED:
        return None
    return route.requirement | Requirement(MxAuth.NONE, CHANNEL_FOR[floor])
