"""How many days the agreements with partners still run, so that an alert comes before they end (mission R2)."""

import math
from collections.abc import Mapping
from datetime import date
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

from gateway.core.registers.directory import Directory
from gateway.core.registers.partners import Partner

MOST: Final = 500
"""Partners shown, those whose agreement ends soonest."""


class AgreementDays:
    """The gauge; negative once an agreement has ended. Partners without an end date are left out."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._gauge = Gauge(
            "sealpost_agreement_expiry_days",
            "Days until the agreement with a partner ends.",
            ["partner"],
            registry=registry,
            # Each worker knows the same; after a reload the newest is right.
            multiprocess_mode="livemostrecent",
        )
        self._shown: tuple[Directory[Partner], date] | None = None
        self._names: frozenset[str] = frozenset()

    def show(self, partners: Directory[Partner], today: date) -> None:
        """Sets all of them, if the register or the day is another than before."""
        if self._shown is not None and self._shown[0] is partners and self._shown[1] == today:
            return
        self._shown = partners, today
        days = _soonest(partners, today)
        # A sample of several processes cannot be taken back; one without a number raises no alert.
        for name in self._names - days.keys():
            self._gauge.labels(name).set(math.nan)
        for name, left in days.items():
            self._gauge.labels(name).set(left)
        self._names |= days.keys()


def _soonest(partners: Directory[Partner], today: date) -> Mapping[str, int]:
    days = {
        partner.name: (partner.expires - today).days
        for partner in partners.entries()
        if partner.agreement is not None and partner.expires is not None
    }
    return dict(sorted(days.items(), key=lambda item: (item[1], item[0]))[:MOST])
