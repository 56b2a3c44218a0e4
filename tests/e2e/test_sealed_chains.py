"""Chains whose later routes seal, end to end: who has a key gets it, who has none takes the next, and the record tells.

What travels is opened with `openssl`, `gpg` and `7zz`; the record is what `queue show`, `explain` and the letters say.
"""

import json
import re
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from gateway.core.outcome import Delivered, Sealed
from gateway.core.record import EventKind, State
from gateway.core.sealing import Method
from tests.e2e.asking import ask
from tests.e2e.scenes import Sent, pdf, send, somebody
from tests.e2e.sealed_stage import ARCHIVE, PORTAL, SealingStage, after, parsed, plain, sealing, unpacked
from tests.e2e.stage import POLICIES, Setting, scenario_cast, wire
from tests.sealed.cms.people import YEAR, opened, person, rsa_key
from tests.sealed.pgp.ring import Gpg, gpg

__all__ = ["gpg"]

KEYED, KEYLESS, LATE = "lawyer@plain.example", "clerk@plain.example", "usher@plain.example"
RULE = "Restricted, or the Secure email button"
NO_TLS = "mx.plain.example [127.0.25.11] does not offer STARTTLS."
SHIPPED = (POLICIES / "derbyshire.toml").read_text()
CHAIN = 'route  = ["secure", "encrypted"]'


def council(*chain: str) -> Setting:
    """The council's policy, whose Restricted mail takes these routes."""
    assert SHIPPED.count(CHAIN) == 1
    policy = SHIPPED.replace(CHAIN, f"route  = {json.dumps(chain)}")
    return Setting(cast=scenario_cast(), policy=policy)


async def shown(here: SealingStage, sent: Sent) -> dict[str, list[tuple[str, str, str]]]:
    """What `queue show` tells of each recipient's way: every event with its route, and what it came to."""
    record: dict[str, Any] = (await ask(here.on.folder, "queue", "show", sent.queue_id, "--json")).json
    found: dict[str, list[tuple[str, str, str]]] = {address: [] for address in sent.recipients}
    for event in record["events"]:
        if event.get("recipient") in found:
            found[event["recipient"]].append((event["kind"], event.get("route", ""), _came_to(event)))
    return found


def _came_to(event: dict[str, Any]) -> str:
    outcome = event.get("outcome")
    if outcome is None:
        return str(event.get("state") or event.get("text") or event.get("rule"))
    return str(outcome["detail"] or outcome["sealing"]["grade"])


async def explained(here: SealingStage, sent: Sent) -> dict[str, dict[str, Any]]:
    """What `explain` says of each recipient."""
    told = (await ask(here.on.folder, "explain", "--queue-id", sent.queue_id, "--json")).json
    return {one["recipient"]: one for one in told["recipients"]}


def reasons(told: dict[str, Any]) -> list[tuple[str, str]]:
    """Why each route was left."""
    return [(step["route"], step["outcome"]["detail"]) for step in told["earlier"]]


def spoken(mail: EmailMessage) -> list[str]:
    """The passphrases of a confirmation, in the order of its recipients."""
    return re.findall(r"^Passphrase: (\S+)\s*$", plain(mail), re.MULTILINE)


def body(sent: Sent) -> bytes:
    return wire(sent.message).partition(b"\r\n\r\n")[2]


@pytest.mark.peer("openssl")
async def test_a_certificate_else_the_portal(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    now, folder = datetime.now(UTC), tmp_path / "recipients"
    folder.mkdir()
    lawyer = person(KEYED, key=rsa_key(), valid=(now - YEAR, now + YEAR))
    late = person(LATE, key=rsa_key(1), valid=(now - 2 * YEAR, now - YEAR))
    (folder / f"{KEYED}.pem").write_bytes(lawyer.pem)
    (folder / f"{LATE}.pem").write_bytes(late.pem)
    smime = f'transport = "smime"\ntls = "may"\ncertificates = "{folder}"\n'
    setting = council("secure", "smime", "encrypted")
    async with sealing(tmp_path_factory, "smime", setting, smime=smime, encrypted=PORTAL) as here:
        clerk = somebody()
        sent = await send(here.on, clerk, clerk.letter(KEYED, KEYLESS, LATE, level="restricted", files=(pdf(),)))
        assert await sent.ended() == {
            KEYED: (State.DELIVERED, "smime"),
            KEYLESS: (State.SEALED, "encrypted"),
            LATE: (State.SEALED, "encrypted"),
        }
        first = [
            ("decided", "", RULE),
            ("attempt", "secure", NO_TLS),
            ("moved", "smime", "from secure"),
        ]
        record, told = await shown(here, sent), await explained(here, sent)
        assert record[KEYED] == [
            *first,
            ("attempt", "smime", "sealed, S/MIME"),
            ("ended", "smime", "delivered"),
        ]
        confirmation = await here.mail(clerk.address, sent, "Sealed")
        expired = f"it expired on {late.certificate.not_valid_after_utc:%Y-%m-%d}"
        for address, why in (
            (KEYLESS, f"There is no certificate for {KEYLESS}."),
            (LATE, f"The certificate of {LATE} cannot be used: {expired}."),
        ):
            assert record[address] == [
                *first,
                ("attempt", "smime", why),
                ("moved", "encrypted", "from smime"),
                ("attempt", "encrypted", "sealed, code by verified mail"),
                ("ended", "encrypted", "sealed"),
            ]
            assert f"Why this way: {why}" in plain(confirmation)
            assert reasons(told[address]) == [("secure", NO_TLS), ("smime", why)]
            assert told[address]["last"]["sealing"]["method"] == "portal"
        assert "Sent by: smime" in plain(await here.mail(clerk.address, sent, "Sent another way"))
        assert methods(here, sent) == {KEYED: Method.SMIME, KEYLESS: Method.PORTAL, LATE: Method.PORTAL}

        (arrival,) = here.on.world.inbox.to(KEYED)
        assert arrival.tls is None and arrival.rcpt_to == (KEYED,)
        assert opened(tmp_path, lawyer, arrival.content).endswith(body(sent))
        passphrases = dict(zip((KEYLESS, LATE), spoken(confirmation), strict=True))
        for address, passphrase in passphrases.items():
            async with here.reader(await here.link(address, sent)) as reader:
                assert clerk.word in (await reader.open(passphrase)).text
                assert (await reader.original()).endswith(body(sent))
        assert not sent.in_the_clear()


@pytest.mark.peer("gpg")
@pytest.mark.peer("7zz")
async def test_a_key_else_a_protected_file(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, gpg: Gpg) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / f"{KEYED}.asc").write_bytes(await gpg.make(KEYED))
    openpgp = f'transport = "openpgp"\ntls = "may"\nkeys = "{folder}"\n'
    setting = council("secure", "openpgp", "archive")
    async with sealing(tmp_path_factory, "openpgp", setting, openpgp=openpgp, archive=ARCHIVE) as here:
        clerk = somebody()
        sent = await send(here.on, clerk, clerk.letter(KEYED, KEYLESS, level="restricted", files=(pdf(),)))
        assert await sent.ended() == {KEYED: (State.DELIVERED, "openpgp"), KEYLESS: (State.DELIVERED, "archive")}
        no_key = f"There is no OpenPGP key of {KEYLESS}."
        first = [("decided", "", RULE), ("attempt", "secure", NO_TLS), ("moved", "openpgp", "from secure")]
        record, told = await shown(here, sent), await explained(here, sent)
        assert record[KEYED] == [
            *first,
            ("attempt", "openpgp", "sealed, OpenPGP"),
            ("ended", "openpgp", "delivered"),
        ]
        assert record[KEYLESS] == [
            *first,
            ("attempt", "openpgp", no_key),
            ("moved", "archive", "from openpgp"),
            ("attempt", "archive", "sealed, protected archive"),
            ("ended", "archive", "delivered"),
        ]
        assert reasons(told[KEYLESS]) == [("secure", NO_TLS), ("openpgp", no_key)]
        assert told[KEYLESS]["last"]["sealing"]["method"] == "archive"
        assert methods(here, sent) == {KEYED: Method.OPENPGP, KEYLESS: Method.ARCHIVE}

        (keyed,) = here.on.world.inbox.to(KEYED)
        *_, part = parsed(keyed.content).iter_parts()
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        assert (await gpg.run("--decrypt", data=content)).endswith(body(sent))

        (keyless,) = here.on.world.inbox.to(KEYLESS)
        password = after("Password", await here.mail(clerk.address, sent, "Password"))
        inside = unpacked(tmp_path / "x", keyless, password)
        assert inside["original.eml"].endswith(body(sent))
        assert password not in f"{record}{told}"
        await here.forgotten(password, clerk.word)
        assert not sent.in_the_clear()


def methods(here: SealingStage, sent: Sent) -> dict[str, Method]:
    """How each recipient's message was sealed, as the audit has it."""
    found = {
        event.address: event.outcome.sealing
        for event in here.on.events(sent.queue_id, EventKind.ATTEMPT)
        if isinstance(event.outcome, Delivered | Sealed)
    }
    return {address: sealing.method for address, sealing in found.items() if sealing is not None}
