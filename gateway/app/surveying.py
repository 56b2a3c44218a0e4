"""The survey of mail hosts over the network that deliveries use; the nightly chore and the command line share it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from gateway.app.outside import network_options
from gateway.config.settings import Settings
from gateway.flow.ports import Clock, StateStore
from gateway.flow.tls_counts import NoSessions
from gateway.net.survey import Survey
from gateway.spool.memory import MemoryBodies
from gateway.transports.network import Network, build_network, no_sealing


def survey_over(network: Network, clock: Clock) -> Survey:
    """Looks as deliveries over this network would."""
    return Survey(
        resolver=network.resolver,
        destinations=network.destinations,
        facts=network.remote.facts,
        sts=network.sts.facts,
        dialler=network.dialler,
        pins=network.options.pins,
        port=network.options.mx.port,
        clock=clock,
    )


@asynccontextmanager
async def survey_alone(settings: Settings, state: StateStore, clock: Clock) -> AsyncGenerator[Survey]:
    """Looks as a gateway of this configuration would; raises ValueError for certificates that cannot be loaded."""
    options = network_options(settings)
    bodies = MemoryBodies(inline=0)
    network = build_network(
        options, bodies=bodies, clock=clock, state=state, sessions=NoSessions(), sealing=no_sealing(clock)
    )
    try:
        yield survey_over(network, clock)
    finally:
        await network.aclose()
        # What was broken off goes in the loop's next turns, and with the command its loop ends here.
        for _ in range(3):
            await asyncio.sleep(0)
