"""Keeps each policy that comes into force, and tells the log what changed."""

from datetime import UTC, datetime
from typing import Final

from gateway.app.editions import Editions, NewPolicy
from gateway.app.reload import Asked
from gateway.app.source import Configuration
from gateway.telemetry.log import Log

_LOGGED: Final = 8192
"""Characters of a difference in the log; the whole is in ``policies/``."""


class Keeper:
    """That it cannot keep one is told and stops nothing: the policy is in force already."""

    def __init__(self, editions: Editions, log: Log) -> None:
        self._editions = editions
        self._log = log

    def keep(self, configuration: Configuration, asked: Asked) -> str:
        """Blocks. Returns what the operator should know; nothing if all is well."""
        new = NewPolicy(
            at=datetime.now(UTC),
            operator=asked.operator,
            reference=asked.reference,
            configuration=configuration.hash,
            policy=configuration.policy,
            text=configuration.policy_text,
        )
        try:
            edition = self._editions.add(new)
        except OSError as error:
            self._log.error("policy not kept", detail=error.strerror or str(error), policy=configuration.policy_hash)
            return f"the change could not be recorded: {error.strerror or error}"
        if edition is not None:
            self._log.info(
                "policy",
                operator=edition.operator or None,
                reference=edition.reference or None,
                before=edition.before or None,
                policy=edition.hash,
                difference=edition.difference[:_LOGGED],
            )
        return ""
