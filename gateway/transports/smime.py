"""The transport `smime`: each message is sealed for its recipient's certificate, and leaves by MX (RFC 8551).

A certificate names its owner to everybody who has the message, so recipients share one only with a certificate (that of
their domain). The content streams: it is never in memory or in a file in the clear. Left out on purpose: collecting
certificates from signed mail that comes in, which another program does.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, Literal, assert_never

from cryptography.x509 import Certificate

from gateway.core.outcome import Cause, Declined, Deferred, Outcome, Proof
from gateway.core.reply import Status
from gateway.core.route import Route
from gateway.core.sealing import Method, Sealing
from gateway.flow.ports import Delivery, Target
from gateway.sealed.cms.entity import Entity
from gateway.sealed.cms.envelope import Content
from gateway.sealed.cms.header import halves
from gateway.sealed.cms.sign import EntitySigner
from gateway.sealed.recipients.choosing import Chooser, Chosen, NoneUsable, NotTold
from gateway.sealed.recipients.folder import Folder
from gateway.sealed.recipients.found import Source
from gateway.sealed.recipients.ldap import LdapDirectory, LdapServer, parse_url
from gateway.sealed.recipients.trust import Trust
from gateway.transports.network import Network
from gateway.transports.wrapping import Batch, NotWrapped, Planned, Sink, Wrapping

HARVESTED: Final = "harvested"
"""The folder in that of the certificates where collected ones lie."""

# RFC 8551 section 3.2; the header block ends with them.
_FIELDS: Final = (
    b'MIME-Version: 1.0\r\nContent-Type: application/pkcs7-mime; smime-type=%b;\r\n\tname="smime.p7m"\r\n'
    b'Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename="smime.p7m"\r\n\r\n'
)


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
            yield password is (self.bind_dn is None), "bind_dn and bind_password go together"
            yield not ldap and (password or self.ldap_ca is not None), "bind_dn and ldap_ca need ldap"
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
        """One message for each certificate. Raises SpoolError."""
        now = self._tools.clock.now()
        addresses = [target.recipient.address for target in delivery.targets]
        choices = await asyncio.gather(*(self._chooser.choose(address, now) for address in addresses))
        pairs = list(zip(delivery.targets, choices, strict=True))
        outcomes = {target.number: _outcome(choice) for target, choice in pairs if not isinstance(choice, Chosen)}
        chosen = [(target, choice) for target, choice in pairs if isinstance(choice, Chosen)]
        return Planned(outcomes, await self._batches(delivery, chosen, now) if chosen else ())

    async def _batches(
        self, delivery: Delivery, chosen: Sequence[tuple[Target, Chosen]], now: datetime
    ) -> tuple[Batch, ...]:
        parts = halves(delivery.header, self._options.subject)
        entity = Entity(
            before=parts.inner,
            body=lambda: self._network.bodies.open(delivery.body, delivery.body_offset),
            body_size=delivery.body.size - delivery.body_offset,
        )
        if self._signer is not None:
            entity = await entity.signed(self._signer, now)
        groups = dict[tuple[str, str], list[tuple[Target, Chosen]]]()
        for each in chosen:
            groups.setdefault((each[1].usable.digest, each[1].holder), []).append(each)
        return tuple(self._batch(entity, parts.outer, group) for group in groups.values())

    def _batch(self, entity: Entity, outer: bytes, group: Sequence[tuple[Target, Chosen]]) -> Batch:
        chosen = group[0][1]
        content = self._content(chosen)
        certificate = chosen.usable.certificate
        until = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
        to = f"to the certificate {chosen.usable.digest[:16]} (until {until}) of {chosen.holder}"
        return Batch(
            targets=tuple(target for target, _ in group),
            header=outer + _FIELDS % content.smime_type.encode(),
            write=partial(_write, entity, certificate, content),
            sealing=Sealing(method=Method.SMIME, detail=f"S/MIME, {content.value}, {to}"),
        )

    def _content(self, chosen: Chosen) -> Content:
        known = chosen.usable.gcm or self._options.gcm == "always"
        return Content.GCM if known and self._options.gcm != "never" else Content.CBC

    async def aclose(self) -> None:
        """Ends what carries it, and lets go of the directory."""
        await super().aclose()
        if self._directory is not None:
            self._directory.close()


async def _write(entity: Entity, certificate: Certificate, content: Content, sink: Sink) -> None:
    try:
        async with aclosing(entity.sealed(certificate, content)) as lines:
            async for some in lines:
                await sink.write(some)
    except ValueError as error:
        raise NotWrapped(f"The message could not be sealed: {error}.") from error


def _outcome(choice: NoneUsable | NotTold) -> Outcome:
    match choice:
        case NoneUsable(detail):
            return Declined(proof=Proof.NO_KEY, status=Status(5, 7, 5), detail=detail)
        case NotTold(detail):
            return Deferred(cause=Cause.LOCAL, status=Status(4, 3, 0), detail=detail)
        case _:
            assert_never(choice)


def _directory(options: Smime.Options) -> LdapDirectory | None:
    if options.ldap is None:
        return None
    host, port, tls, base = parse_url(options.ldap)
    return LdapDirectory(
        LdapServer(
            host=host,
            port=port,
            tls=tls,
            base=base,
            bind_dn=options.bind_dn,
            bind_password=options.bind_password,
            ca=options.ldap_ca,
        )
    )
