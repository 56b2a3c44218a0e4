"""TOML as a table: the standard library's reader, whose every way to fail becomes one sentence.

It has limits of its own that are no faults of the text to it: on the digits of a number, and on how deep it can follow.
"""

import tomllib
from collections.abc import Iterator
from typing import Final, cast

MOST_DEPTH: Final = 64
"""Tables and lists within each other; a condition takes two for each ``all``, and people stop far below."""


class NotToml(ValueError):
    """The bytes are no TOML that we read; the text is one sentence, and says where if that is known."""


def read_toml(data: bytes) -> dict[str, object]:
    """Reads a whole file.

    Raises:
        NotToml: it is not UTF-8, not TOML, or has a number or a nesting that nobody needs.
    """
    try:
        table = tomllib.loads(data.decode())
    except UnicodeDecodeError:
        raise NotToml("the file is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as exc:
        raise NotToml(f"this is not TOML: {exc}") from exc
    except RecursionError:
        raise NotToml(_TOO_DEEP) from None
    except ValueError:
        raise NotToml("a number in it has too many digits") from None
    if _is_deeper(table, MOST_DEPTH):
        raise NotToml(_TOO_DEEP)
    return table


_TOO_DEEP: Final = f"tables and lists in it are nested more than {MOST_DEPTH} deep"


def _is_deeper(table: object, most: int) -> bool:
    """Goes down layer by layer, because what calls itself for each would end before the text does."""
    layer = [table]
    for _ in range(most):
        layer = [item for value in layer for item in _items(value) if isinstance(item, dict | list)]
    return bool(layer)


def _items(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from cast("dict[str, object]", value).values()
    elif isinstance(value, list):
        yield from cast("list[object]", value)
