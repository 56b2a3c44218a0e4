"""What a listener tells the flow about itself: how it refuses, and what a message must prove that came by it."""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.core.facts import Scan
from gateway.flow.custody import Custody
from gateway.flow.options import Refusals


@dataclass(frozen=True, slots=True)
class HeaderProof:
    """A field that must stand exactly once with one of the ``values``; it is stripped before the message leaves."""

    name: str
    values: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """``proofs``: any one of the tuples must be shown, each as a whole; empty means that nothing has to be proven.

    ``secrets`` are the fields of every proof that the listener knows, also where this client has to show none: the
    message may have passed the system that sets them before it came here by another way. ``known_as`` is what an MTA
    that brought it calls it.
    """

    listener: str
    refusals: Refusals
    proofs: tuple[tuple[HeaderProof, ...], ...] = ()
    secrets: tuple[str, ...] = ()
    custody: Custody = Custody.RELAY
    known_as: str = ""

    def names(self) -> Iterator[str]:
        """The fields that carry proofs; secrets of the sending system, which nobody else may see."""
        yield from self.secrets
        yield from (proof.name for proofs in self.proofs for proof in proofs)

    def proven(self, scan: Scan) -> bool:
        """Whether the message shows what it must."""
        return not self.proofs or any(all(_shown(proof, scan) for proof in proofs) for proofs in self.proofs)


def _shown(proof: HeaderProof, scan: Scan) -> bool:
    """Compared in constant time with every valid value; a field that stands twice proves nothing."""
    values = scan.values(proof.name)
    matches = [hmac.compare_digest(values[0], value) for value in proof.values] if len(values) == 1 else []
    return any(matches)
