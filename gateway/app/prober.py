"""A dialler that counts what it finds: the probes of STARTTLS as a metric, without the network knowing of metrics."""

from dataclasses import dataclass

from prometheus_client import Counter

from gateway.core.outcome import Declined
from gateway.core.tls import Starttls
from gateway.net.answers import IpAddress
from gateway.net.dial import Dialler, Opened
from gateway.net.smtp_session import Endpoint, Session
from gateway.net.terms import Terms
from gateway.net.tried import Tell


@dataclass(frozen=True, slots=True, kw_only=True)
class CountingDialler(Dialler):
    """``found`` is labelled by `Starttls`."""

    found: Counter

    async def open(self, endpoint: Endpoint, address: IpAddress, terms: Terms, tell: Tell | None = None) -> Opened:
        """See `Dialler.open`."""
        # Named, because a dataclass with slots is made anew and super() would look for the first one.
        opened = await Dialler.open(self, endpoint, address, terms, tell)
        self.found.labels(_seen(opened).value).inc()
        return opened


def counting(dialler: Dialler, found: Counter) -> Dialler:
    """The same dialler, counted."""
    return CountingDialler(
        hostname=dialler.hostname,
        contexts=dialler.contexts,
        memory=dialler.memory,
        timeouts=dialler.timeouts,
        clock=dialler.clock,
        found=found,
    )


def _seen(opened: Opened) -> Starttls:
    if isinstance(opened, Session):
        return Starttls.YES
    return Starttls.NO if isinstance(opened, Declined) else Starttls.UNKNOWN
