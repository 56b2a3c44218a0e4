"""Surveys: one process of the machine looks once a night at the mail hosts of all partners, and says what is wrong.

Each domain's last report is kept in the memory that the workers share, where `sealpost tls partners` finds it; every
worker shows them as metrics, so that none is lost with the one that made them. A round that was cut short goes on where
it ended. Left out on purpose: a domain surveyed by order; `sealpost tls check` needs no gateway.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Final, TypeAlias

from pydantic import TypeAdapter, ValidationError

from gateway.core.survey import DomainReport, Surveyed
from gateway.core.survey_findings import alarms, drift, settled
from gateway.flow.leased import Leased
from gateway.flow.ports import Clock, Events, Ids, SpoolError, StateStore

PREFIX: Final = "survey/"
DONE: Final = "surveyed"
KEPT: Final = timedelta(days=40)
BEGINS: Final = time(hour=2)
"""UTC: mail is rare at night, and certificates are renewed by day."""
MOST: Final = 500
"""Domains that are looked at: the first by name. That there are more is told."""
LONGEST: Final = timedelta(hours=3)
"""Of one round; what is left is told, and comes first in the next."""
PAUSE: Final = timedelta(seconds=2)
"""Between two domains, which often share a provider."""
LONGEST_ALERT: Final = 2000
"""Characters of what is said of one domain; a report has all of it."""

_NAME: Final = "surveys"
_ALERT: Final = "tls-partner"
_REPORT: Final = TypeAdapter(DomainReport)

Shown: TypeAlias = tuple[Surveyed, DomainReport]


def read_reports(values: Mapping[str, bytes]) -> dict[str, DomainReport]:
    """What is kept under `PREFIX`, by domain; what cannot be read is left out."""
    found: dict[str, DomainReport] = {}
    for key, value in values.items():
        try:
            found[key.removeprefix(PREFIX)] = _REPORT.validate_json(value)
        except ValidationError:
            continue
    return found


class Surveys:
    """A chore of every worker. ``survey`` looks at one domain, ``domains`` are those of the policy in force."""

    def __init__(
        self,
        state: StateStore,
        clock: Clock,
        ids: Ids,
        events: Events,
        survey: Callable[[str], Awaitable[DomainReport]],
        domains: Callable[[], Sequence[Surveyed]],
        show: Callable[[Sequence[Shown], datetime], None],
    ) -> None:
        self._state = state
        self._clock = clock
        self._events = events
        self._survey = survey
        self._domains = domains
        self._show = show
        # Prolonged for each domain, none of which takes as long as a lease.
        self._lease = Leased(_NAME, state, clock, ids)
        # A machine that never surveyed waits for its first night; a start is no reason to call on everybody.
        self._begun = clock.now()
        self._shown: datetime | None = None

    async def look(self) -> None:
        """Shows what is known, and does the night's round if it is due. Raises SpoolError."""
        done = await self._done()
        night = _last_night(self._clock.now())
        if (done or self._begun) < night and await self._lease.mine():
            await self._round(night)
            done = await self._done()
        if done is not None and done != self._shown:
            await self._show_all(done)

    async def _done(self) -> datetime | None:
        """When the last round ended."""
        kept = await self._state.get(DONE)
        try:
            return None if kept is None else datetime.fromisoformat(kept.decode())
        except ValueError:
            return None

    async def _round(self, night: datetime) -> None:
        domains, begun = self._domains(), self._clock.now()
        before = await self._before(domains[:MOST])
        left = len(domains)
        for each in sorted(domains[:MOST], key=lambda each: _last(before.get(each.domain))):
            if self._clock.now() - begun > LONGEST:
                break
            if not await self._lease.mine():
                return
            left -= 1
            report = before.get(each.domain)
            if _last(report) < night:
                await self._one(each, report)
                await self._clock.sleep_until(self._clock.now() + PAUSE)
        if left:
            self._events.alert(_ALERT, "", f"{left} of {len(domains)} partner domains were not surveyed this night.")
        now = self._clock.now()
        await self._state.put(DONE, now.isoformat().encode(), now + KEPT)

    async def _before(self, domains: Sequence[Surveyed]) -> dict[str, DomainReport]:
        """The kept reports of these domains, read one by one: each may have 64 KiB."""
        found: dict[str, DomainReport] = {}
        for each in domains:
            kept = await self._state.get(PREFIX + each.domain)
            found |= read_reports({} if kept is None else {PREFIX + each.domain: kept})
        return found

    async def _one(self, each: Surveyed, before: DomainReport | None) -> None:
        try:
            report = await self._survey(each.domain)
            self._tell(each, before, report)
            kept = settled(before, report)
            await self._state.put(PREFIX + each.domain, _REPORT.dump_json(kept), report.at + KEPT)
        except SpoolError:
            raise
        except Exception as error:  # The others' turn comes all the same.
            self._events.broken("survey", "", error)

    def _tell(self, each: Surveyed, before: DomainReport | None, report: DomainReport) -> None:
        said = list(alarms(report, each.demanded))
        if before is not None:
            said += [change.text for change in drift(before, report) if change.worse]
        if said:
            text = f"{each.partner} ({each.domain}): {' '.join(said)}"
            self._events.alert(_ALERT, "", text if len(text) <= LONGEST_ALERT else f"{text[: LONGEST_ALERT - 1]}…")

    async def _show_all(self, done: datetime) -> None:
        domains = self._domains()
        reports = await self._before(domains[:MOST])
        self._show([(each, reports[each.domain]) for each in domains if each.domain in reports], done)
        self._shown = done


def _last(report: DomainReport | None) -> datetime:
    """When the domain was surveyed; who never was comes first."""
    return datetime.min.replace(tzinfo=UTC) if report is None else report.at


def _last_night(now: datetime) -> datetime:
    """When the round of the last night was due."""
    today = datetime.combine(now.date(), BEGINS, now.tzinfo)
    return today if today <= now else today - timedelta(days=1)
