"""``[[tls.pins]]``: the partners whose mail hosts have to prove more than floors and routes ask."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway.config.page import Page, dotted
from gateway.config.tables import PinTable
from gateway.core.address import BadAddress, parse_domain
from gateway.core.grade import DEMANDS
from gateway.core.pin import Pin, Pins

_FINGERPRINT: Final = re.compile(r"sha256:((?:[0-9a-fA-F]{2}:?){31}[0-9a-fA-F]{2})")


def read_pins(page: Page, tables: Sequence[PinTable], base: Path, *, dane: bool) -> Pins:
    """All of them; a domain that has two is a problem. ``dane`` says whether DNSSEC is believed at all."""
    seen: dict[str, str] = {}
    pins: list[Pin] = []
    for number, table in enumerate(tables):
        key = dotted("tls", "pins", number)
        domains = _domains(page, f"{key}.domains", table.domains)
        for domain in domains:
            if domain in seen:
                page.problem(f"{key}.domains", f"{domain} is pinned for {seen[domain]} already")
            seen[domain] = table.name
        _check(page, key, table)
        if table.grade == "dane" and not dane:
            page.problem(f"{key}.grade", "this needs [dns] trust_ad = true and a validating resolver")
        pins.append(_pin(page, key, table, domains, base))
    return Pins(tuple(pins))


def _domains(page: Page, key: str, texts: Sequence[str]) -> tuple[str, ...]:
    found: list[str] = []
    for text in texts:
        star = "*." if text.startswith("*.") else ""
        try:
            found.append(star + parse_domain(text.removeprefix("*.")))
        except BadAddress as error:
            page.problem(key, f"{text!r} is not a domain: {error}")
    return tuple(dict.fromkeys(found))


def _check(page: Page, key: str, table: PinTable) -> None:
    """A pin that could never hold, or asks for nothing."""
    if table.grade == "pinned" and not table.fingerprints:
        page.problem(f"{key}.fingerprints", 'grade = "pinned" needs the fingerprints that its hosts may have')
    if table.private_key is not None and table.client_certificate is None:
        page.problem(f"{key}.private_key", "private_key needs client_certificate")
    if table.grade == "encrypted" and (table.match_names or table.ca):
        page.problem(f"{key}.grade", "match_names and ca are about the certificate: the grade is at least verified")


def _pin(page: Page, key: str, table: PinTable, domains: tuple[str, ...], base: Path) -> Pin:
    return Pin(
        name=table.name,
        domains=domains,
        requirement=DEMANDS[table.grade],
        fingerprints=_fingerprints(page, f"{key}.fingerprints", table.fingerprints),
        names=tuple(name.lower() for name in table.match_names),
        authorities=_path(base, table.ca),
        certificate=_path(base, table.client_certificate),
        private_key=_path(base, table.private_key),
    )


def _fingerprints(page: Page, key: str, texts: Sequence[str]) -> frozenset[str]:
    found: set[str] = set()
    for text in texts:
        match = _FINGERPRINT.fullmatch(text)
        if match is None:
            page.problem(key, f"{text!r} is not sha256: and 64 hex digits; `sealpost tls check` shows them")
        else:
            found.add(match[1].replace(":", "").lower())
    return frozenset(found)


def _path(base: Path, name: str | None) -> str:
    return "" if name is None else str(base / name)
