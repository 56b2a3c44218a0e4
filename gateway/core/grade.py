"""Grades: the names for what a connection was, in every table, log line and metric; "secure" is none of them.

Each is stronger than the ones before it against somebody who can change packets and DNS answers on the way.
"""

from enum import StrEnum
from typing import Final

from gateway.core.tls import Channel, Evidence, MxAuth, Obtained, Requirement


class Grade(StrEnum):
    """Weakest first."""

    PLAIN = "plain"
    ENCRYPTED = "encrypted"
    VERIFIED = "verified"
    PINNED = "pinned"
    MTA_STS = "mta-sts"
    DANE = "dane"

    @property
    def meaning(self) -> str:
        """What it says to somebody who does not know these words."""
        return _MEANINGS[self]


_MEANINGS: Final = {
    Grade.PLAIN: "not encrypted: everybody on the way can read it",
    Grade.ENCRYPTED: "encrypted, certificate not checked: who stands in the way and answers in its place can read it",
    Grade.VERIFIED: "encrypted, certificate checked; the host's name came from DNS that is not signed",
    Grade.PINNED: "encrypted, certificate checked against what the administrator set for this partner",
    Grade.MTA_STS: "encrypted, certificate checked, and the domain's own policy names the host",
    Grade.DANE: "encrypted, certificate and host named by signed DNS",
}


def grade_of(obtained: Obtained) -> Grade:
    """The name for a connection."""
    mx, channel = obtained.mx, obtained.channel
    if channel is Channel.PLAIN:
        return Grade.PLAIN
    if channel is Channel.ENCRYPTED:
        return Grade.ENCRYPTED
    if channel is Channel.PINNED or mx is MxAuth.LOCAL:
        return Grade.PINNED
    if channel is Channel.DANE and mx is MxAuth.DNSSEC:
        return Grade.DANE
    # RFC 7672 section 2.2.2: TLSA records of a host whose name was not signed prove no more than a checked certificate.
    return Grade.MTA_STS if mx is MxAuth.MTA_STS else Grade.VERIFIED


def grade_of_evidence(evidence: Evidence) -> Grade:
    """The name for what is recorded."""
    return grade_of(Obtained(evidence.mx, evidence.channel))


DEMANDS: Final = {
    "encrypted": Requirement(MxAuth.NONE, Channel.ENCRYPTED),
    "verified": Requirement(MxAuth.NONE, Channel.PKIX),
    "authentic": Requirement(MxAuth.MTA_STS, Channel.PKIX),
    "pinned": Requirement(MxAuth.NONE, Channel.PINNED),
    "dane": Requirement(MxAuth.DNSSEC, Channel.DANE),
}
"""What can be demanded of a connection, by the word of the configuration.

``authentic``: the certificate is checked, and the host's name is known better than by unsigned DNS.
"""
