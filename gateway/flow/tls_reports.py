"""The reports on TLS: one process of the machine tells the domains that ask for it how their day was (RFC 8460).

Sent before its counts are forgotten: a crash between the two sends it twice, and never not at all. What cannot be sent
is tried again for about a day. Left out on purpose: DKIM, which signs all mail of the sender's domain on its way out.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Protocol, TypeAlias, assert_never

from gateway.core.record import Entry, Kind
from gateway.core.tls_count import SessionCount
from gateway.core.tls_report import TlsReport
from gateway.core.tlsrpt import Destination, MailTo, PostTo, read_rua
from gateway.flow.leased import Leased
from gateway.flow.options import TlsrptOptions
from gateway.flow.ports import Spool
from gateway.flow.post import Letter, Post
from gateway.flow.shared import Shared
from gateway.flow.tls_counts import CLOSES, ends, key_of, read_counts

SPREAD: Final = timedelta(hours=2, minutes=55)
"""Over so long the gateways of the world spread the begin of their reports; all begin within four hours."""
SLACK: Final = timedelta(minutes=5)
"""A writer may have looked at the clock just before its day was closed."""
GIVE_UP: Final = timedelta(hours=28)
"""After the end of its day: what began within four hours was tried for 24 (section 5.5)."""
RETRY_AFTER: Final = timedelta(hours=1)
ROUND: Final = timedelta(minutes=5)
"""A round ends after so long, within its lease; the rest waits for the next."""
AT_ONCE: Final = 4
"""Domains that are served at the same time, so that one whose host is slow does not hold up all others."""
MOST_KEYS: Final = 2000
"""Values that are read at once; what is beyond them waits for the next round."""

_NAME: Final = "tls-reports"
_SENT: Final = "tlsrpt/sent/"
_KEEP: Final = timedelta(days=3)


class NoAnswer(Protocol):
    """A lookup that failed."""

    @property
    def reason(self) -> str:
        """Why, in one sentence."""
        ...


AskTexts: TypeAlias = Callable[[str], Awaitable[tuple[bytes, ...] | NoAnswer]]
"""The TXT records of a name."""
PostFile: TypeAlias = Callable[[str, bytes], Awaitable[bool]]
"""Hands a report to an ``https`` address; whether it was taken."""


@dataclass(frozen=True, slots=True)
class _Due:
    """The counts of a domain on a day, by their keys."""

    day: date
    domain: str
    values: Mapping[str, bytes]


class TlsReports:
    """A chore of one worker, which sends by its own spool. ``on_commit`` hears of each commit."""

    def __init__(
        self,
        spool: Spool,
        shared: Shared,
        on_commit: Callable[[Sequence[Entry]], None],
        options: TlsrptOptions,
        texts: AskTexts,
        post: PostFile,
    ) -> None:
        self._spool = spool
        self._shared = shared
        self._on_commit = on_commit
        self._options = options
        self._texts = texts
        self._post = post
        self._lease = Leased(_NAME, shared.state, shared.clock, shared.ids)
        self._later: dict[tuple[date, str], datetime] = {}

    async def send(self) -> None:
        """One round over the days that are over. Raises SpoolError."""
        now = self._shared.clock.now()
        days = [day for day in (now.date() - timedelta(days=ago) for ago in (2, 1)) if self._begins(day) <= now]
        if not days or not await self._lease.mine():
            return
        self._later = {what: when for what, when in self._later.items() if what[0] in days}
        given_up = [due.domain for day in days for due in await self._day(day, now + ROUND)]
        if given_up:
            text = f"{len(given_up)} reports on TLS could not be handed over in a day, the first for {given_up[0]}"
            self._shared.events.alert("tls-report-unsent", "", text)

    async def _day(self, day: date, until: datetime) -> list[_Due]:
        """Sends what can be sent until then; returns what nobody tries any more."""
        waiting, given_up = iter(await self._due(day)), list[_Due]()
        serving = (self._serve(waiting, until, given_up) for _ in range(AT_ONCE))
        # A failure of one ends no other in the middle of a report, which would be sent twice.
        for ended in await asyncio.gather(*serving, return_exceptions=True):
            if ended is not None:
                raise ended
        return given_up

    async def _serve(self, waiting: Iterator[_Due], until: datetime, given_up: list[_Due]) -> None:
        """One domain after the other, of those that nobody serves yet."""
        for due in waiting:
            if self._shared.clock.now() >= until:
                return
            is_last = self._shared.clock.now() >= ends(due.day) + GIVE_UP
            is_done = await self._report(due)
            if is_done or is_last:
                await self._forget(due)
            else:
                self._later[due.day, due.domain] = self._shared.clock.now() + RETRY_AFTER
            if is_last and not is_done:
                given_up.append(due)

    async def _due(self, day: date) -> list[_Due]:
        """By domain, those first that were never tried; where the list is cut, its last domain waits for its keys."""
        found: dict[str, dict[str, bytes]] = {}
        items = await self._shared.state.items(key_of(day), MOST_KEYS)
        for key, value in items.items():
            found.setdefault(key.split("/")[2], {})[key] = value
        if len(items) == MOST_KEYS and len(found) > 1:
            found.popitem()
        now = self._shared.clock.now()
        due = [_Due(day, domain, found[domain]) for domain in found if self._later.get((day, domain), now) <= now]
        return sorted(due, key=lambda each: (day, each.domain) in self._later)

    async def _report(self, due: _Due) -> bool:
        """Whether all is done that there is to do."""
        answer = await self._texts(f"_smtp._tls.{due.domain}")
        if not isinstance(answer, tuple):
            return False
        wanted = read_rua(answer)
        report = self._report_of(due)
        if not wanted or not report.policies:
            return True
        sent = await self._shared.state.get_many([_sent_key(due, each) for each in wanted])
        missing = [each for each in wanted if _sent_key(due, each) not in sent]
        return all(await asyncio.gather(*(self._hand_over(due, report, each) for each in missing)))

    async def _hand_over(self, due: _Due, report: TlsReport, to: Destination) -> bool:
        """To one destination; none keeps another from its copy."""
        try:
            if not await self._carry(report, to):
                return False
            await self._shared.state.put(_sent_key(due, to), b"", ends(due.day) + _KEEP)
        except Exception as error:
            self._shared.events.broken("tls report", "", error)
            return False
        return True

    async def _carry(self, report: TlsReport, to: Destination) -> bool:
        match to:
            case MailTo(address):
                post = Post(self._spool, self._shared)
                stamp, reason = post.stamp(), f"our own report on TLS of mail to {report.domain} on {report.day}"
                text = report.mail(address, stamp)
                entry = await post.letter(
                    Letter(kind=Kind.TLS_REPORT, to=address, text=text, stamp=stamp, reason=reason)
                )
                await self._spool.commit((entry,))
                self._on_commit((entry,))
                self._shared.events.accepted(entry.message, entry.rows)
                return True
            case PostTo(url):
                return await self._post(url, report.file())
            case _:
                assert_never(to)

    def _report_of(self, due: _Due) -> TlsReport:
        count = SessionCount(due.domain)
        for value in due.values.values():
            count.add(read_counts(value))
        return TlsReport(
            organisation=self._options.organisation,
            contact=self._options.contact,
            sender=self._options.sender,
            hostname=self._shared.system.hostname,
            domain=due.domain,
            day=due.day,
            policies=count.policies(),
        )

    async def _forget(self, due: _Due) -> None:
        for key in due.values:
            await self._shared.state.delete(key)

    def _begins(self, day: date) -> datetime:
        """When reports of the day begin: always the same time of this gateway for this day, and another of others."""
        seed = hashlib.sha256(f"{self._shared.system.hostname} {day}".encode()).digest()[:4]
        return ends(day) + CLOSES + SLACK + SPREAD * (int.from_bytes(seed) / 2**32)


def _sent_key(due: _Due, to: Destination) -> str:
    name = hashlib.sha256(str(to).encode()).hexdigest()[:32]
    return f"{_SENT}{due.day}/{due.domain}/{name}"
