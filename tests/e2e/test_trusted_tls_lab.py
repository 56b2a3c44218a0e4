"""The laboratory of the tests beside this one: signed zones behind a validating resolver, and an HTTPS host.

What is wrong here would make every verdict of the others worthless.
"""

import http.client
import socket
import ssl
from collections.abc import Generator
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from gateway.sandbox.credentials import Credentials
from tests.peers.https_host import PATH, https_host
from tests.peers.signed_dns import Chain, NameServer, Zone, name_server
from tests.peers.unbound import Unbound, loopback_network, unbound

pytestmark = [pytest.mark.peer("nsd"), pytest.mark.peer("unbound"), pytest.mark.peer("root")]

TLSA = "TLSA 3 1 1 " + "aa" * 32
OTHER = "TLSA 3 1 1 " + "bb" * 32
ADDRESS = "mx A 127.0.0.2"

ZONES = (
    Zone(
        name="signed.example",
        records=(ADDRESS, "@ MX 10 mx", f"a {TLSA}", f"b {TLSA}", "alias CNAME mx", "out CNAME mx.plain.example."),
        forged=(f"b {OTHER}",),
    ),
    Zone(name="plain.example", records=(ADDRESS,), chain=Chain.UNSIGNED),
    Zone(name="below.signed.example", records=(ADDRESS,), chain=Chain.UNSIGNED),
    Zone(name="inner.signed.example", records=(ADDRESS,)),
    Zone(name="expired.test", records=(ADDRESS,), chain=Chain.EXPIRED),
    Zone(name="wrong.example", records=(ADDRESS,), chain=Chain.WRONG_KEY),
)

SECURE, INSECURE, NO_SUCH_NAME, BOGUS = "NOERROR AD", "NOERROR", "NXDOMAIN AD", "SERVFAIL"


@pytest.fixture(scope="module")
def server() -> Generator[NameServer]:
    with name_server(ZONES) as running:
        yield running


@pytest.fixture(scope="module")
def resolver(server: NameServer) -> Generator[Unbound]:
    with unbound(server) as running:
        yield running


def ask(nameserver: str, name: str, kind: str) -> str:
    """The code of the answer, and whether it is called authentic."""
    question = dns.message.make_query(name, kind, want_dnssec=True)
    question.flags |= dns.flags.AD
    host, _, port = nameserver.partition(":")
    answer = dns.query.udp(question, host, timeout=10, port=int(port))
    return f"{dns.rcode.to_text(answer.rcode())}{' AD' if answer.flags & dns.flags.AD else ''}"


@pytest.mark.parametrize(
    ("name", "kind", "answer"),
    [
        (".", "SOA", SECURE),
        ("signed.example", "MX", SECURE),
        ("mx.signed.example", "A", SECURE),
        ("mx.signed.example", "AAAA", SECURE),
        ("nobody.signed.example", "A", NO_SUCH_NAME),
        ("a.signed.example", "TLSA", SECURE),
        ("alias.signed.example", "A", SECURE),
        ("mx.inner.signed.example", "A", SECURE),
        ("out.signed.example", "A", INSECURE),
        ("out.signed.example", "CNAME", SECURE),
        ("mx.plain.example", "A", INSECURE),
        ("mx.below.signed.example", "A", INSECURE),
        ("b.signed.example", "TLSA", BOGUS),
        ("b.signed.example", "A", SECURE),
        ("mx.expired.test", "A", BOGUS),
        ("mx.wrong.example", "A", BOGUS),
    ],
)
def test_the_resolver_tells_signed_unsigned_and_forged_answers_apart(
    resolver: Unbound, name: str, kind: str, answer: str
) -> None:
    assert ask(resolver.nameserver, name, kind) == answer
    assert ask(f"{resolver.system}:53", name, kind) == answer


def test_without_a_trust_anchor_it_believes_everything_and_vouches_for_nothing(server: NameServer) -> None:
    with unbound(server, anchored=False) as resolver:
        for name in ("mx.signed.example", "mx.plain.example", "mx.expired.test", "mx.wrong.example"):
            assert ask(resolver.nameserver, name, "A") == INSECURE


def test_two_laboratories_run_side_by_side(resolver: Unbound) -> None:
    other = Zone(name="signed.example", records=("new A 127.0.0.3",))
    with name_server([other]) as server, unbound(server) as second:
        assert ask(second.nameserver, "new.signed.example", "A") == SECURE
        assert ask(resolver.nameserver, "new.signed.example", "A") == NO_SUCH_NAME


def fetch(address: str, name: str, ca: Path | None) -> tuple[int, bytes]:
    """What a client with the usual checks gets for a policy file."""
    context = ssl.create_default_context(cafile=ca)
    with context.wrap_socket(socket.create_connection((address, 443), 10), server_hostname=name) as connection:
        connection.sendall(b"GET %s HTTP/1.0\r\nHost: %s\r\n\r\n" % (PATH.encode(), name.encode()))
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.read()


def test_the_policy_host_serves_what_it_has_to_whom_trusts_it(tmp_path: Path) -> None:
    name, credentials = "mta-sts.council.example", Credentials(tmp_path)
    certificate, address = credentials.issue("web.pem", (name,)), f"{loopback_network()}.1"
    with https_host(certificate, address, policies={name: "version: STSv1\n"}) as host:
        assert fetch(address, name, credentials.ca) == (200, b"version: STSv1\n")
        with pytest.raises(ssl.SSLCertVerificationError):
            fetch(address, name, None)
        host.policies.clear()
        assert fetch(address, name, credentials.ca)[0] == 404
    assert host.asked == [name, name]
