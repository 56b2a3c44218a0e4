"""The policy in force, and older ones by their hash for recipients that were accepted under them and are still open.

Left out on purpose: reading and checking files, and replacing the policy: a reload makes a new book, and a message in
hand keeps the one that it began with.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.core.policy import Policy
from gateway.flow.ports import Spool

_MOST_RECALLED: Final = 8
"""Reloads within the 48 hours that a recipient may stay open are few; one that is parsed again is only slower."""


@dataclass(frozen=True, slots=True)
class Edition:
    """A policy and the bytes it was loaded from."""

    policy: Policy
    text: bytes


class PolicyBook:
    """``parse`` makes a policy of kept bytes; it may raise, and then that policy cannot be had any more."""

    def __init__(self, edition: Edition, parse: Callable[[bytes], Policy]) -> None:
        self._edition = edition
        self._parse = parse
        self._recalled: dict[str, Policy] = {}

    @property
    def edition(self) -> Edition:
        """The one in force, with its bytes."""
        return self._edition

    @property
    def current(self) -> Policy:
        """The policy in force."""
        return self._edition.policy

    async def recall(self, policy_hash: str, spool: Spool) -> Policy | None:
        """The policy of that hash, if need be from the spool; None if it was not kept. Raises what ``parse`` raises."""
        if policy_hash == self.current.hash:
            return self.current
        if policy_hash not in self._recalled:
            text = await spool.policy(policy_hash)
            if text is None:
                return None
            while len(self._recalled) >= _MOST_RECALLED:
                del self._recalled[next(iter(self._recalled))]
            self._recalled[policy_hash] = self._parse(text)
        return self._recalled[policy_hash]
