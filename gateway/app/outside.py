"""What the network is told by a configuration, for the gateway and for commands that look as it would."""

from gateway.config.settings import Settings
from gateway.transports.network import NetworkOptions


def network_options(settings: Settings) -> NetworkOptions:
    """The settings of the machine that transports need."""
    return NetworkOptions(
        hostname=settings.hostname,
        dns=settings.dns,
        ca=settings.tls_ca,
        mx=settings.mx,
        internal=settings.internal_networks,
        pins=settings.pins,
        require_tls=settings.require_tls,
        remember=settings.remember_tls,
    )
