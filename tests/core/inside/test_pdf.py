"""PDF: the trailer's entry, in one piece or cut, and words that only look like it."""

import pytest

from gateway.core.facts import Lock
from gateway.core.inside.pdf import PdfLook

HEAD = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n" + bytes(1000)


@pytest.mark.parametrize(
    ("trailer", "expected"),
    [
        (b"trailer\n<< /Size 22 /Root 1 0 R >>", Lock.OPEN),
        (b"trailer\n<< /Size 22 /Encrypt 20 0 R /Root 1 0 R >>", Lock.PDF),
        (b"<< /Type/XRef/Encrypt 4321 0 R/W[1 2 1] >> stream", Lock.PDF),
        (b"trailer << /Encrypt << /Filter /Standard >> >>", Lock.PDF),
        (b"trailer << /Encrypt<</Filter/Standard>> >>", Lock.PDF),
        (b"<< /EncryptMetadata false /Encrypted 1 0 R >>", Lock.OPEN),
        (b"(write /Encrypt in the trailer)", Lock.OPEN),
        (b"(write /Encrypt) /Encrypt 2 0 R", Lock.PDF),
    ],
)
@pytest.mark.parametrize("step", [100_000, 1, 33])
def test_the_entry_is_found_wherever_the_file_is_cut(trailer: bytes, expected: Lock, step: int) -> None:
    data = HEAD + trailer + bytes(500)
    look = PdfLook()
    for at in range(0, len(data), step):
        look.feed(data[at : at + step])
    assert look.close().lock is expected
