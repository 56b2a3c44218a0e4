"""In whose name a message speaks: the domain of its one author (RFC 5322 section 3.6.2)."""

from collections.abc import Sequence

from gateway.core.mailboxes import read_mailboxes


def author_domain(values: Sequence[bytes]) -> str:
    """The domain of the one address in the From field as A-labels; empty if there are more, or it is not certain.

    ``values`` are those of all From fields, of which there may be one.
    """
    addresses = read_mailboxes(tuple(values))
    return addresses[0].rpartition("@")[2] if len(values) == len(addresses) == 1 else ""
