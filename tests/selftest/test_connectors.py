"""The recording hosts in place of smarthosts: what leads to them, and what each may be given."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core.route import Declared, Route
from gateway.core.tls import Channel, Protection
from gateway.sandbox.behaviour import Behaviour
from gateway.selftest.connectors import GOOD, IMPOSTOR, Connector, connectors, rerouted
from gateway.transports.smarthost import Smarthost
from tests.selftest.conftest import Configured

LOGIN = Smarthost.Options(
    host="relay.example:587", username="us", password="secret", client_certificate=Path("ours.pem")
)


def connector(options: Smarthost.Options, configured: Configured, behaviour: Behaviour = GOOD) -> Connector:
    settings = configured()[0].settings
    settings = replace(settings, transport_options={**settings.transport_options, "encrypted": options})
    return next(each for each in connectors(settings, behaviour) if each.route.name == "encrypted")


def test_a_route_keeps_its_name_and_our_certificate_but_neither_address_nor_password(configured: Configured) -> None:
    made = connector(LOGIN, configured)
    assert made.at(99) == Smarthost.Options(
        host=f"{made.spec.address}:99", match_name="relay.example", client_certificate=Path("ours.pem")
    )
    assert made.spec.certified == ("relay.example",)
    named = connector(replace(LOGIN, match_name="other.example"), configured)
    assert (named.at(99).match_name, named.spec.certified) == ("other.example", ("other.example",))


def test_a_host_that_is_an_address_shows_a_certificate_for_the_new_one(configured: Configured) -> None:
    made = connector(Smarthost.Options(host="192.0.2.1:25"), configured)
    assert made.at(99).match_name is None
    assert made.spec.certified == (made.spec.address,)


def test_every_route_to_a_smarthost_leads_to_a_host_of_its_own(configured: Configured) -> None:
    settings = configured()[0].settings
    found = connectors(settings, GOOD)
    assert len({each.spec.address for each in found}) == len(found) == 5
    options = rerouted(settings, found, 99)
    hosts = {name: each.host for name, each in options.items() if isinstance(each, Smarthost.Options)}
    assert hosts == {each.route.name: f"{each.spec.address}:99" for each in found}
    assert options["secure"] is settings.transport_options["secure"]


@pytest.mark.parametrize(
    ("declared", "demands", "clear", "good", "impostor"),
    [
        (Declared.INTERNAL, Channel.PLAIN, Protection.SEALED, Protection.SEALED, Protection.SEALED),
        (Declared.INTERNAL, Channel.ENCRYPTED, Protection.NONE, Protection.SEALED, Protection.SEALED),
        (Declared.INTERNAL, Channel.PKIX, Protection.NONE, Protection.SEALED, Protection.NONE),
        (Declared.SEALED, Channel.PKIX, Protection.NONE, Protection.SEALED, Protection.NONE),
        (Declared.CONNECTION, Channel.PLAIN, Protection.NONE, Protection.VERIFIED, Protection.ENCRYPTED),
        (Declared.CONNECTION, Channel.PKIX, Protection.NONE, Protection.VERIFIED, Protection.ENCRYPTED),
    ],
)
def test_what_a_host_may_be_given_follows_from_its_route_and_its_certificate(
    declared: Declared,
    demands: Channel,
    clear: Protection,
    good: Protection,
    impostor: Protection,
    configured: Configured,
) -> None:
    route = Route(name="r", transport="smarthost", demands=demands, declared=declared)
    made = [replace(connector(LOGIN, configured, behaviour), route=route) for behaviour in (GOOD, IMPOSTOR)]
    assert [each.in_clear for each in made] == [clear, clear]
    assert [each.in_tls for each in made] == [good, impostor]
