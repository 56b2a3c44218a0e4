"""A route with addresses of its own: envelope, header and signature agree, and nothing else changes."""

from dataclasses import replace

import pytest

from gateway.core.address import NullPath, ReversePath
from gateway.core.mapping import Suffixes
from gateway.core.policy import Rule, Send
from gateway.core.template import Template
from gateway.flow.ports import Delivery
from tests.fakes.clock import settle
from tests.flow.gate import ROUTES, SENDER, Gate, to, with_rules

CLERK, POLICE = "clerk@court.example", "dc@police.cjsm.net"
MESSAGE = (
    b"DKIM-Signature: v=1; d=council.example\r\n"
    b"From: An Officer\r\n <officer@council.example>\r\n"
    b"Reply-To: team@council.example, me@home.example\r\n"
    b"To: Clerk <clerk@court.example>, gp@tls.example\r\n"
    b"CC: dc@police.cjsm.net\r\n"
    b"Subject: clerk@court.example\r\n"
    b"Message-ID: <original@council.example>\r\n"
    b"\r\n"
    b"From: officer@council.example\r\n"
)
MAPPED = (
    MESSAGE.partition(b"\r\n\r\n")[0]
    .replace(b"officer@council.example>", b"officer@council.example.cjsm.net>")
    .replace(b"team@council.example", b"team@council.example.cjsm.net")
    .replace(b"<clerk@court.example>", b"<clerk@court.example.cjsm.net>")
)


class Signs:
    """Signs for the organisation's own domain, and remembers what."""

    def __init__(self) -> None:
        self.headers: list[bytes] = []

    def wanted(self, domain: str) -> bool:
        return domain == "council.example"

    def sign(self, header: bytes, body_hash: str) -> bytes:
        self.headers.append(header)
        return b"X-Signed: yes\r\n"


def gate(suffixes: Suffixes) -> Gate:
    policy = with_rules(
        Rule(name="Elsewhere", when=to("tls.example"), action=Send(("opportunistic",)), advice=Template("")),
        Rule(name="CJSM", when=None, action=Send(("encrypted",)), advice=Template("")),
    )
    return Gate(policy=policy, routes={**ROUTES, "encrypted": replace(ROUTES["encrypted"], suffixes=suffixes)})


async def sent(here: Gate, *recipients: str, sender: ReversePath = SENDER) -> dict[str, Delivery]:
    """The newest delivery of each route."""
    async with here.running():
        assert (await here.hand_over(*recipients, message=MESSAGE, sender=sender)).is_positive
        await settle()
    found = {name: transport.deliveries for name, transport in here.transports.items()}
    return {name: deliveries[-1][1] for name, deliveries in found.items() if deliveries}


async def test_the_relay_gets_both_sides_in_its_form_and_other_routes_as_they_are() -> None:
    here = gate(Suffixes(sender=".cjsm.net", recipient=".cjsm.net"))
    deliveries = await sent(here, CLERK, POLICE, "gp@tls.example")
    relay, other = deliveries["encrypted"], deliveries["opportunistic"]
    assert relay.header.endswith(MAPPED + b"\r\n\r\n")
    assert str(relay.reverse_path) == "officer@council.example.cjsm.net"
    assert [str(target.recipient.address) for target in relay.targets] == ["clerk@court.example.cjsm.net", POLICE]
    assert [target.recipient.orcpt for target in relay.targets] == ["rfc822;clerk@court.example", None]
    assert other.header.endswith(MESSAGE.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    assert str(other.reverse_path) == "officer@council.example"
    # The record keeps whom the sender wrote to.
    assert {address for address, _, _ in here.heard.attempts} == {CLERK, POLICE, "gp@tls.example"}


@pytest.mark.parametrize(
    ("suffixes", "sender", "recipient"),
    [
        (Suffixes(sender=".cjsm.net"), "officer@council.example.cjsm.net", CLERK),
        (Suffixes(recipient=".cjsm.net"), "officer@council.example", f"{CLERK}.cjsm.net"),
    ],
)
async def test_each_side_is_switched_by_itself(suffixes: Suffixes, sender: str, recipient: str) -> None:
    relay = (await sent(gate(suffixes), CLERK))["encrypted"]
    assert (str(relay.reverse_path), str(relay.targets[0].recipient.address)) == (sender, recipient)
    assert (b"To: Clerk <clerk@court.example>," in relay.header) is (recipient == CLERK)
    assert (b"<officer@council.example>" in relay.header) is (sender == "officer@council.example")


async def test_the_null_path_stays_null() -> None:
    relay = (await sent(gate(Suffixes(sender=".cjsm.net")), CLERK, sender=NullPath.NULL))["encrypted"]
    assert relay.reverse_path is NullPath.NULL


async def test_a_signature_is_made_over_the_addresses_that_leave() -> None:
    here, signs = gate(Suffixes(sender=".cjsm.net")), Signs()
    here.shared = replace(here.shared, signer=signs)
    here.restart()
    relay = (await sent(here, CLERK))["encrypted"]
    (signed,) = signs.headers
    assert b"<officer@council.example.cjsm.net>" in signed and relay.header == b"X-Signed: yes\r\n" + signed
