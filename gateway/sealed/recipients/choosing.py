"""Which certificate a message is sealed for: the places are asked in order, and the first with a usable one has it.

Of several the person's own comes before their domain's, then one whose holder an administrator named, and then the one
that lives longest. What cannot be told is never taken for "there is none".
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias, assert_never

from gateway.core.address import Address
from gateway.sealed.cms.certificates import UNREADABLE, Unusable, Usable, judge, names
from gateway.sealed.recipients.found import Found, LookupFailed, Source
from gateway.sealed.recipients.trust import Revoked, Stranger, Trust, Untold, Vouched

_MOST_REASONS: Final = 3
_NOBODYS_WORD: Final = "no authority vouches for it, and no file is named for them"


@dataclass(frozen=True, slots=True)
class Chosen:
    """``holder`` is the address, or ``@domain`` for the certificate of a domain; ``believed`` is as in `Found`."""

    usable: Usable
    holder: str
    believed: bool


@dataclass(frozen=True, slots=True)
class NoneUsable:
    """There is none, or none can be used; ``detail`` is a sentence with the address and the reason."""

    detail: str


@dataclass(frozen=True, slots=True)
class NotTold:
    """It cannot be told now; ``detail`` is a sentence."""

    detail: str


Choice: TypeAlias = Chosen | NoneUsable | NotTold
_Judged: TypeAlias = Chosen | Unusable | NotTold


class Chooser:
    """Asks ``sources`` in their order."""

    def __init__(self, sources: Sequence[Source], trust: Trust) -> None:
        self._sources = tuple(sources)
        self._trust = trust

    async def choose(self, address: Address, now: datetime) -> Choice:
        """For one recipient."""
        unknown, reasons = list[NotTold](), list[str]()
        for source in self._sources:
            judged = await self._judged(source, address, now)
            chosen = [each for each in judged if isinstance(each, Chosen)]
            if chosen:
                return max(chosen, key=_rank)
            unknown += [each for each in judged if isinstance(each, NotTold)]
            reasons += [each.reason for each in judged if isinstance(each, Unusable)]
        return unknown[0] if unknown else NoneUsable(_sentence(address, reasons))

    async def _judged(self, source: Source, address: Address, now: datetime) -> Sequence[_Judged]:
        try:
            found = await source.find(address)
            return await asyncio.to_thread(lambda: [self._judge(each, address, now) for each in found])
        except LookupFailed as error:
            return [NotTold(str(error))]

    def _judge(self, found: Found, address: Address, now: datetime) -> _Judged:
        usable = judge(found.der, now)
        if isinstance(usable, Unusable):
            return usable
        word = self._trust.word(usable.certificate, now)
        match word:
            case Vouched():
                is_theirs = found.believed or _names(usable, address)
                return _chosen(usable, found) if is_theirs else Unusable("it does not name that address")
            case Stranger():
                return _chosen(usable, found) if found.believed else Unusable(_NOBODYS_WORD)
            case Revoked(at):
                return Unusable(f"it was revoked on {at:%Y-%m-%d}")
            case Untold(reason):
                return NotTold(reason)
            case _:
                assert_never(word)


def _chosen(usable: Usable, found: Found) -> Chosen:
    return Chosen(usable, found.holder, found.believed)


def _names(usable: Usable, address: Address) -> bool:
    try:
        return address.key in names(usable.certificate)
    except UNREADABLE:
        return False


def _rank(chosen: Chosen) -> tuple[bool, bool, datetime]:
    return not chosen.holder.startswith("@"), chosen.believed, chosen.usable.certificate.not_valid_after_utc


def _sentence(address: Address, reasons: Sequence[str]) -> str:
    if not reasons:
        return f"There is no certificate for {address}."
    return f"The certificate of {address} cannot be used: {'; '.join(list(dict.fromkeys(reasons))[:_MOST_REASONS])}."
