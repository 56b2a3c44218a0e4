"""Office files: the names of encrypted streams, and the flags of old Word and Excel files."""

import pytest

from gateway.core.facts import Lock
from gateway.core.inside.office import OfficeLook
from tests.core.inside.samples import ole

WORD = b"\xec\xa5\xc1\x00\x09\x04\x00\x00\x00\x00"
BOF = b"\x09\x08\x10\x00" + bytes(16)


def lock(data: bytes, step: int = 100_000) -> Lock:
    look = OfficeLook()
    for at in range(0, len(data), step):
        look.feed(data[at : at + step])
    return look.close().lock


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (ole(), Lock.OPEN),
        (ole(stream="WordDocument"), Lock.OPEN),
        (ole(stream="EncryptedPackage"), Lock.OFFICE),
        (ole(stream="EncryptedSummary", before=90_000), Lock.OFFICE),
        (ole(sector="EncryptedPackage, said a text".encode("utf-16-le")), Lock.OPEN),
        (ole(sector=WORD + b"\x00\x01"), Lock.OFFICE),
        (ole(sector=WORD + b"\x00\x12"), Lock.OPEN),
        (ole(sector=b"\xec\xa6" + WORD[2:] + b"\x00\x01"), Lock.OPEN),
        (ole(sector=BOF + b"\x2f\x00\x36\x00"), Lock.OFFICE),
        (ole(sector=BOF + b"\x42\x00\x02\x00"), Lock.OPEN),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Lock.OPEN),
        (ole(sector=WORD)[:522], Lock.OPEN),
    ],
)
@pytest.mark.parametrize("step", [100_000, 7, 600])
def test_a_password_is_seen_wherever_the_file_is_cut(data: bytes, expected: Lock, step: int) -> None:
    assert lock(data, step) is expected
