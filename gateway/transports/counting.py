"""What TLSRPT hears of deliveries by MX: each attempt at a new session with a host, under the policy that applied.

Kept sessions and probes are not counted, nor mail to an address literal, which has no domain to report to (RFC 8460
section 4).
"""

from dataclasses import dataclass, replace

from gateway.core.demand import Demand, HostFacts
from gateway.core.sts import StsFound, StsMode
from gateway.core.tlsrpt import Applied, PolicyType, Result, SessionSeen
from gateway.flow.ports import Delivery, TlsSessions
from gateway.flow.tls_counts import NoSessions
from gateway.net.mta_sts import OnFailure
from gateway.net.tried import Tell, Tried


@dataclass(frozen=True, slots=True)
class HostCount:
    """Counts for mail to one domain at one of its hosts."""

    sessions: TlsSessions
    domain: str
    host: str

    def failed(self, applied: Applied, result: Result, detail: str) -> None:
        """No session was tried, because the policy forbids it or cannot be known."""
        self._note(applied, Tried(address="", ours="", failure=result, detail=detail))

    def telling(self, demand: Demand, facts: HostFacts) -> tuple[Demand, Tell]:
        """The demand, and who hears what came of it.

        A host that a policy in testing mode does not name fails it whatever it shows, so nothing is rehearsed.
        """
        sts = facts.sts
        if (
            demand.applied.type is not PolicyType.STS
            or not isinstance(sts, StsFound)
            or not _leaves_out(sts, facts.host)
        ):
            return demand, lambda tried: self._note(demand.applied, tried)
        detail = f"The MTA-STS policy of {sts.domain} does not name the host {facts.host}."
        unnamed = replace(demand, rehearsal=None)
        return unnamed, lambda tried: self._note(
            demand.applied, replace(tried, failure=Result.VALIDATION, detail=detail)
        )

    def _note(self, applied: Applied, tried: Tried) -> None:
        self.sessions.note(
            SessionSeen(
                domain=self.domain,
                applied=applied,
                host=self.host,
                address=tried.address,
                ours=tried.ours,
                failure=tried.failure,
                detail=tried.detail,
            )
        )


def _leaves_out(sts: StsFound, host: str) -> bool:
    """Whether a policy that is being tested would forbid the host."""
    return sts.policy.mode is StsMode.TESTING and not sts.policy.matches(host)


def count_for(sessions: TlsSessions, delivery: Delivery, host: str) -> HostCount | None:
    """Who counts the sessions of a delivery with a host; None where nobody does, and nothing is rehearsed then."""
    if isinstance(sessions, NoSessions) or not delivery.counted or delivery.destination.startswith("["):
        return None
    return HostCount(sessions, delivery.destination, host)


def fetches_of(sessions: TlsSessions) -> OnFailure:
    """Counts each policy that could not be fetched, as a failure without a session (RFC 8460 section 4.3)."""

    def failed(domain: str, result: Result, reason: str) -> None:
        HostCount(sessions, domain, "").failed(Applied(PolicyType.STS, domain), result, f"{reason}.")

    return failed
