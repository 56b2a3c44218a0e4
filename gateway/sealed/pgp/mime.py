"""PGP/MIME (RFC 3156 section 4): the sealed content between its two parts. Everything is in memory."""

from dataclasses import dataclass

from pysequoia import Cert, encrypt

from gateway.sealed.pgp.keys import NoKey


@dataclass(frozen=True, slots=True)
class Envelope:
    """The body of a multipart/encrypted, whose ``boundary`` the header names."""

    boundary: str
    armored: bytes

    def fields(self) -> bytes:
        """What the header says of it, with the empty line."""
        return (
            'MIME-Version: 1.0\r\nContent-Type: multipart/encrypted; protocol="application/pgp-encrypted";\r\n'
            f'\tboundary="{self.boundary}"\r\n\r\n'
        ).encode()

    def body(self) -> bytes:
        """Both parts."""
        first = "Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n"
        second = (
            'Content-Type: application/octet-stream; name="encrypted.asc"\r\n'
            'Content-Disposition: inline; filename="encrypted.asc"\r\n\r\n'
        )
        mark = f"--{self.boundary}"
        head = f"{mark}\r\n{first}\r\n{mark}\r\n{second}".encode()
        return head + self.armored + f"\r\n{mark}--\r\n".encode()


def seal(entity: bytes, cert: Cert, boundary: str) -> Envelope | NoKey:
    """The entity for the owner of that key; takes a moment of CPU. A key that cannot encrypt is none."""
    try:
        armored = encrypt(entity, [cert])
    except (ValueError, RuntimeError):
        return NoKey("Their OpenPGP key has no part that this gateway encrypts for.")
    lines = bytes(armored).replace(b"\r\n", b"\n").strip(b"\n").replace(b"\n", b"\r\n")
    return Envelope(boundary, lines + b"\r\n")
