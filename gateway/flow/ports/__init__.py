"""The ports: all that the flow knows of the outside. One contract suite per port runs over every implementation."""

from gateway.flow.ports.around import Clock, Events, Ids, Jitter, Lookups, StateStore
from gateway.flow.ports.carrying import Delivery, Signer, Target, TlsSessions, Transport
from gateway.flow.ports.sealed import SealedStore, SealedStoreError
from gateway.flow.ports.spool import (
    Bodies,
    BodyWriter,
    Lease,
    LeaseLost,
    OperatorChange,
    QueueFilter,
    QueueItem,
    QueueSize,
    RowChange,
    Settlement,
    Spool,
    SpoolError,
    SpoolFull,
)

__all__ = [
    "Bodies",
    "BodyWriter",
    "Clock",
    "Delivery",
    "Events",
    "Ids",
    "Jitter",
    "Lease",
    "LeaseLost",
    "Lookups",
    "OperatorChange",
    "QueueFilter",
    "QueueItem",
    "QueueSize",
    "RowChange",
    "SealedStore",
    "SealedStoreError",
    "Settlement",
    "Signer",
    "Spool",
    "SpoolError",
    "SpoolFull",
    "StateStore",
    "Target",
    "TlsSessions",
    "Transport",
]
