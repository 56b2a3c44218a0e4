"""The spool: where mail is kept until each recipient has its end. One file for each store, one line in ``SPOOLS``."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.spool.memory import MemorySpool
from gateway.spool.sqlite import SqliteSpool

SPOOLS: Final[Mapping[str, type[MemorySpool] | type[SqliteSpool]]] = MappingProxyType(
    {"memory": MemorySpool, "sqlite": SqliteSpool}
)
