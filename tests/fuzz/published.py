"""Fuzz target: what mail domains publish as text: MTA-STS records and policies, and where TLS reports go."""

from typing import Final, assert_never

from gateway.core.address import parse_address, parse_domain
from gateway.core.sts import MAX_AGE, MAX_PATTERNS, BadPolicy, BadRecord, NoSts, StsPolicy, read_policy, read_record
from gateway.core.tlsrpt import MAX_DESTINATIONS, Destination, MailTo, PostTo, read_rua
from tests.fuzz.target import Target


def one(data: bytes) -> None:
    """Read as a policy, and its lines as records: a value that means the same when it is read again, or a reason."""
    match read_policy(data):
        case StsPolicy() as policy:
            _hold_policy(policy)
        case BadPolicy(reason):
            assert reason.isprintable()
    texts = data.split(b"\n")
    match read_record(texts):
        case str() as id:
            assert id.isascii() and id.isalnum() and len(id) <= 32
        case BadRecord(reason):
            assert reason.isprintable()
        case NoSts.NONE:
            pass
    destinations = read_rua(texts) or ()
    assert len(destinations) <= MAX_DESTINATIONS
    for each in destinations:
        _hold_destination(each)


def _hold_policy(policy: StsPolicy) -> None:
    assert len(policy.mx) <= MAX_PATTERNS
    assert policy.max_age <= MAX_AGE
    for pattern in policy.mx:
        host = pattern.replace("*", "any", 1)
        assert parse_domain(host.removeprefix("any.") if pattern.startswith("*.") else host)
        assert policy.matches(host)
    assert read_policy("\r\n".join(policy.lines).encode()) == policy


def _hold_destination(destination: Destination) -> None:
    match destination:
        case MailTo(address):
            assert parse_address(str(address)) == address and address.is_ascii
        case PostTo(url):
            assert url.lower().startswith("https:") and url.isascii() and url.isprintable() and " " not in url
        case _:
            assert_never(destination)


TARGET: Final = Target(name="published", one=one)
