"""The table of transports: a new one is one file and one line here; the contract tests run over all of them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.transports.archive import Archive
from gateway.transports.base import RouteTransport
from gateway.transports.mx import Mx
from gateway.transports.openpgp import OpenPgp
from gateway.transports.portal import Portal
from gateway.transports.smarthost import Smarthost
from gateway.transports.smime import Smime

TRANSPORTS: Final[Mapping[str, type[RouteTransport]]] = MappingProxyType(
    {"archive": Archive, "mx": Mx, "openpgp": OpenPgp, "portal": Portal, "smarthost": Smarthost, "smime": Smime}
)
