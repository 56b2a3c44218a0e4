"""Sealpost: an outbound mail gateway that makes an organisation's secure-transfer policy true."""

__version__ = "0.1.0"
