"""Sizes in binary units: read from a configuration, and said to a person (IEC 80000-13).

Decimal units are refused on purpose: "13 MB" is read as 13,000,000 and as 13,631,488 bytes, and a limit that two
people read differently is no limit.
"""

import re
from typing import Final

_UNITS: Final = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_SIZE: Final = re.compile(r"(\d{1,15})\s?([A-Za-z]+)", re.ASCII)


def parse_size(text: str) -> int:
    """The number of bytes in e.g. ``13MiB``.

    Raises:
        ValueError: not a whole number with a binary unit; the text names the unit that was probably meant.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError("a size is a whole number and a unit, such as 13MiB")
    number, unit = match.groups()
    if unit not in _UNITS:
        meant = next((known for known in _UNITS if known[0] == unit[0].upper()), "MiB")
        raise ValueError(f"sizes are in KiB, MiB or GiB: write {number}{meant}, not {text}")
    return int(number) * _UNITS[unit]


def exactly(size: int) -> str:
    """A limit as it was configured: the largest unit that divides it, e.g. ``13 MiB``."""
    unit = next(unit for unit in ("GiB", "MiB", "KiB", "B") if size % _UNITS[unit] == 0 and size >= _UNITS[unit])
    return f"{size // _UNITS[unit]} {unit}"


def roughly(size: int) -> str:
    """A measured size for a person: one decimal place, e.g. ``13.0 MiB``; small ones as whole bytes."""
    for unit in ("GiB", "MiB", "KiB"):
        if size >= _UNITS[unit]:
            return f"{size / _UNITS[unit]:.1f} {unit}"
    return f"{size} bytes"
