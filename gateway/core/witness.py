"""The witness: did a delivery that is about to be recorded fall short of its floor? (promise 1).

It reads only the stored floor, the route and the evidence, and shares nothing with the check that the transports make
before MAIL: not the order of `Obtained`, not `demand`, not their tables. If both were wrong, they would have to be
wrong in two different ways at once.
"""

from typing import assert_never

from gateway.core.outcome import Delivered, Sealed
from gateway.core.route import Declared, Route
from gateway.core.tls import Channel, Evidence, MxAuth, Protection


def fell_short(outcome: Delivered | Sealed, route: Route, floor: Protection) -> bool:
    """True if the evidence does not show what the floor and the route's own demand ask for; doubt is True."""
    if isinstance(outcome, Sealed):
        return route.declared is not Declared.SEALING or not outcome.sealing.package
    evidence = outcome.evidence
    if _less_than_route(evidence, route):
        return True
    match route.declared:
        case Declared.SEALING:
            return outcome.sealing is None or outcome.sealing.method.value != route.transport
        case Declared.INTERNAL:
            return False
        case Declared.SEALED:
            return not _verified(evidence)
        case Declared.CONNECTION:
            return _less_than_floor(evidence, floor)
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(route.declared)


def _less_than_route(evidence: Evidence, route: Route) -> bool:
    if route.authentic and evidence.mx is MxAuth.NONE:
        return True
    match route.demands:
        case Channel.PLAIN:
            return False
        case Channel.ENCRYPTED:
            return not _encrypted(evidence)
        case Channel.PKIX | Channel.PINNED | Channel.DANE:
            return not _verified(evidence)
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(route.demands)


def _less_than_floor(evidence: Evidence, floor: Protection) -> bool:
    match floor:
        case Protection.NONE:
            return False
        case Protection.ENCRYPTED:
            return not _encrypted(evidence)
        case Protection.VERIFIED:
            return not _verified(evidence)
        case Protection.SEALED:
            return True
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(floor)


def _encrypted(evidence: Evidence) -> bool:
    """A session of a version that RFC 8996 has not deprecated, with a cipher."""
    return evidence.tls_version in ("TLSv1.2", "TLSv1.3") and bool(evidence.cipher)


def _verified(evidence: Evidence) -> bool:
    return _encrypted(evidence) and evidence.verified and bool(evidence.chain_digest)
