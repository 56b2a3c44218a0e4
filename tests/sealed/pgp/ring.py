"""GnuPG with a key ring of its own: keys of every kind, and what it opens."""

import asyncio
import os
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

# A key that is weak, or of an old kind, without a passphrase.
_MADE = "%no-protection\n{lines}\nName-Email: {address}\nExpire-Date: 1y\n%commit\n"
_REVOKE = b"key 1\nrevkey\ny\n0\n\ny\nsave\n"


class Gpg:
    """Keys without a passphrase."""

    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700)
        self._env = {**os.environ, "GNUPGHOME": str(home)}

    async def run(self, *words: str, data: bytes = b"", batch: bool = True, ends: int = 0) -> bytes:
        """What it says; ``ends`` is its exit code."""
        how = "--batch" if batch else "--no-tty"
        command = ["gpg", how, "--yes", "--pinentry-mode=loopback", "--passphrase=", *words]
        done = await asyncio.to_thread(
            subprocess.run, command, input=data, capture_output=True, env=self._env, check=False
        )
        assert done.returncode == ends, done.stderr.decode()
        return done.stdout

    async def make(self, address: str, *how: str, at: str = "") -> bytes:
        """A new public key, ``at`` a time such as 20240101T000000."""
        when = [f"--faked-system-time={at}"] if at else []
        wanted = how or ("future-default", "default", "1y")
        await self.run(*when, "--quick-generate-key", f"Somebody <{address}>", *wanted)
        return await self.export(address)

    async def make_of(self, address: str, *lines: str) -> bytes:
        """A new public key as `gpg` describes it in a file of parameters."""
        await self.run("--generate-key", data=_MADE.format(lines="\n".join(lines), address=address).encode())
        return await self.export(address)

    async def add_subkey(self, address: str, expires: str, at: str = "") -> bytes:
        """The public key with another part that encrypts."""
        when = [f"--faked-system-time={at}"] if at else []
        await self.run(*when, "--quick-add-key", await self.fingerprint(address), "cv25519", "encr", expires)
        return await self.export(address)

    async def revoke_subkey(self, address: str) -> bytes:
        """The public key with its first subkey revoked."""
        fingerprint = await self.fingerprint(address)
        await self.run("--command-fd=0", "--edit-key", fingerprint, data=_REVOKE, batch=False)
        return await self.export(address)

    async def fingerprint(self, address: str) -> str:
        """Of the primary key."""
        listed = (await self.run("--list-keys", "--with-colons", address)).decode()
        return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))

    async def export(self, address: str) -> bytes:
        """The public key, armoured."""
        return await self.run("--armor", "--export", address)

    async def begin(self) -> None:
        """Starts its agent; what gpg itself starts it does not wait for long enough on a busy machine."""
        await asyncio.to_thread(subprocess.run, ["gpgconf", "--launch", "gpg-agent"], env=self._env, check=True)

    async def end(self) -> None:
        """Ends its agent."""
        await asyncio.to_thread(subprocess.run, ["gpgconf", "--kill", "gpg-agent"], env=self._env, check=False)


@pytest.fixture
async def gpg(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Gpg]:
    """Its agent's socket has a short path, or it cannot be made."""
    made = Gpg(tmp_path_factory.mktemp("g") / "h")
    await made.begin()
    yield made
    await made.end()
