"""What the network is told by a configuration in which nothing is as usual."""

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

from gateway.app.outside import network_options
from gateway.config.bundle import read_bundle
from gateway.config.load import load
from gateway.core.demand import RequireTls
from gateway.core.pin import Pins
from gateway.core.tls import MxAuth
from gateway.flow.tls_counts import NoSessions
from gateway.net.dns import DnsOptions
from gateway.net.memory import TlsMemory
from gateway.spool.memory import MemoryBodies
from gateway.transports.mx import MxOptions
from gateway.transports.network import NetworkOptions, build_network, no_sealing
from tests.config.certified import certified
from tests.fakes import certificates
from tests.fakes.clock import SteppedClock
from tests.fakes.state import MemoryState
from tests.fixtures.council import change

PINNED = """
[[tls.pins]]
name = "Health Trust"
domains = ["trust.example"]
grade = "dane"
"""


def configured(folder: Path) -> NetworkOptions:
    config = certified(folder)
    tls = f'ca = "{certificates.write_authority(folder)}"\nrequiretls = "enforce"\nremember = "3h"'
    change(
        config,
        ('hostname = "gateway.council.example"', 'hostname = "other.council.example"'),
        ('["127.0.0.1:53"]', '["127.0.0.2:5353"]'),
        ("trust_ad    = false", 'trust_ad    = true\ntimeout     = "2s"'),
        ('ca = "system"', tls),
        ("port           = 25", "port           = 2525"),
        ("allow_networks = []", 'allow_networks = ["192.0.2.0/24"]'),
        ('internal = ["10.0.0.0/8"]', 'internal = ["10.0.0.0/9"]'),
    )
    with config.open("a") as file:
        file.write(PINNED)
    return network_options(load(read_bundle(config)).settings)


def test_all_that_is_configured_reaches_the_network(tmp_path: Path) -> None:
    options = configured(tmp_path)
    assert [(pin.name, pin.domains, pin.requirement.mx) for pin in options.pins.all] == [
        ("Health Trust", ("trust.example",), MxAuth.DNSSEC)
    ]
    assert options == NetworkOptions(
        hostname="other.council.example",
        dns=DnsOptions(nameservers=("127.0.0.2:5353",), trust_ad=True, timeout=timedelta(seconds=2)),
        ca=tmp_path / "ca.pem",
        mx=MxOptions(port=2525, allow_networks=(ip_network("192.0.2.0/24"),)),
        internal=(ip_network("10.0.0.0/9"),),
        pins=Pins(options.pins.all),
        require_tls=RequireTls.ENFORCE,
        remember=timedelta(hours=3),
    )


async def test_a_network_remembers_hosts_for_so_long_unless_it_inherits_what_is_known(tmp_path: Path) -> None:
    options, clock = configured(tmp_path), SteppedClock()
    state, bodies = MemoryState(clock), MemoryBodies(inline=0)
    known = TlsMemory(clock, state)
    sealing = no_sealing(clock)
    fresh = build_network(options, bodies=bodies, clock=clock, state=state, sessions=NoSessions(), sealing=sealing)
    assert fresh.dialler.memory.remember == timedelta(hours=3)
    heir = build_network(
        options, bodies=bodies, clock=clock, state=state, sessions=NoSessions(), sealing=sealing, memory=known
    )
    assert heir.dialler.memory is known
