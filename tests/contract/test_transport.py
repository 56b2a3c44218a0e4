"""What every transport promises, whichever host it meets: one outcome for each recipient, and no exception."""

from pathlib import Path

import pytest

from gateway.core.outcome import Declined, Deferred, Delivered, Failed, Sealed
from gateway.core.tls import Channel, Protection
from gateway.flow.ports import Transport
from gateway.transports import TRANSPORTS
from tests.fakes import certificates
from tests.fakes.mail_world import World, a_delivery, a_route, world
from tests.fakes.mx import Script

MX = "mx.example"
DOMAIN = f"{MX}.test"
CARRYING = {"mx": {}, "smarthost": {"host": True}}
OPTIONS = {**CARRYING, "portal": {}, "archive": {}, "openpgp": {"keys": True}, "smime": {"certificates": True}}

PEERS = {
    "good": lambda: Script(tls=certificates.good(MX)),
    "refuses one": lambda: Script(tls=certificates.good(MX), replies={f"RCPT two@{DOMAIN}": "550 5.1.1 no"}),
    "refuses all": lambda: Script(tls=certificates.good(MX), replies={"RCPT": "550 5.1.1 no"}),
    "busy": lambda: Script(replies={"connect": "421 busy"}),
    "no STARTTLS": Script,
    "expired": lambda: Script(tls=certificates.expired(MX)),
    "breaks off": lambda: Script(tls=certificates.good(MX), closes_at="."),
    "no SMTP": lambda: Script(replies={"connect": "SSH-2.0-x"}),
    "binary": lambda: Script(replies={"connect": "\x00\xff" * 3000}),
    "down": lambda: None,
}


def made(name: str, at: World, demands: Channel) -> Transport:
    """A transport that seals has neither keys nor store here; its own tests have."""
    kind = TRANSPORTS[name]
    folder = at.network.sealing.folder
    folder.mkdir(exist_ok=True)
    values = {"host": f"{MX}:{at.network.options.mx.port}", "keys": folder, "certificates": folder}
    settings = {option: values[option] for option in OPTIONS[name]}
    return kind(a_route(demands), kind.Options(**settings), at.network)


def test_every_transport_is_covered_here() -> None:
    assert set(OPTIONS) == set(TRANSPORTS)


@pytest.mark.parametrize("name", list(TRANSPORTS))
@pytest.mark.parametrize("peer", list(PEERS))
@pytest.mark.parametrize("demands", [Channel.PLAIN, Channel.ENCRYPTED, Channel.PKIX])
async def test_every_recipient_has_an_outcome_that_does_not_contradict_itself(
    name: str, peer: str, demands: Channel, tmp_path: Path
) -> None:
    async with world(tmp_path, {MX: PEERS[peer]()}) as at:
        delivery = a_delivery(a_route(demands), DOMAIN, recipients=("one", "two", "three"))
        transport = made(name, at, demands)
        outcomes = await transport.deliver(delivery)
        await transport.aclose()
        assert sorted(outcomes) == [target.number for target in delivery.targets]
        for outcome in outcomes.values():
            match outcome:
                case Delivered():
                    assert outcome.evidence.verified or demands is not Channel.PKIX
                    assert outcome.evidence.tls_version or demands is Channel.PLAIN
                    assert outcome.remote.reply.is_positive
                case Sealed():
                    assert outcome.sealing.package
                case Deferred():
                    assert outcome.status.klass == 4
                case Declined() | Failed():
                    assert outcome.status.klass == 5
            if peer != "down" and name in CARRYING:
                assert not isinstance(outcome, Sealed)
                assert outcome.evidence is not None
                assert outcome.evidence.mx_host == MX
        arrived = {rcpt for host in at.hosts.values() for message in host.received for rcpt in message.rcpts}
        assert len(arrived) == sum(isinstance(outcome, Delivered) for outcome in outcomes.values())


@pytest.mark.parametrize("name", list(CARRYING))
async def test_it_can_be_closed_twice_and_used_after_that(name: str, tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=certificates.good(MX))}) as at:
        transport = made(name, at, Channel.PKIX)
        for _ in range(2):
            (outcome,) = (await transport.deliver(a_delivery(a_route(), DOMAIN, floor=Protection.VERIFIED))).values()
            assert isinstance(outcome, Delivered)
            await transport.aclose()
            await transport.aclose()
        assert len(at.hosts[MX].conversations) == 2


@pytest.mark.parametrize("name", list(TRANSPORTS))
async def test_the_next_hop_is_the_same_for_the_same_domain(name: str, tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script()}) as at:
        transport = made(name, at, Channel.PLAIN)
        assert transport.next_hop("a.test") == transport.next_hop("a.test") != ""
