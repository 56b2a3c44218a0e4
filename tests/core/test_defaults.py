"""What level unlabelled mail has, by where it comes from."""

from ipaddress import ip_network

import pytest

from gateway.core.address import NullPath, ReversePath, parse_address
from gateway.core.defaults import Default, default_level, origin_of, system_of
from gateway.core.domains import parse_party
from gateway.core.envelope import Admission, Client, Envelope
from gateway.core.registers.systems import System

SCANNER = parse_address("scanner@council.example")


def envelope(listener: str = "smtp", address: str = "10.5.1.2", sender: ReversePath = SCANNER) -> Envelope:
    client = Client(identity="c", how=Admission.NETWORK, address=address, helo="h", tls=None)
    return Envelope(client=client, listener=listener, reverse_path=sender, recipients=())


LISTENER = Default(level="restricted", listener="printers")
NETWORK = Default(level="restricted", network=ip_network("10.5.0.0/16"))
SENDER = Default(level="restricted", sender=parse_party("council.example"))
ALL = Default(
    level="restricted", listener="printers", network=ip_network("10.5.0.0/16"), sender=parse_party("council.example")
)


@pytest.mark.parametrize(
    ("default", "holds", "fails", "source"),
    [
        (LISTENER, envelope("printers"), envelope("smtp"), "default of listener printers"),
        (NETWORK, envelope(), envelope(address="10.6.0.1"), "default of network 10.5.0.0/16"),
        (NETWORK, envelope(address="::ffff:10.5.0.1"), envelope(address="::1"), "default of network 10.5.0.0/16"),
        (NETWORK, envelope(), envelope(address="/run/milter"), "default of network 10.5.0.0/16"),
        (SENDER, envelope(), envelope(sender=parse_address("a@b.example")), "default of sender council.example"),
        (SENDER, envelope(), envelope(sender=NullPath.NULL), "default of sender council.example"),
        (
            ALL,
            envelope("printers"),
            envelope("printers", "10.6.0.1"),
            "default of listener printers and network 10.5.0.0/16 and sender council.example",
        ),
        (ALL, envelope("printers"), envelope("smtp"), ALL.source),
        (ALL, envelope("printers"), envelope("printers", sender=NullPath.NULL), ALL.source),
    ],
)
def test_a_default_holds_where_all_that_it_names_holds(
    default: Default, holds: Envelope, fails: Envelope, source: str
) -> None:
    assert default.holds(origin_of(holds))
    assert not default.holds(origin_of(fails))
    assert default.source == source


def test_a_default_for_all_mail_is_not_one() -> None:
    with pytest.raises(ValueError, match="needs a listener"):
        Default(level="public")


NEWS = System(name="News", level="public", sender="news@council.example", owner="press@council.example")
SCANS = System(name="Scans", level="restricted", networks=(ip_network("10.5.0.0/16"), ip_network("fd00::/8")))
DOOR = System(name="Door", level="controlled", listener="devices", networks=(ip_network("10.7.0.0/16"),))
SYSTEMS = (System(name="Nothing", level="public"), System(name="Odd", level="public", sender="@"), NEWS, SCANS, DOOR)


@pytest.mark.parametrize(
    ("message", "system"),
    [
        (envelope(sender=parse_address("News@council.example")), NEWS),
        (envelope(sender=parse_address("newsx@council.example")), SCANS),
        (envelope(address="fd00::1%eth0", sender=NullPath.NULL), SCANS),
        (envelope("devices", "10.7.0.1"), DOOR),
        (envelope("smtp", "10.7.0.1"), None),
        (envelope("devices", "10.8.0.1"), None),
    ],
)
def test_the_first_system_that_holds_is_found(message: Envelope, system: System | None) -> None:
    assert system_of(SYSTEMS, origin_of(message)) is system


def test_the_first_default_decides_then_the_system_then_the_one_for_all_mail() -> None:
    origin = origin_of(envelope("printers"))
    other = Default(level="public", sender=parse_party("other.example"))
    later = Default(level="controlled", listener="printers")
    assert default_level((other, LISTENER, later), NEWS, "controlled", origin) == ("restricted", LISTENER.source)
    assert default_level((other,), NEWS, "controlled", origin) == ("public", "default of the system News")
    assert default_level((other,), None, "controlled", origin) == ("controlled", "default")
