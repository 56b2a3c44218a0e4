"""The audit replayed against a policy by several processes: 100,000 messages in well under half a minute."""

import multiprocessing
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Final

from gateway.config.beside import policy_hash
from gateway.config.bundle import Bundle
from gateway.config.load import Loaded, load, policy_from
from gateway.config.problems import ConfigError
from gateway.config.trial.replay import Candidate, Tally, replay
from gateway.config.trial.reread import Reader, reader_of
from gateway.spool.past import Stretch, read

_MOST_PROCESSES: Final = 8

_FEW: Final = 2
"""Stretches that are read sooner than a second process is started."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The configuration to be tried, and the texts of policies that were in force: they tell how mail was read."""

    bundle: Bundle
    known: tuple[bytes, ...] = ()

    def candidate(self) -> Candidate:
        """Both, read. A known one that cannot be read any more is as good as forgotten. Raises ConfigError."""
        loaded = load(self.bundle)
        return Candidate(loaded.policy, _Readers(self.known, loaded))


class _Readers(Mapping[str, Reader]):
    """By the policy's hash; each text is read when the first message asks for it."""

    def __init__(self, texts: tuple[bytes, ...], loaded: Loaded) -> None:
        self._texts = {policy_hash(text): text for text in texts}
        self._settings = loaded.settings
        self._read: dict[str, Reader | None] = {loaded.policy.hash: reader_of(loaded.policy)}

    def __getitem__(self, name: str) -> Reader:
        if name not in self._read:
            self._read[name] = self._reader(self._texts[name])
        found = self._read[name]
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter({**self._texts, **self._read})

    def __len__(self) -> int:
        return len({**self._texts, **self._read})

    def _reader(self, text: bytes) -> Reader | None:
        try:
            return reader_of(policy_from(text, self._settings))
        except ConfigError:
            return None


_here: Candidate


def simulate(stretches: tuple[Stretch, ...], trial: Trial, limit: int) -> Tally:
    """Replays all of them; the tally keeps ``limit`` changes.

    Raises:
        ConfigError: the configuration to be tried cannot be used.
        SpoolError: the audit cannot be read.
    """
    candidate, total = trial.candidate(), Tally(limit)
    if len(stretches) <= _FEW:
        for stretch in stretches:
            total.add(_replay(stretch, candidate, limit))
        return total
    processes = min(len(os.sched_getaffinity(0)), _MOST_PROCESSES, len(stretches))
    parts = (trial.bundle.to_bytes(), trial.known)
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _begin, parts) as pool:
        for tally in pool.map(_replay_here, stretches, [limit] * len(stretches)):
            total.add(tally)
    return total


def _replay(stretch: Stretch, candidate: Candidate, limit: int) -> Tally:
    found = read(stretch)
    tally = replay(found.messages, candidate, limit)
    tally.damaged = found.damaged
    return tally


def _begin(bundle: bytes, known: tuple[bytes, ...]) -> None:
    """A process reads the policies once, because that is cheaper than to be handed them with each stretch."""
    global _here
    _here = Trial(Bundle.from_bytes(bundle), known).candidate()


def _replay_here(stretch: Stretch, limit: int) -> Tally:
    return _replay(stretch, _here, limit)
