"""Evidence is shown whole, never stronger than it is, and never wider than a terminal."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.evidence_view import WIDTH, evidence_json, evidence_lines, wrapped
from gateway.core.outcome import Delivered, Failed
from gateway.core.reply import Status
from gateway.core.sealing import Method, Sealing
from gateway.core.tls import Channel, Evidence, MxAuth
from tests.telemetry.samples import DELIVERED, deferred

NAMES = tuple(f"mx{number}.tls.example" for number in range(7))
SEEN = Evidence(
    mx_host="mx.tls.example",
    address="2001:db8::25",
    port=25,
    tls_version="TLSv1.3",
    cipher="TLS_AES_256_GCM_SHA384",
    chain_digest="cd" * 32,
    spki="ab" * 32,
    subject="CN=mx.tls.example",
    issuer="CN=Authority",
    names=NAMES,
    not_after=datetime(2027, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    mx=MxAuth.DNSSEC,
    channel=Channel.DANE,
    how="certificate matches a TLSA record of mx.tls.example",
    demanded_by="route tls; floor encrypted; DANE, TLSA records of mx.tls.example",
)
PLAIN = Evidence(mx_host="mx.old.example", address="192.0.2.9", port=25, how="not offered", demanded_by="route may")


def carried(evidence: Evidence) -> Delivered:
    return replace(DELIVERED, evidence=evidence)


def said(evidence: Evidence) -> dict[str, str]:
    """The block by label, its lines joined."""
    found: dict[str, str] = {}
    label = ""
    for line in evidence_lines(carried(evidence), "  "):
        assert line.startswith("  ")
        label = line[2:15].strip() or label
        found[label] = f"{found.get(label, '')} {line[15:]}".strip()
    return found


def test_json_keeps_its_keys_and_tells_all() -> None:
    assert evidence_json(SEEN) == {
        "mx": "mx.tls.example",
        "address": "2001:db8::25",
        "port": 25,
        "tls": "TLSv1.3",
        "cipher": "TLS_AES_256_GCM_SHA384",
        "verified": True,
        "how": "certificate matches a TLSA record of mx.tls.example",
        "demanded_by": "route tls; floor encrypted; DANE, TLSA records of mx.tls.example",
        "subject": "CN=mx.tls.example",
        "issuer": "CN=Authority",
        "names": list(NAMES),
        "not_after": "2027-01-02T03:04:05+00:00",
        "chain_digest": "cd" * 32,
        "grade": "dane",
        "channel": "dane",
        "mx_name": "dnssec",
        "spki": "ab" * 32,
    }


@pytest.mark.parametrize(
    ("mx", "channel", "shown"),
    [
        (MxAuth.NONE, Channel.ENCRYPTED, ("encrypted", False, "none")),
        (MxAuth.LOCAL, Channel.ENCRYPTED, ("encrypted", False, "local")),
        (MxAuth.MTA_STS, Channel.PKIX, ("mta-sts", True, "mta-sts")),
        (MxAuth.NONE, Channel.PLAIN, ("plain", False, "none")),
    ],
)
def test_json_names_the_grade_that_was_obtained(mx: MxAuth, channel: Channel, shown: tuple[str, bool, str]) -> None:
    found = evidence_json(replace(SEEN, mx=mx, channel=channel))
    assert (found["grade"], found["verified"], found["mx_name"]) == shown


def test_block_tells_all_of_a_checked_connection() -> None:
    assert said(SEEN) == {
        "Host": "mx.tls.example [2001:db8::25], port 25",
        "Host's name": "from signed DNS",
        "Grade": "dane: encrypted, certificate and host named by signed DNS",
        "TLS": "TLSv1.3, TLS_AES_256_GCM_SHA384",
        "Certificate": "CN=mx.tls.example",
        "For": ", ".join(NAMES[:5]) + " and 2 more",
        "Issuer": "CN=Authority",
        "Ends": "2027-01-02T03:04:05+00:00",
        "Key": f"sha256:{'ab' * 32}",
        "Checked": "certificate matches a TLSA record of mx.tls.example",
        "Demanded by": "route tls; floor encrypted; DANE, TLSA records of mx.tls.example",
    }


def test_block_of_a_connection_without_tls_has_no_certificate() -> None:
    assert said(PLAIN) == {
        "Host": "mx.old.example [192.0.2.9], port 25",
        "Host's name": "from DNS that is not signed",
        "Grade": "plain: not encrypted: everybody on the way can read it",
        "Checked": "not offered",
        "Demanded by": "route may",
    }


@pytest.mark.parametrize("channel", [Channel.PLAIN, Channel.ENCRYPTED])
def test_unchecked_connection_is_called_neither_secure_nor_verified(channel: Channel) -> None:
    block = "\n".join(evidence_lines(carried(replace(SEEN, channel=channel, how="certificate not checked"))))
    assert "secure" not in block.casefold() and "verified" not in block
    assert "certificate not checked" in block


def test_grade_is_explained_only_of_a_connection_that_carried_the_message() -> None:
    tried = evidence_lines(deferred(evidence=PLAIN))
    assert [line.split() for line in tried if line.strip().startswith("Grade")] == [["Grade", "plain"]]
    sealed = replace(carried(PLAIN), sealing=Sealing(method=Method.SMIME, detail="AES-256"))
    assert not any("can read it" in line for line in evidence_lines(sealed))
    assert evidence_lines(Failed(status=Status(5, 1, 2), detail="none")) == []


def test_names_that_a_certificate_leaves_empty_are_said_to_be() -> None:
    found = said(replace(SEEN, subject="", issuer="", names=NAMES[:5], cipher=None, spki=""))
    assert (found["Certificate"], found["Issuer"], found["TLS"]) == ("(no subject)", "(no issuer)", "TLSv1.3")
    assert found["For"] == ", ".join(NAMES[:5])
    assert "Key" not in found


@given(st.text(max_size=400), st.text(max_size=400))
def test_nothing_that_a_host_says_is_wider_than_a_terminal_or_steers_it(subject: str, how: str) -> None:
    lines = evidence_lines(carried(replace(SEEN, subject=subject, how=how)))
    assert all(len(line) <= WIDTH and line.isprintable() for line in lines)


def test_long_text_goes_on_below_its_beginning() -> None:
    first, *more = wrapped("word " * 60, "  ", "    ")
    assert first.startswith("  word") and len(first) <= WIDTH
    assert more and all(line.startswith("    word") for line in more)
    assert wrapped("", "label  ") == ["label"]
