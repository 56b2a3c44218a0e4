"""Each recipient goes by the first way that is open to them: the reasons stand in the record, and nothing is clear."""

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZipFile

import pytest

from gateway.core.outcome import Declined, Delivered, Sealed
from gateway.core.record import EventKind, State
from tests.e2e.portal_world import OUTSIDE, PortalWorld, Sent, parsed, plain_text, portal_world
from tests.sealed.cms.people import YEAR, opened, person, rsa_key
from tests.sealed.pgp.ring import Gpg, gpg

__all__ = ["gpg"]

MARKER = b"Plain words of the letter."
SECURE_FIRST = 'route  = ["secure", "encrypted"]'


async def chain(world: PortalWorld, routes: str, ways: str) -> None:
    """Restricted mail takes these routes from now on."""
    house = world.here
    house.edit(house.household.policy, SECURE_FIRST, f"route  = {routes}")
    house.edit(house.household.config, "[listen.portal]", f"{ways}\n[listen.portal]")
    await world.process.stop()
    await world.start()


async def ends(world: PortalWorld, sent: Sent) -> dict[str, tuple[State | None, str]]:
    """By name, once all of them have one."""
    count = len(sent.recipients)
    await world.here.until(lambda: len(world.here.events(sent.queue_id, EventKind.ENDED)) == count)
    found = world.here.events(sent.queue_id, EventKind.ENDED)
    return {event.address.partition(".")[0]: (event.state, event.route) for event in found}


def tried(world: PortalWorld, sent: Sent, name: str) -> list[tuple[str, str]]:
    """Each attempt for a recipient: its route, and what it came to."""
    told: list[tuple[str, str]] = []
    for event in world.here.events(sent.queue_id, EventKind.ATTEMPT):
        if not event.address.startswith(f"{name}."):
            continue
        match event.outcome:
            case Declined(detail=detail):
                told.append((event.route, detail))
            case Delivered(sealing=sealing) | Sealed(sealing=sealing) if sealing is not None:
                told.append((event.route, sealing.method.value))
            case other:
                told.append((event.route, repr(other)))
    return told


def nothing_was_clear(world: PortalWorld) -> None:
    assert world.here.world.inbox.newest()
    for arrival in world.here.world.inbox.newest():
        assert arrival.tls is not None or MARKER not in arrival.content


async def test_one_has_a_certificate_and_the_other_reads_in_the_portal(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    async with portal_world(tmp_path) as world:
        folder = world.here.household.root / "recipients"
        folder.mkdir()
        alice = person(f"alice.way@{OUTSIDE}", key=rsa_key(), valid=(now - YEAR, now + YEAR))
        (folder / f"alice.way@{OUTSIDE}.pem").write_bytes(alice.pem)
        ways = '[routes.smime]\ntransport = "smime"\ntls = "may"\ncertificates = "recipients"\n'
        await chain(world, '["secure", "smime", "encrypted"]', ways)

        sent = await world.send("alice", "bob", level="restricted", word="way", button="")
        assert await ends(world, sent) == {"alice": (State.DELIVERED, "smime"), "bob": (State.SEALED, "encrypted")}
        first, second = tried(world, sent, "alice")
        assert first[0] == "secure" and "STARTTLS" in first[1]
        assert second == ("smime", "smime")
        first, second, third = tried(world, sent, "bob")
        assert first[0] == "secure" and "STARTTLS" in first[1]
        assert second == ("smime", f"There is no certificate for bob.way@{OUTSIDE}.")
        assert third == ("encrypted", "portal")

        [arrival] = world.here.world.inbox.to(sent.recipients[0])
        assert MARKER in opened(tmp_path, alice, arrival.content)
        assert await world.link(sent.recipients[1])
        notice = await world.mail_to(sent.sender, "Sealed")
        assert f"Why this way: There is no certificate for bob.way@{OUTSIDE}." in plain_text(notice)
        nothing_was_clear(world)


@pytest.mark.peer("gpg")
@pytest.mark.peer("7zz")
async def test_one_has_a_key_and_the_other_gets_a_protected_file(tmp_path: Path, gpg: Gpg) -> None:
    async with portal_world(tmp_path) as world:
        folder = world.here.household.root / "keys"
        folder.mkdir()
        (folder / f"alice.way@{OUTSIDE}.asc").write_bytes(await gpg.make(f"alice.way@{OUTSIDE}"))
        keys = '[routes.openpgp]\ntransport = "openpgp"\ntls = "may"\nkeys = "keys"\n'
        files = '[routes.archive]\ntransport = "archive"\ntls = "may"\n'
        await chain(world, '["secure", "openpgp", "archive"]', keys + files)

        sent = await world.send("alice", "bob", level="restricted", word="way", button="")
        assert await ends(world, sent) == {"alice": (State.DELIVERED, "openpgp"), "bob": (State.DELIVERED, "archive")}
        assert [route for route, _ in tried(world, sent, "alice")] == ["secure", "openpgp"]
        first, second, third = tried(world, sent, "bob")
        assert first[0] == "secure" and "STARTTLS" in first[1]
        assert second == ("openpgp", f"There is no OpenPGP key of bob.way@{OUTSIDE}.")
        assert third == ("archive", "archive")

        [to_alice] = world.here.world.inbox.to(sent.recipients[0])
        *_, sealed = parsed(to_alice.content).iter_parts()
        content = sealed.get_payload(decode=True)
        assert isinstance(content, bytes) and MARKER in await gpg.run("--decrypt", data=content)

        [to_bob] = world.here.world.inbox.to(sent.recipients[1])
        [file] = parsed(to_bob.content).iter_attachments()
        data = file.get_payload(decode=True)
        assert isinstance(data, bytes)
        told = plain_text(await world.mail_to(sent.sender, "Password"))
        password = re.search(r"^Password: (\S+)\s*$", told, re.MULTILINE)
        assert password is not None and password[1].encode() not in to_bob.content
        assert MARKER in unzipped(tmp_path, data, password[1])
        nothing_was_clear(world)


def unzipped(folder: Path, data: bytes, password: str) -> bytes:
    """The original message out of a protected file, as 7-Zip opens it."""
    (folder / "x.zip").write_bytes(data)
    command = ["7zz", "x", "-y", f"-p{password}", f"-o{folder}/out", str(folder / "x.zip")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with ZipFile(folder / "out" / "message.zip") as inner:
        return inner.read("original.eml")
