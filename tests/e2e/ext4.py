"""A disk of its own for a gateway's spool, whose file system a test can break as hardware does (ext4 in a loop)."""

import contextlib
import fcntl
import os
import struct
import subprocess
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN."""
NO_FLUSH = 2
"""What the journal has not written yet is lost."""


@dataclass(frozen=True, slots=True)
class Ext4:
    """Mounted at ``folder``; an error makes it read-only, as Debian's installer sets it up."""

    folder: Path
    image: Path

    def mount(self) -> None:
        """Mounts it, which repeats its journal. Skips where even root may not."""
        run("mount", "-o", "loop,errors=remount-ro", str(self.image), str(self.folder))

    def unmount(self) -> None:
        """When nobody has a file of it open any more."""
        subprocess.run(["umount", str(self.folder)], check=True)

    def make_read_only(self) -> None:
        """As if an error had been found: files that are open can be written no more."""
        device = os.stat(self.folder).st_dev
        name = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve().name
        try:
            Path(f"/sys/fs/ext4/{name}/trigger_fs_error").write_text("the test wants it so")
        except OSError as error:
            pytest.skip(f"cannot break a file system: {error}")

    def power_off(self) -> None:
        """The disk is gone with all that was not synced; what it holds is seen when it is mounted again."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", NO_FLUSH))
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def ext4(folder: Path, megabytes: int) -> Generator[Ext4]:
    """Mounted until the block ends."""
    folder.mkdir()
    disk = Ext4(folder, folder.with_name("ext4.img"))
    with disk.image.open("wb") as image:
        image.truncate(megabytes * 1024 * 1024)
    run("mkfs.ext4", "-q", str(disk.image))
    disk.mount()
    try:
        folder.chmod(0o700)
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def run(*words: str) -> None:
    """Skips where it cannot be done."""
    done = subprocess.run(words, capture_output=True)
    if done.returncode:
        pytest.skip(f"{words[0]}: {done.stderr.decode().strip()}")
