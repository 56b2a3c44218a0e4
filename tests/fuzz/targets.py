"""All fuzz targets, by their names."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tests.fuzz import answers, config, dialogue, keys, milter, published, replies, scan, sealed, socketmap
from tests.fuzz.target import Target

TARGETS: Final[Mapping[str, Target]] = MappingProxyType(
    {
        module.TARGET.name: module.TARGET
        for module in (answers, config, dialogue, keys, milter, published, replies, scan, sealed, socketmap)
    }
)
