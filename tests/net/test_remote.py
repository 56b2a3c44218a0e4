"""Who is asked about a host, and who is not."""

import pytest

from gateway.core.dane import NoTlsa, Tlsa, TlsaFacts, TlsaFound, TlsaUnknown, TlsaUnusable
from gateway.core.sts import StsUnknown
from gateway.core.tls import MxAuth
from gateway.net.remote import Remote, local_facts
from tests.fakes.mail_world import KnownSts, KnownTlsa

DOMAIN, MX = "partner.example", "mx.partner.example"
FOUND = TlsaFound(MX, (Tlsa(3, 1, 1, bytes(32)),))
NO_ANSWER = StsUnknown("no answer")


@pytest.mark.parametrize(
    ("tlsa", "mx", "policy"),
    [
        (NoTlsa.OFF, MxAuth.NONE, True),
        (NoTlsa.INSECURE, MxAuth.NONE, True),
        (NoTlsa.ABSENT, MxAuth.DNSSEC, True),
        (TlsaUnusable(MX), MxAuth.DNSSEC, True),
        (TlsaUnknown("no answer"), MxAuth.NONE, False),
        (FOUND, MxAuth.DNSSEC, False),
        # Records are no word on whether the domain means this host.
        (FOUND, MxAuth.NONE, True),
    ],
)
async def test_the_policy_is_asked_for_where_dane_leaves_something_open(
    tlsa: TlsaFacts, mx: MxAuth, policy: bool
) -> None:
    dane, sts = KnownTlsa(), KnownSts()
    dane.hosts[MX] = tlsa
    sts.domains[DOMAIN] = NO_ANSWER
    facts = await Remote(dane, sts).facts(DOMAIN, MX, mx)
    assert (facts.domain, facts.host, facts.mx, facts.tlsa) == (DOMAIN, MX, mx, tlsa)
    assert dane.asked == [MX]
    assert sts.asked == ([DOMAIN] if policy else [])
    assert (facts.sts is NO_ANSWER) is policy


@pytest.mark.parametrize(
    ("host", "mx", "name"),
    [
        ("[192.0.2.1]", MxAuth.NONE, "192.0.2.1"),
        ("[IPv6:2001:db8::1]", MxAuth.NONE, "2001:db8::1"),
        (MX, MxAuth.LOCAL, MX),
    ],
)
async def test_nobody_is_asked_about_addresses_and_hosts_of_our_own(host: str, mx: MxAuth, name: str) -> None:
    dane, sts = KnownTlsa(), KnownSts()
    facts = await Remote(dane, sts).facts(DOMAIN, host, mx)
    assert facts == local_facts(DOMAIN, host, mx)
    assert (facts.host, facts.mx) == (name, mx)
    assert (dane.asked, sts.asked) == ([], [])
