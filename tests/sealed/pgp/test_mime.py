"""Encrypting in a process of its own: the same bytes at any size, in the memory of a block."""

import tracemalloc
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest
from pysequoia import Tsk, decrypt_file

from gateway.sealed.child import ChildFailed
from gateway.sealed.pgp.mime import Sealer

KEY = Tsk.generate(user_id="bob@partner.example")
BLOCK = bytes(range(256)) * 1024


async def blocks(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield BLOCK


async def sealed(path: Path, count: int) -> None:
    with path.open("wb") as file:

        async def take(data: bytes) -> None:
            file.write(data)

        await Sealer(None).seal(bytes(KEY.extract_certificate()), blocks(count), take)


async def test_a_large_message_is_encrypted_in_constant_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        await sealed(tmp_path / "sealed", 96)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()
    decrypt_file(str(tmp_path / "sealed"), str(tmp_path / "opened"), decryptor=KEY.decryptor())
    with (tmp_path / "opened").open("rb") as file:
        digest = sha256()
        while data := file.read(1 << 20):
            digest.update(data)
    assert digest.digest() == sha256(BLOCK * 96).digest()


async def test_every_line_ends_as_mail_wants_it(tmp_path: Path) -> None:
    await sealed(tmp_path / "sealed", 3)
    data = (tmp_path / "sealed").read_bytes()
    assert data.startswith(b"-----BEGIN PGP MESSAGE-----\r\n\r\n")
    assert data.endswith(b"\r\n-----END PGP MESSAGE-----\r\n")
    assert data.count(b"\n") == data.count(b"\r\n")
    assert max(map(len, data.splitlines())) <= 76


@pytest.mark.parametrize("key", [b"", b"nonsense"])
async def test_what_is_no_key_fails(key: bytes) -> None:
    async def take(_: bytes) -> None:
        raise AssertionError("nothing comes of it")

    with pytest.raises(ChildFailed):
        await Sealer(None).seal(key, blocks(1), take)
