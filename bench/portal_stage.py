"""The gateway that `bench.portal` measures: its configuration, and the sealed letters in it with their links."""

import asyncio
import base64
import os
from datetime import UTC, datetime
from pathlib import Path

from bench.load import free_port
from bench.peers import CONFIG, POLICY
from bench.portal_line import MIB
from bench.portal_load import Link
from bench.smtp_probe import submit
from gateway.app.system import SystemClock
from gateway.app.vault import FOLDER
from gateway.sealed.keys import Keyring
from gateway.sealed.store import SealedFiles

WORKERS = 2
_PORTAL = """\
notifications = "letters"
codes = "letters"
replies = "letters"
[portal]
sender = "secure-mail@council.example"
telephone = "01632 960001"
unlock_by_mail_max = "public"
[listen.portal]
address = "127.0.0.1:{portal}"
url = "http://127.0.0.1:{portal}"
proxies = ["127.0.0.1/32"]
[routes.letters]
transport = "smarthost"
host = "127.0.0.1:{letters}"
tls = "may"
[routes.by_code]
transport = "portal"
[routes.by_passphrase]
transport = "portal"
unlock = "passphrase"
"""
_RULES = """\
[[rules]]
name = "Codes"
when = {{ recipient = "{code}" }}
route = ["by_code"]
[[rules]]
name = "Passphrases"
when = {{ recipient = "{passphrase}" }}
route = ["by_passphrase"]
"""
_CODE, _PASSPHRASE = "code.example", "passphrase.example"
_READERS, _UNLOCKERS = 400, 500
_TOGETHER = 100
"""Recipients of one message."""
_LETTER = (
    b"From: officer@council.example\r\nSubject: plan\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\n\r\nSee the file.\r\n--x\r\n'
    b"Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=plan.bin\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n%b\r\n--x--\r\n"
) % base64.encodebytes(os.urandom(MIB)).replace(b"\n", b"\r\n")


def configuration(root: Path, keyring: Keyring, sink: int, letters: int) -> tuple[str, str, int, int]:
    """The texts of configuration and policy, and the ports for mail and of the portal."""
    port, portal = free_port(), free_port()
    (root / "sealing.keys").write_bytes(keyring.to_bytes())
    (root / "sealing.keys").chmod(0o600)
    config = CONFIG.format(workers=WORKERS, port=port, admin=free_port(), dns=free_port(), root=root, sink=sink)
    config = config.replace("[secrets]\n", '[secrets]\nsealing = "file:sealing.keys"\n')
    # The sink of the relay's mail knows no letters of ours.
    config = config.replace('reports = "sink"\nnotices = "sink"', 'reports = "letters"\nnotices = "letters"')
    rules = _RULES.format(code=_CODE, passphrase=_PASSPHRASE)
    policy = POLICY.replace("[[rules]]", f"{rules}[[rules]]", 1)
    return config + _PORTAL.format(portal=portal, letters=letters), policy, port, portal


async def seal(port: int, root: Path, keyring: Keyring) -> tuple[list[Link], list[Link]]:
    """Sends the letters, and finds out the links that their readers get: by code, and by passphrase."""
    for domain, count in ((_CODE, _READERS), (_PASSPHRASE, _UNLOCKERS)):
        for start in range(0, count, _TOGETHER):
            await submit(port, [f"r{start + number}@{domain}" for number in range(_TOGETHER)], _LETTER)
    store = await SealedFiles.open(root / "spool" / FOLDER, keyring, SystemClock())
    try:
        links: list[Link] = []
        async with asyncio.timeout(60):
            while len(links) < _READERS + _UNLOCKERS:
                await asyncio.sleep(0.2)
                links = await _links(store)
    finally:
        await store.aclose()
    return [each for each in links if not each.passphrase], [each for each in links if each.passphrase]


async def _links(store: SealedFiles) -> list[Link]:
    readers = await store.list(datetime.now(UTC))
    secrets = {package: await store.secrets(package) for package in {reader.package for reader in readers}}
    known = [(reader, secrets[reader.package][reader.number]) for reader in readers]
    return [Link(str(reader.address), secret.token, secret.passphrase) for reader, secret in known]
