"""What stands in a cell of a register: the same in CSV, where all is text, and in TOML, which has types of its own."""

import re
from datetime import date, datetime
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from gateway.config.page import as_list
from gateway.config.units import Line, parse_network, read_size
from gateway.core.address import BadAddress, parse_address
from gateway.core.registers.systems import Network

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_BETWEEN: Final = re.compile(r"[\s;]+")


def split_list(value: object) -> tuple[str, ...]:
    """Texts, separated by spaces or ``;`` where they stand in one cell."""
    if isinstance(value, str):
        return tuple(text for text in _BETWEEN.split(value) if text)
    items = as_list(value)
    texts = tuple(item for item in items if isinstance(item, str) and item.strip())
    if not isinstance(value, list) or len(texts) < len(items):
        raise ValueError("this is a list of texts in quotes")
    return texts


def parse_day(value: object) -> date:
    """``2026-12-31``, as a date of TOML or as text; a time of day is no date."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError as exc:
        raise ValueError(f"`{value}` is no day of the calendar") from exc
    raise ValueError("a date is year-month-day, such as 2026-12-31")


def parse_yes(value: object) -> bool:
    """``yes`` or ``no``, or TOML's own."""
    if isinstance(value, bool):
        return value
    if value not in ("yes", "no"):
        raise ValueError("this is yes or no")
    return value == "yes"


def parse_bytes(value: object) -> int:
    """A size such as ``25MiB``, more than nothing."""
    size = read_size(value)
    if not size:
        raise ValueError("a limit of nothing is none")
    return size


def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(parse_network(text) for text in texts)


def _mailbox(text: str) -> str:
    try:
        parse_address(text)
    except BadAddress as exc:
        raise ValueError(f"`{text}` is not an address: {exc}") from exc
    return text


Texts: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(split_list)]
Some: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(split_list), Field(min_length=1)]
SomeBytes: TypeAlias = Annotated[int, BeforeValidator(parse_bytes)]
Networks: TypeAlias = Annotated[tuple[Network, ...], BeforeValidator(lambda value: _networks(split_list(value)))]
Day: TypeAlias = Annotated[date, BeforeValidator(parse_day)]
YesNo: TypeAlias = Annotated[bool, BeforeValidator(parse_yes)]
Mailbox: TypeAlias = Annotated[str, AfterValidator(_mailbox)]
Name: TypeAlias = Annotated[Line, Field(max_length=100)]
