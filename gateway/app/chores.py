"""What a worker does now and then besides mail, each thing at its pace; most of it one process does for all.

The janitor runs them. Left out on purpose: what never pauses, such as writing down what was remembered.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

from gateway.app.compose import Parts
from gateway.app.surveying import survey_over
from gateway.core.check import Check
from gateway.core.record import Entry
from gateway.core.survey import Surveyed, surveyed
from gateway.flow.digests import Digests
from gateway.flow.health import RouteHealth
from gateway.flow.janitor import Chore
from gateway.flow.leased import Leased
from gateway.flow.options import TlsrptOptions
from gateway.flow.ports import Spool
from gateway.flow.reminders import Reminders
from gateway.flow.sealed_care import SealedCare
from gateway.flow.sealed_post import SealedPost
from gateway.flow.shared import Shared
from gateway.flow.surveys import Surveys
from gateway.flow.tls_reports import TlsReports
from gateway.net.report_post import ReportPost
from gateway.transports.smarthost import Smarthost

ADOPT_EVERY: Final = timedelta(seconds=5)
COUNTS_EVERY: Final = timedelta(minutes=1)
LETTERS_EVERY: Final = timedelta(minutes=5)
LOOK_EVERY: Final = timedelta(minutes=5)
POLICIES_EVERY: Final = timedelta(minutes=10)
POST_EVERY: Final = timedelta(seconds=1)
"""Somebody waits for a code in front of a page."""

_ANY_CHECKED: Final = Check(sni="any", names=("any",))
"""For the context that checks a chain and a name; the name itself comes with each connection."""


def chores_of(
    parts: Parts,
    spool: Spool,
    shared: Shared,
    on_commit: Callable[[Sequence[Entry]], None],
    adopt: Callable[[], Awaitable[None]],
) -> tuple[Chore, ...]:
    """All of them; our own mail that they write goes into ``spool``."""
    chores = [
        Chore("adopt", ADOPT_EVERY, adopt),
        Chore("digest", LETTERS_EVERY, Digests(spool, shared, on_commit).send),
        Chore("remind", LETTERS_EVERY, Reminders(spool, shared, on_commit).send),
        Chore("tls counts", COUNTS_EVERY, parts.tools.counts.write),
        Chore("sts", POLICIES_EVERY, _policies(parts)),
        Chore("survey", LOOK_EVERY, _surveys(parts).look),
        Chore("resolver", LOOK_EVERY, _resolver(parts)),
        Chore("health", LOOK_EVERY, _health(parts, shared).look),
    ]
    if shared.sealed is not None:
        chores.append(Chore("sealed post", POST_EVERY, SealedPost(spool, shared, on_commit).send))
        chores.append(Chore("sealed care", LOOK_EVERY, SealedCare(spool, shared, on_commit).look))
    if parts.settings.tlsrpt is not None:
        reports = _reports(parts, spool, shared, on_commit, parts.settings.tlsrpt)
        chores.append(Chore("tls reports", LETTERS_EVERY, reports.send))
    return tuple(chores)


def _policies(parts: Parts) -> Callable[[], Awaitable[None]]:
    tools = parts.tools
    lease = Leased("sts", tools.state, tools.clock, tools.ids)

    async def refresh() -> None:
        if await lease.mine():
            await parts.network.sts.refresh()

    return refresh


def _surveys(parts: Parts) -> Surveys:
    tools, survey = parts.tools, survey_over(parts.network, parts.tools.clock)

    def domains() -> Sequence[Surveyed]:
        return surveyed(parts.book.current.registers.partners, parts.settings.pins)

    return Surveys(
        tools.state, tools.clock, tools.ids, tools.events, survey.domain, domains, tools.metrics.surveyed.show
    )


def _health(parts: Parts, shared: Shared) -> RouteHealth:
    tools, table = parts.tools, shared.carriers.table
    looks = {name: one.transport.look for name, one in table.items() if isinstance(one.transport, Smarthost)}
    return RouteHealth(tools.state, tools.clock, tools.ids, tools.events, looks, tools.metrics.routes.show)


def _resolver(parts: Parts) -> Callable[[], Awaitable[None]]:
    """Shows whether DANE is on and the resolver validates, and alerts each time that it no longer does."""
    resolver, tools = parts.network.resolver, parts.tools
    validated = True

    async def look() -> None:
        nonlocal validated
        validates = await resolver.validates()
        tools.metrics.dnssec.show(trusted=resolver.trusts_ad, validates=validates)
        if resolver.trusts_ad and validates is False and validated:
            tools.events.alert("dane-off", "", "[dns] trust_ad is true, but the resolver does not validate")
        validated = validated if validates is None else validates

    return look


def _reports(
    parts: Parts,
    spool: Spool,
    shared: Shared,
    on_commit: Callable[[Sequence[Entry]], None],
    options: TlsrptOptions,
) -> TlsReports:
    network = parts.network
    post = ReportPost(network.destinations, network.dialler.contexts.context(_ANY_CHECKED, None))
    return TlsReports(spool, shared, on_commit, options, network.resolver.texts, post)
