"""The map `tls` of the policy server: a key of Postfix's smtp_tls_policy_maps, and what the configuration says of it.

A reload is a new network beside the old one, which ends when its last lookup has. Left out on purpose: TLSRPT, because
the sessions are Postfix's, and the renewal of MTA-STS policies ahead of their end, which is a running gateway's chore.
"""

import asyncio
from functools import partial
from typing import Final, assert_never

from gateway.app.outside import network_options
from gateway.config.load import Loaded
from gateway.core.next_hop import BadNextHop, NextHop, parse_next_hop
from gateway.core.next_hop_floor import floor_of
from gateway.core.postfix_tls import NoEntry, PolicyEntry, PostfixTls, Wait
from gateway.flow.ports import Clock, StateStore
from gateway.flow.tls_counts import NoSessions
from gateway.net.next_hops import NextHops
from gateway.spool.memory import MemoryBodies
from gateway.telemetry.log import Log
from gateway.transports.network import Network, build_network, no_sealing
from gateway.wire.socketmap import Reply, Request, Result

MAP: Final = "tls"
"""The name of the map in main.cf."""

_LONGEST_REASON: Final = 500
"""Characters; it goes into Postfix's log, once for each attempt."""


class _InForce:
    """One configuration with its network, which is closed when nobody asks it any more."""

    def __init__(self, loaded: Loaded, state: StateStore, clock: Clock) -> None:
        """Raises ValueError for certificates that cannot be loaded."""
        options = network_options(loaded.settings)
        self._network: Network = build_network(
            options,
            bodies=MemoryBodies(inline=0),
            clock=clock,
            state=state,
            sessions=NoSessions(),
            sealing=no_sealing(clock),
        )
        self._hops = NextHops(
            resolver=self._network.resolver,
            destinations=self._network.destinations,
            sts=self._network.sts,
            pins=options.pins,
            port=options.mx.port,
            floor=partial(floor_of, policy=loaded.policy),
        )
        self._asking = 0
        self._unasked = asyncio.Event()
        self._unasked.set()

    async def entry(self, hop: NextHop) -> PostfixTls:
        """What the table says."""
        self._asking += 1
        self._unasked.clear()
        try:
            return await self._hops.entry(hop)
        finally:
            self._asking -= 1
            if not self._asking:
                self._unasked.set()

    async def aclose(self) -> None:
        """Waits for the lookups that were begun, each of which has a limit of its own."""
        await self._unasked.wait()
        await self._network.aclose()


class TlsPolicies:
    """Answers lookups by the configuration in force; `put` comes first."""

    def __init__(self, state: StateStore, clock: Clock, log: Log) -> None:
        self._state = state
        self._clock = clock
        self._log = log
        self._now: _InForce | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    def put(self, loaded: Loaded) -> None:
        """Puts a configuration in force. Raises ValueError, and then the one before stays."""
        before, self._now = self._now, _InForce(loaded, self._state, self._clock)
        if before is not None:
            leaving = asyncio.get_running_loop().create_task(before.aclose())
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    async def answer(self, request: Request) -> Reply:
        """The reply to one lookup."""
        if request.map != MAP:
            return Reply(Result.PERM, f"the only map here is {MAP}")
        if request.key.startswith("."):
            # Postfix asks for the domains above one for which nothing was found; each has an entry of its own.
            return Reply(Result.NOTFOUND)
        try:
            hop = parse_next_hop(request.key)
        except BadNextHop as error:
            return self._told(Wait(f"This is no next hop: {error}."), request.key)
        assert self._now is not None
        return self._told(await self._now.entry(hop), str(hop))

    def _told(self, entry: PostfixTls, hop: str) -> Reply:
        match entry:
            case PolicyEntry(text):
                self._log.info("tls policy", next_hop=hop, entry=text)
                return Reply(Result.OK, text)
            case NoEntry():
                self._log.info("tls policy", next_hop=hop)
                return Reply(Result.NOTFOUND)
            case Wait(reason):
                self._log.warning("tls policy", next_hop=hop, waits=reason)
                return Reply(Result.TEMP, _plain(reason))
            case _:
                assert_never(entry)

    async def aclose(self) -> None:
        """At the end, when nothing asks any more."""
        await asyncio.gather(*self._leaving)
        if self._now is not None:
            await self._now.aclose()


def _plain(text: str) -> str:
    """Printable ASCII, as a reply is."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)[:_LONGEST_REASON]
