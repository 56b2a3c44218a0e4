"""The supervisor's own metrics, and the one page of all processes (prometheus-client's multiprocess files).

The supervisor counts in memory; its workers count in files of ``folder``, which carry the worker's slot in their name,
so that a replacement goes on counting where the dead worker stopped.
"""

import os
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Info, generate_latest, multiprocess, values
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from gateway.telemetry.figures import Figures, read_figures

FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Read by prometheus-client when it is imported; the supervisor sets it for the workers it executes."""

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4


def use_slot(slot: int) -> None:
    """Names this process's metric files by its slot. To be called before the first metric is made."""
    if FOLDER_VARIABLE in os.environ:
        # prometheus-client leaves both functions of this file without types.
        values.ValueClass = values.MultiProcessValue(lambda: slot)  # pyright: ignore[reportUnknownMemberType]


class ProcessMetrics:
    """What the supervisor counts: reloads, the configuration in force, and its workers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._registry = registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, str(folder))
        self.reloads = Counter("sealpost_reloads", "Reloads by result.", ["result"], registry=registry)
        self.reload_good = Gauge(
            "sealpost_reload_last_successful", "1 when the last reload was taken over.", registry=registry
        )
        self.reload_time = Gauge("sealpost_reload_last_success_timestamp_seconds", "When it was.", registry=registry)
        self.configuration = Info("sealpost_configuration", "The configuration in force.", registry=registry)
        self.worker_up = Gauge("sealpost_worker_up", "1 while the worker is ready.", ["slot"], registry=registry)
        self.worker_restarts = Counter(
            "sealpost_worker_restarts", "Replacements of workers that died.", ["slot"], registry=registry
        )

    def initialise(self, slots: int, results: tuple[str, ...]) -> None:
        """Sets every label set to 0."""
        for slot in range(slots):
            self.worker_up.labels(slot)
            self.worker_restarts.labels(slot)
        for result in results:
            self.reloads.labels(result)

    def forget(self, slot: int) -> None:
        """Takes the gauges of a dead worker off the page; its counters stay."""
        multiprocess.mark_process_dead(slot, str(self._folder))  # pyright: ignore[reportUnknownMemberType]

    def figures(self) -> Figures:
        """What they say now, reduced to one screen; belongs in a thread likewise."""
        return read_figures(self._registry.collect())

    def page(self) -> bytes:
        """All metrics in the text format. Reads the workers' files, so it belongs in a thread."""
        return generate_latest(self._registry)
