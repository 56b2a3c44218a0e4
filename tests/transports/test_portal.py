"""The transport `portal`: what is sealed, for whom, how long and how it opens; and that a broken store only waits."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from gateway.core.address import NullPath, parse_address
from gateway.core.outcome import Cause, Deferred, Outcome, Sealed
from gateway.core.record import BodyRef
from gateway.core.route import Declared, Route
from gateway.core.sealing import Method, Unlock
from gateway.core.tls import Channel
from gateway.flow.options import PortalOptions
from gateway.flow.ports import Delivery, SealedStore
from gateway.flow.unsigned import NoSigner
from gateway.transports.network import Network, SealingTools
from gateway.transports.portal import Portal
from tests.fakes.mail_world import BODY, HEADER, a_delivery, world
from tests.fakes.sealed import KeptPackages

ROUTE = Route(name="encrypted", transport="portal", demands=Channel.PLAIN, declared=Declared.SEALING)
PORTAL = PortalOptions(
    url="https://secure.council.example",
    sender=parse_address("secure-mail@council.example"),
    organisation="Council",
    telephone="01632 960001",
    codes_for=frozenset({"public", "controlled"}),
    expires=timedelta(days=28),
)


class Office:
    """One transport with its store, and what it is given."""

    def __init__(self, network: Network, options: Portal.Options, portal: PortalOptions | None = PORTAL) -> None:
        self.store = KeptPackages()
        self.network = network
        tools = SealingTools(
            clock=network.sealing.clock,
            signer=NoSigner(),
            broken=network.sealing.broken,
            folder=Path("unused"),
            store=cast("SealedStore", self.store),
            portal=portal,
        )
        self.transport = Portal(ROUTE, options, replace(network, sealing=tools))

    async def deliver(self, delivery: Delivery) -> list[Outcome]:
        outcomes = await self.transport.deliver(delivery)
        assert sorted(outcomes) == [target.number for target in delivery.targets]
        return [outcomes[target.number] for target in delivery.targets]


def letter(level: str = "controlled", **changes: object) -> Delivery:
    delivery = a_delivery(ROUTE, "plain.example", recipients=("one", "two"))
    return replace(delivery, level=level, **changes)  # pyright: ignore[reportArgumentType]


async def test_it_is_sealed_once_for_all_recipients_byte_for_byte(tmp_path: Path) -> None:
    async with world(tmp_path, {}) as at:
        office = Office(at.network, Portal.Options(downloads=3, hand_off=True))
        first = await office.deliver(letter())
        again = await office.deliver(letter())
        assert first == again
        [(new, content)] = office.store.sealed.values()
        assert content == HEADER + BODY
        assert [(str(r.address), r.number) for r in new.readers] == [("one@plain.example", 3), ("two@plain.example", 4)]
        assert (new.delivery_id, new.queue_id, str(new.sender)) == ("d1/3.4", "000-1", "anna@council.example")
        assert (new.level, new.route, new.downloads, new.hand_off) == ("controlled", "encrypted", 3, True)
        assert new.expires_at - new.sealed_at == timedelta(days=28)
        for outcome in first:
            assert isinstance(outcome, Sealed)
            assert outcome.sealing.method is Method.PORTAL
            assert outcome.sealing.package in office.store.sealed


async def test_a_repeat_for_more_or_fewer_recipients_gives_nobody_a_second_link(tmp_path: Path) -> None:
    async with world(tmp_path, {}) as at:
        office = Office(at.network, Portal.Options())
        both = letter()
        [one, two] = both.targets
        three = replace(two, number=5)
        outcomes = await office.deliver(both)
        assert await office.deliver(replace(both, targets=(two,))) == outcomes[1:]
        [first, second, third] = await office.deliver(replace(both, targets=(one, two, three)))
        assert [first, second] == outcomes
        assert isinstance(third, Sealed) and third.sealing.package == "p-d1/5"
        assert [len(new.readers) for new, _ in office.store.sealed.values()] == [2, 1]


async def test_a_body_in_a_file_is_sealed_from_its_offset(tmp_path: Path) -> None:
    async with world(tmp_path, {}) as at:
        at.bodies.bodies["x"] = b"OLD:" + b"y" * 300_000
        office = Office(at.network, Portal.Options())
        await office.deliver(letter(body=BodyRef(size=300_004, sha256="", path="x")))
        [(_, content)] = office.store.sealed.values()
        assert content == HEADER + b"y" * 300_000


@pytest.mark.parametrize(
    ("level", "option", "unlock"),
    [
        ("public", "mail", Unlock.MAIL),
        ("controlled", "mail", Unlock.MAIL),
        ("restricted", "mail", Unlock.VERIFIED_MAIL),
        ("unheard of", "mail", Unlock.VERIFIED_MAIL),
        ("", "mail", Unlock.VERIFIED_MAIL),
        ("public", "passphrase", Unlock.PASSPHRASE),
        ("restricted", "passphrase", Unlock.PASSPHRASE),
    ],
)
async def test_a_code_by_any_mail_is_for_low_levels_alone(
    level: str, option: str, unlock: Unlock, tmp_path: Path
) -> None:
    async with world(tmp_path, {}) as at:
        office = Office(at.network, Portal.Options(unlock=option))  # pyright: ignore[reportArgumentType]
        for outcome in await office.deliver(letter(level)):
            assert isinstance(outcome, Sealed)
            assert outcome.sealing.unlock is unlock
        [(new, _)] = office.store.sealed.values()
        assert {reader.unlock for reader in new.readers} == {unlock}


async def test_a_route_shortens_the_time(tmp_path: Path) -> None:
    async with world(tmp_path, {}) as at:
        office = Office(at.network, Portal.Options(expires=timedelta(days=2)))
        await office.deliver(letter())
        [(new, _)] = office.store.sealed.values()
        assert new.expires_at - new.sealed_at == timedelta(days=2)


@pytest.mark.parametrize("trouble", ["store", "body", "no portal", "nobody to answer"])
async def test_trouble_of_ours_waits_and_leaves_nothing(trouble: str, tmp_path: Path) -> None:
    async with world(tmp_path, {}) as at:
        office = Office(at.network, Portal.Options(), None if trouble == "no portal" else PORTAL)
        office.store.down = trouble == "store"
        at.bodies.fails_after = 0 if trouble == "body" else None
        at.bodies.bodies["x"] = b"y" * 10
        body = BodyRef(size=10, sha256="", path="x")
        path = NullPath.NULL if trouble == "nobody to answer" else parse_address("anna@council.example")
        for outcome in await office.deliver(letter(body=body, reverse_path=path)):
            assert isinstance(outcome, Deferred)
            assert (outcome.cause, str(outcome.status)) == (Cause.LOCAL, "4.3.0")
        assert not office.store.sealed


@pytest.mark.parametrize("wrong", [{"expires": timedelta(days=29)}, {"expires": timedelta(0)}, {"downloads": 0}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"28d|at least 1"):
        Portal.Options(**wrong)  # pyright: ignore[reportArgumentType]
