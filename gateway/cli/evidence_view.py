"""How the evidence of a connection is shown: as JSON with stable keys, and as a block of lines for a person.

The grade stands with its meaning: without a checked certificate nothing is called more than encrypted.
"""

import textwrap
from collections.abc import Iterator
from typing import Final, TypeAlias

from gateway.core.grade import grade_of_evidence
from gateway.core.outcome import Delivered, Outcome, Sealed
from gateway.core.tls import Evidence, MxAuth

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

WIDTH: Final = 100
"""Columns of a terminal."""
_LABEL: Final = 13
_NAMES: Final = 5

_NAME_KNOWN: Final = {
    MxAuth.NONE: "from DNS that is not signed",
    MxAuth.MTA_STS: "named by the domain's own MTA-STS policy",
    MxAuth.DNSSEC: "from signed DNS",
    MxAuth.LOCAL: "set by the administrator",
}


def evidence_json(evidence: Evidence) -> dict[str, Json]:
    """What was seen of the connection. ``mx_name`` is how the host's name is known, ``spki`` its key's SHA-256."""
    return {
        "mx": evidence.mx_host,
        "address": evidence.address,
        "port": evidence.port,
        "tls": evidence.tls_version,
        "cipher": evidence.cipher,
        "verified": evidence.verified,
        "how": evidence.how,
        "demanded_by": evidence.demanded_by,
        "subject": evidence.subject,
        "issuer": evidence.issuer,
        "names": list(evidence.names),
        "not_after": evidence.not_after.isoformat(timespec="seconds") if evidence.not_after else None,
        "chain_digest": evidence.chain_digest,
        "grade": grade_of_evidence(evidence).value,
        "channel": evidence.channel.name.lower(),
        "mx_name": evidence.mx.name.lower().replace("_", "-"),
        "spki": evidence.spki,
    }


def evidence_lines(outcome: Outcome, indent: str = "    ") -> list[str]:
    """A block under the attempt that it belongs to, at most `WIDTH` columns wide; empty if there was no connection."""
    if isinstance(outcome, Sealed) or outcome.evidence is None:
        return []
    # Nobody on the way reads what was sealed before it left, whatever the connection.
    carried = isinstance(outcome, Delivered) and outcome.sealing is None
    facts = _facts(outcome.evidence, carried=carried)
    return [line for label, text in facts for line in wrapped(text, f"{indent}{label:<{_LABEL}}")]


def wrapped(text: str, start: str = "", then: str | None = None) -> list[str]:
    """Lines of at most `WIDTH` columns behind ``start``; nothing in ``text`` steers the terminal."""
    clean = "".join(char if char.isprintable() else "?" for char in text)
    following = " " * len(start) if then is None else then
    return textwrap.wrap(clean, WIDTH, initial_indent=start, subsequent_indent=following) or [start.rstrip()]


def _facts(evidence: Evidence, *, carried: bool) -> Iterator[tuple[str, str]]:
    """What a grade means is said of a connection that a message went over as it was, and of no other."""
    grade = grade_of_evidence(evidence)
    yield "Host", f"{evidence.mx_host} [{evidence.address}], port {evidence.port}"
    yield "Host's name", _NAME_KNOWN[evidence.mx]
    yield "Grade", f"{grade}: {grade.meaning}" if carried else grade
    if evidence.tls_version is not None:
        yield "TLS", ", ".join(filter(None, (evidence.tls_version, evidence.cipher)))
    yield from _certificate(evidence)
    yield "Checked", evidence.how
    yield "Demanded by", evidence.demanded_by


def _certificate(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """What the host showed, whether or not it was checked."""
    if evidence.subject is not None:
        yield "Certificate", evidence.subject or "(no subject)"
    if evidence.names:
        more = f" and {len(evidence.names) - _NAMES} more" if len(evidence.names) > _NAMES else ""
        yield "For", ", ".join(evidence.names[:_NAMES]) + more
    if evidence.issuer is not None:
        yield "Issuer", evidence.issuer or "(no issuer)"
    if evidence.not_after is not None:
        yield "Ends", evidence.not_after.isoformat(timespec="seconds")
    if evidence.spki:
        yield "Key", f"sha256:{evidence.spki}"
