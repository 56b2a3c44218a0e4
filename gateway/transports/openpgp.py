"""The transport `openpgp`: each message is encrypted for its recipient's key, and leaves by MX (RFC 3156).

One message for each recipient, because the key ids in it would tell them of each other. The content streams: it is
never in memory as a whole, or in a file in the clear. Left out on purpose: key servers, which anybody may fill.
"""

import asyncio
import secrets
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias, assert_never

from pysequoia import Tsk

from gateway.core.address import Address
from gateway.core.outcome import Cause, Declined, Deferred, Outcome, Proof
from gateway.core.reply import Status
from gateway.core.route import Route
from gateway.core.sealing import Method, Sealing
from gateway.flow.ports import Delivery, Target
from gateway.net.wkd_fetch import Absent, NotTold, WkdFetch
from gateway.sealed.child import ChildFailed
from gateway.sealed.cms.entity import Entity
from gateway.sealed.cms.header import Halves, halves
from gateway.sealed.pgp.keys import KeyFolder, NoKey, Usable, choose, read_keys
from gateway.sealed.pgp.mime import Envelope, Sealer
from gateway.sealed.recipients.found import LookupFailed
from gateway.transports.network import Network
from gateway.transports.wrapping import Batch, NotWrapped, Planned, Sink, Wrapping


@dataclass(frozen=True, slots=True)
class _Untold:
    """Whether there is a key cannot be told now; ``detail`` is a sentence."""

    cause: Cause
    detail: str


_Choice: TypeAlias = Usable | NoKey | _Untold


class OpenPgp(Wrapping):
    """One route."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Options(Wrapping.Options):
        """``keys`` is the folder of recipients' keys; with ``wkd`` the recipient's own domain is asked for others.

        ``sign_key`` is a file with a secret key that signs. ``subject`` is a neutral one that stands outside.

        Raises:
            ValueError: no place of keys, or a subject that is not one line.
        """

        keys: Path | None = None
        wkd: bool = False
        sign_key: Path | None = None
        subject: str | None = None

        def __post_init__(self) -> None:
            if self.keys is None and not self.wkd:
                raise ValueError("keys come from keys, a folder, or with wkd from the recipient's domain")
            if not (self.subject or "x").isprintable():
                raise ValueError("subject is one line of text")

    def __init__(self, route: Route, options: object, network: Network) -> None:
        if not isinstance(options, OpenPgp.Options):
            raise TypeError("openpgp is made from OpenPgp.Options")
        super().__init__(route, options, network)
        self._options = options
        self._folder = KeyFolder(options.keys) if options.keys is not None else None
        self._wkd = _wkd(network) if options.wkd else None
        if options.sign_key is not None:
            _check_signing(options.sign_key)
        self._sealer = Sealer(options.sign_key)

    async def plan(self, delivery: Delivery) -> Planned:
        """One message for each recipient that has a key."""
        choices = await asyncio.gather(*(self._choose(target.recipient.address) for target in delivery.targets))
        pairs = list(zip(delivery.targets, choices, strict=True))
        parts = halves(delivery.header, self._options.subject)
        return Planned(
            {target.number: _outcome(choice) for target, choice in pairs if not isinstance(choice, Usable)},
            tuple(self._batch(delivery, parts, each, key) for each, key in pairs if isinstance(key, Usable)),
        )

    async def _choose(self, address: Address) -> _Choice:
        """The folder's key, else one that the domain publishes; what the folder says was revoked stays so."""
        now = self._tools.clock.now()
        try:
            found = await asyncio.to_thread(self._folder.find, address) if self._folder is not None else ()
        except LookupFailed as error:
            return _Untold(Cause.LOCAL, str(error))
        choice = await asyncio.to_thread(choose, found, address, now)
        if isinstance(choice, Usable) or self._wkd is None:
            return choice
        looked = await self._wkd(address)
        match looked:
            case bytes():
                return await asyncio.to_thread(lambda: choose([*found, *read_keys(looked, address)], address, now))
            case Absent():
                return choice
            case NotTold(reason):
                # What keeps a key from being found is never taken for "there is none"; by its deadline it moves on.
                return _Untold(Cause.PROTECTION, f"Whether {address} has an OpenPGP key cannot be told: {reason}.")
            case _:
                assert_never(looked)

    def _batch(self, delivery: Delivery, parts: Halves, target: Target, key: Usable) -> Batch:
        envelope = Envelope(secrets.token_urlsafe(16))
        entity = Entity(
            before=parts.inner,
            body=lambda: self._network.bodies.open(delivery.body, delivery.body_offset),
            body_size=delivery.body.size - delivery.body_offset,
        )
        signed = ", signed" if self._options.sign_key is not None else ""
        return Batch(
            targets=(target,),
            header=parts.outer + envelope.fields(),
            write=partial(_write, self._sealer, envelope, entity, key),
            sealing=Sealing(
                method=Method.OPENPGP,
                detail=f"OpenPGP{signed}, to the key {key.fingerprint} of {target.recipient.address}",
            ),
        )

    async def aclose(self) -> None:
        """Ends what carries it, and what is being asked."""
        await super().aclose()
        if self._wkd is not None:
            await self._wkd.aclose()


async def _write(sealer: Sealer, envelope: Envelope, entity: Entity, key: Usable, sink: Sink) -> None:
    await sink.write(envelope.before())
    try:
        async with aclosing(entity.blocks()) as blocks:
            await sealer.seal(key.key, blocks, sink.write)
    except ChildFailed as error:
        raise NotWrapped("The message could not be encrypted with OpenPGP now.") from error
    await sink.write(envelope.behind())


def _outcome(choice: NoKey | _Untold) -> Outcome:
    match choice:
        case NoKey(reason):
            return Declined(proof=Proof.NO_KEY, status=Status(5, 7, 5), detail=reason)
        case _Untold(cause, detail):
            return Deferred(cause=cause, status=Status(4, 7, 5), detail=detail)
        case _:
            assert_never(choice)


def _wkd(network: Network) -> WkdFetch:
    options = network.options
    return WkdFetch(network.resolver, options.ca, network.sealing.clock, options.mx.allow_networks)


def _check_signing(path: Path) -> None:
    """Raises ValueError with a sentence; what Sequoia says could show more of the key than its path."""
    try:
        Tsk.from_file(str(path)).signer()
    except (RuntimeError, ValueError, OSError):
        raise ValueError(f"sign_key: {path} is no OpenPGP key that signs without a passphrase") from None
