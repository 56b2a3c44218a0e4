"""The transport `smime`: each message is sealed for its recipient's certificate, and leaves by MX (RFC 8551).

A certificate names its owner to everybody who has the message, so recipients share one only with a certificate (that of
their domain). The content streams: it is never in memory or in a file in the clear. Left out on purpose: collecting
certificates from signed mail that comes in, which another program does.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

from gateway.core.outcome import Cause, Declined, Deferred, Outcome, Proof
from gateway.core.reply import Status
from gateway.core.route import Route
from gateway.core.sealing import Method, Sealing
from gateway.flow.ports import Delivery, Target
from gateway.sealed.cms.envelope import Content, Envelope
from gateway.sealed.cms.header import Halves, halves
from gateway.sealed.cms.lines import Base64Lines
from gateway.sealed.cms.sign import EntitySigner, Wrapper
from gateway.sealed.recipients.choosing import Choice, Chooser, Chosen, NoneUsable
from gateway.sealed.recipients.folder import Folder
from gateway.sealed.recipients.found import Source
from gateway.sealed.recipients.ldap import LdapDirectory, LdapServer, parse_url
from gateway.sealed.recipients.trust import Trust
from gateway.transports.network import Network
from gateway.transports.wrapping import Batch, NotWrapped, Planned, Sink, Wrapping

HARVESTED: Final = "harvested"
"""The folder in that of the certificates where collected ones lie."""

_BLOCK: Final = 256 * 1024
"""What one thread encrypts at a time: large enough that handing it over costs nothing beside it."""


class Smime(Wrapping):
    """One route."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Options(Wrapping.Options):
        """``certificates`` and ``crl`` are folders, ``ca`` and ``ldap_ca`` files of authorities in PEM form.

        ``ldap`` is ``ldaps://host/base``. ``harvested`` says that collected certificates may be used. ``subject`` is
        a neutral one that stands outside. ``gcm`` says for whom AES-256-GCM is used: "known" is for those whose
        certificate says that they can open it. The signature is made with ``sign_certificate``.

        Raises:
            ValueError: no place of certificates, one that nothing vouches for, or a password without TLS.
        """

        certificates: Path | None = None
        ldap: str | None = None
        ldap_ca: Path | None = None
        bind_dn: str | None = None
        bind_password: str | None = field(default=None, repr=False)
        harvested: bool = False
        ca: Path | None = None
        crl: Path | None = None
        sign_certificate: Path | None = None
        private_key: Path | None = None
        subject: str | None = None
        gcm: Literal["known", "always", "never"] = "known"

        def __post_init__(self) -> None:
            for is_wrong, sentence in self._rules():
                if is_wrong:
                    raise ValueError(sentence)
            if self.ldap is not None and not parse_url(self.ldap)[2] and self.bind_password is not None:
                raise ValueError("bind_password is only sent by TLS: ldap begins with ldaps://")

        def _rules(self) -> Iterable[tuple[bool, str]]:
            ldap, password = self.ldap is not None, self.bind_password is not None
            nowhere = self.certificates is None and not ldap
            yield nowhere, "certificates come from certificates, a folder, or ldap"
            yield ldap and self.ca is None, "ldap needs ca: a directory alone vouches for nobody"
            yield self.harvested and None in (self.ca, self.certificates), "harvested needs certificates and ca"
            yield self.crl is not None and self.ca is None, "crl needs ca: those who sign the lists"
            yield password and self.bind_dn is None, "bind_password needs bind_dn"
            yield not ldap and (password or self.ldap_ca is not None), "bind_password and ldap_ca need ldap"
            yield self.private_key is not None and self.sign_certificate is None, "private_key needs sign_certificate"
            yield not (self.subject or "x").isprintable(), "subject is one line of text"

    def __init__(self, route: Route, options: object, network: Network) -> None:
        if not isinstance(options, Smime.Options):
            raise TypeError("smime is made from Smime.Options")
        super().__init__(route, options, network)
        self._options = options
        self._directory = _directory(options)
        self._chooser = Chooser(list(self._sources()), Trust(options.ca, options.crl))
        ours = options.sign_certificate
        self._signer = EntitySigner(ours, options.private_key) if ours is not None else None

    def _sources(self) -> Iterable[Source]:
        folder = self._options.certificates
        if folder is not None:
            yield Folder(folder, believed=True)
        if self._directory is not None:
            yield self._directory
        if folder is not None and self._options.harvested:
            yield Folder(folder / HARVESTED, believed=False)

    async def plan(self, delivery: Delivery) -> Planned:
        """One message for each certificate. Raises NotWrapped, SpoolError."""
        now = self._tools.clock.now()
        addresses = [target.recipient.address for target in delivery.targets]
        choices = await asyncio.gather(*(self._chooser.choose(address, now) for address in addresses))
        outcomes, groups = _sorted_out(delivery.targets, choices)
        if not groups:
            return Planned(outcomes)
        entity = await self._entity(delivery)
        return Planned(outcomes, tuple(self._batch(entity, chosen, targets) for chosen, targets in groups))

    async def aclose(self) -> None:
        """Ends what carries it, and lets go of the directory."""
        await super().aclose()
        if self._directory is not None:
            self._directory.close()

    async def _entity(self, delivery: Delivery) -> "_Entity":
        parts = halves(delivery.header, self._options.subject)
        unsigned = _Entity(self, delivery, parts, Wrapper(b"", b""))
        if self._signer is None:
            return unsigned
        digest = sha256()
        async with aclosing(unsigned.blocks()) as blocks:
            async for block in blocks:
                await asyncio.to_thread(digest.update, block)
        now = self._tools.clock.now()
        wrapper = await asyncio.to_thread(self._signer.wrapper, digest.digest(), now)
        return _Entity(self, delivery, parts, wrapper)

    def body(self, delivery: Delivery) -> AsyncIterator[bytes]:
        """The body as it was received. Raises SpoolError."""
        return self._network.bodies.open(delivery.body, delivery.body_offset)

    def _batch(self, entity: "_Entity", chosen: Chosen, targets: tuple[Target, ...]) -> Batch:
        content = self._content(chosen)
        until = f"{chosen.usable.certificate.not_valid_after_utc:%Y-%m-%d}"
        to = f"to the certificate {chosen.usable.digest[:16]} (until {until}) of {chosen.holder}"
        return Batch(
            targets=targets,
            header=entity.halves.outer + _fields(content),
            write=partial(_write, entity, chosen, content),
            sealing=Sealing(method=Method.SMIME, detail=f"S/MIME, {content.value}, {to}"),
        )

    def _content(self, chosen: Chosen) -> Content:
        match self._options.gcm:
            case "always":
                return Content.GCM
            case "never":
                return Content.CBC
            case "known":
                return Content.GCM if chosen.usable.gcm else Content.CBC
