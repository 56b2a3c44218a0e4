"""The names of what a connection was."""

from itertools import pairwise, product

import pytest

from gateway.core.grade import DEMANDS, Grade, grade_of, grade_of_evidence
from gateway.core.tls import Channel, Evidence, MxAuth, Obtained

NONE, STS, DNSSEC, LOCAL = MxAuth.NONE, MxAuth.MTA_STS, MxAuth.DNSSEC, MxAuth.LOCAL

TABLE = {
    Channel.PLAIN: dict.fromkeys(MxAuth, Grade.PLAIN),
    Channel.ENCRYPTED: dict.fromkeys(MxAuth, Grade.ENCRYPTED),
    Channel.PKIX: {NONE: Grade.VERIFIED, STS: Grade.MTA_STS, DNSSEC: Grade.VERIFIED, LOCAL: Grade.PINNED},
    Channel.PINNED: dict.fromkeys(MxAuth, Grade.PINNED),
    Channel.DANE: {NONE: Grade.VERIFIED, STS: Grade.MTA_STS, DNSSEC: Grade.DANE, LOCAL: Grade.PINNED},
}


@pytest.mark.parametrize(("mx", "channel"), list(product(MxAuth, Channel)))
def test_every_connection_has_its_name(mx: MxAuth, channel: Channel) -> None:
    expected = TABLE[channel][mx]
    assert grade_of(Obtained(mx, channel)) is expected
    evidence = Evidence(mx_host="h", address="a", port=25, mx=mx, channel=channel, how="x", demanded_by="y")
    assert grade_of_evidence(evidence) is expected
    # What was not checked is called neither secure nor verified, and what is stored says the same.
    assert evidence.verified is (expected not in (Grade.PLAIN, Grade.ENCRYPTED))


def test_no_word_and_no_meaning_promises_more_than_there_is() -> None:
    for grade in Grade:
        assert "secure" not in f"{grade} {grade.meaning}"
    assert "not checked" in Grade.ENCRYPTED.meaning
    assert len({grade.meaning for grade in Grade}) == len(Grade)


def test_what_can_be_demanded_rises() -> None:
    for weaker, stronger in pairwise(("encrypted", "verified", "authentic")):
        assert DEMANDS[weaker] | DEMANDS[stronger] == DEMANDS[stronger]
    assert DEMANDS["verified"].channel < DEMANDS["pinned"].channel < DEMANDS["dane"].channel
    assert grade_of(Obtained(DEMANDS["dane"].mx, DEMANDS["dane"].channel)) is Grade.DANE
