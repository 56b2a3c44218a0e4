"""What Prometheus hears of the exported audit: how far it is, and whether a chain is broken.

The time is kept when the process dies, so that its age grows.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge


class AuditMetrics:
    """Of the one process that exports."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.exported = Counter("sealpost_audit_exported", "Audit events exported.", registry=registry)
        self.complete = Gauge(
            "sealpost_audit_complete_timestamp_seconds",
            "When the exported audit last had everything that the spool has; its age is the lag.",
            registry=registry,
            multiprocess_mode="max",
        )
        self.broken = Gauge(
            "sealpost_audit_broken",
            "Shards whose chain cannot be continued, or was found changed by the daily verification.",
            registry=registry,
            multiprocess_mode="max",
        )
