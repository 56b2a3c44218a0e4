"""Transfer encodings as a stream: the exact decoded size, and the decoded text (RFC 2045 section 6).

Blocks of any cut give the same result and nothing is held back but the start of an escape. An unknown encoding counts
and reads as it stands. The size is never below what any decoder makes of it: wrong base64 padding ends nothing, and
white space at line ends of quoted-printable counts.
"""

import binascii
import string
from typing import Final, Protocol

_BASE64: Final = (string.ascii_letters + string.digits + "+/").encode()
_NOT_BASE64: Final = bytes(byte for byte in range(256) if byte not in _BASE64)
# Each byte by what quoted-printable makes of it: ``h`` a hexadecimal digit, ``x`` anything else that is no syntax.
_QP_KINDS: Final = bytes(
    byte if byte in b"=\r\n" else ord("h") if byte in string.hexdigits.encode() else ord("x") for byte in range(256)
)


class Sizer(Protocol):
    """Counts decoded bytes."""

    def feed(self, data: bytes) -> None: ...

    def size(self) -> int:
        """The decoded size of all that was fed; called once, at the end."""
        ...


class Decoder(Protocol):
    """Decodes, for looking into text and files."""

    def feed(self, data: bytes) -> bytes: ...

    def finish(self) -> bytes:
        """What the last bytes come to; called once, at the end."""
        ...


class RawSizer:
    """7bit, 8bit, binary, and every encoding that we do not know."""

    def __init__(self) -> None:
        self._bytes = 0

    def feed(self, data: bytes) -> None:
        self._bytes += len(data)

    def size(self) -> int:
        return self._bytes


class Base64Sizer:
    """Three bytes for four characters of the alphabet; all else is skipped (RFC 2045 section 6.8)."""

    def __init__(self) -> None:
        self._characters = 0

    def feed(self, data: bytes) -> None:
        self._characters += len(data) - len(data.translate(None, _BASE64))

    def size(self) -> int:
        return self._characters * 3 // 4


class QuotedPrintableSizer:
    """An escape is three characters for one byte, a soft line break three for none (RFC 2045 section 6.7).

    Of a pair of equals signs neither begins one.
    """

    def __init__(self) -> None:
        self._bytes = 0
        self._held = b""

    def feed(self, data: bytes) -> None:
        data, self._held = _whole_escapes(self._held + data)
        kinds = data.replace(b"==", b"xx").translate(_QP_KINDS)
        self._bytes += len(data) - 2 * kinds.count(b"=hh") - 3 * kinds.count(b"=\r\n")

    def size(self) -> int:
        return self._bytes + len(self._held)


class RawDecoder:
    """Text that stands as it is."""

    def feed(self, data: bytes) -> bytes:
        return data

    def finish(self) -> bytes:
        return b""


class Base64Decoder:
    """Groups of four characters; padding is skipped, and the last group needs none."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        data = self._held + data.translate(None, _NOT_BASE64)
        whole = len(data) // 4 * 4
        self._held = data[whole:]
        return binascii.a2b_base64(data[:whole])

    def finish(self) -> bytes:
        # One character alone is not even a byte.
        return binascii.a2b_base64(self._held.ljust(4, b"=")) if len(self._held) > 1 else b""


class QuotedPrintableDecoder:
    """Escapes and soft line breaks; a CR alone is dropped, as the binary module would skip to the next LF."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        data, self._held = _whole_escapes(self._held + data.replace(b"\r", b""))
        return binascii.a2b_qp(data)

    def finish(self) -> bytes:
        return binascii.a2b_qp(self._held)


def sizer(encoding: str) -> Sizer:
    """The sizer for a Content-Transfer-Encoding, given casefolded."""
    match encoding:
        case "base64":
            return Base64Sizer()
        case "quoted-printable":
            return QuotedPrintableSizer()
        case _:
            return RawSizer()


def decoder(encoding: str) -> Decoder:
    """The decoder for a Content-Transfer-Encoding, given casefolded."""
    match encoding:
        case "base64":
            return Base64Decoder()
        case "quoted-printable":
            return QuotedPrintableDecoder()
        case _:
            return RawDecoder()


def _whole_escapes(data: bytes) -> tuple[bytes, bytes]:
    """Cuts off an escape whose three characters are not all there yet. ``data`` begins at none, or at a whole one."""
    escape = data.find(b"=", max(len(data) - 2, 0))
    if escape >= 0 and _is_second(data, escape):
        escape = data.find(b"=", escape + 1)
    return (data, b"") if escape < 0 else (data[:escape], data[escape:])


def _is_second(data: bytes, at: int) -> bool:
    """Whether the equals sign there is the second of a pair, which decoders take for one that stands for itself."""
    before = data[:at]
    return (at - len(before.rstrip(b"="))) % 2 == 1
