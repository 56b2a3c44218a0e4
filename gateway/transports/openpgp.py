"""The transport `openpgp`: each message is encrypted for its recipient's key, and leaves by MX (RFC 3156).

One message for each recipient, because the key ids in it would tell them of each other. It is made in memory, so the
route carries messages up to 64 MiB. Left out on purpose: signatures, and keys from elsewhere than the folder.
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from pysequoia import Cert

from gateway.core.outcome import Declined, Outcome, Proof
from gateway.core.reply import Status
from gateway.core.route import Route
from gateway.core.sealing import Method, Sealing
from gateway.flow.ports import Delivery, Target
from gateway.sealed.cms.header import Halves, halves
from gateway.sealed.pgp.keys import KeyFolder, NoKey
from gateway.sealed.pgp.mime import Envelope, seal
from gateway.transports.network import Network
from gateway.transports.wrapping import Batch, Planned, Sink, Wrapping

MOST: Final = 64 * 1024 * 1024


class OpenPgp(Wrapping):
    """One route."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Options(Wrapping.Options):
        """``keys`` is the folder of recipients' keys; ``subject`` a neutral one that stands outside.

        Raises:
            ValueError: a subject that is not one line.
        """

        keys: Path
        subject: str | None = None

        def __post_init__(self) -> None:
            if not (self.subject or "x").isprintable():
                raise ValueError("subject is one line of text")

    def __init__(self, route: Route, options: object, network: Network) -> None:
        if not isinstance(options, OpenPgp.Options):
            raise TypeError("openpgp is made from OpenPgp.Options")
        super().__init__(route, options, network)
        self._options = options
        self._keys = KeyFolder(options.keys)

    async def plan(self, delivery: Delivery) -> Planned:
        """One message for each recipient that has a key. Raises OSError, SpoolError."""
        if delivery.size > MOST:
            text = f"OpenPGP is for messages of at most {MOST // 1024 // 1024} MiB."
            return Planned({target.number: _declined(Proof.SIZE, Status(5, 3, 4), text) for target in delivery.targets})
        keys = await asyncio.to_thread(self._find, delivery)
        outcomes: dict[int, Outcome] = {}
        batches: list[Batch] = []
        parts = halves(delivery.header, self._options.subject)
        entity = (
            parts.inner + await self._body(delivery) if any(isinstance(key, Cert) for key in keys.values()) else b""
        )
        for target in delivery.targets:
            made = await self._batch(target, keys[target.number], parts, entity)
            if isinstance(made, Batch):
                batches.append(made)
            else:
                outcomes[target.number] = _declined(Proof.NO_KEY, Status(5, 7, 5), made.reason)
        return Planned(outcomes, tuple(batches))

    def _find(self, delivery: Delivery) -> Mapping[int, Cert | NoKey]:
        now = self._tools.clock.now()
        return {target.number: self._keys.find(target.recipient.address, now) for target in delivery.targets}

    async def _body(self, delivery: Delivery) -> bytes:
        body = self._network.bodies.open(delivery.body, delivery.body_offset)
        return b"".join([block async for block in body])

    async def _batch(self, target: Target, key: Cert | NoKey, parts: Halves, entity: bytes) -> Batch | NoKey:
        if isinstance(key, NoKey):
            return key
        sealed = await asyncio.to_thread(seal, entity, key, secrets.token_urlsafe(16))
        if isinstance(sealed, NoKey):
            return sealed
        detail = f"OpenPGP, to the key {key.fingerprint} of {target.recipient.address}"
        return Batch(
            targets=(target,),
            header=parts.outer + sealed.fields(),
            write=partial(_write, sealed),
            sealing=Sealing(method=Method.OPENPGP, detail=detail),
        )


async def _write(envelope: Envelope, sink: Sink) -> None:
    await sink.write(envelope.body())


def _declined(proof: Proof, status: Status, detail: str) -> Declined:
    return Declined(proof=proof, status=status, detail=detail)
