"""Verifiers that are not ours: dkimpy, and opendkim with a DNS of the test's own.

dkimpy leaves Ed25519 to PyNaCl; what it needs of that is done here with `cryptography`.
"""

import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import dkim
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.sandbox.zone import Zone

OPENDKIM = "/usr/sbin/opendkim-testmsg"


class BadSignatureError(Exception):
    """As PyNaCl calls it."""


class _VerifyKey:
    def __init__(self, text: bytes, encoder: object) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(base64.b64decode(text))

    def verify(self, data: bytes, signature: bytes) -> None:
        try:
            self._key.verify(signature, data)
        except InvalidSignature as error:
            raise BadSignatureError from error


NACL = SimpleNamespace(
    signing=SimpleNamespace(VerifyKey=_VerifyKey),
    encoding=SimpleNamespace(Base64Encoder=None),
    exceptions=SimpleNamespace(BadSignatureError=BadSignatureError, ValueError=ValueError),
)


def verdicts(message: bytes, records: Mapping[str, str]) -> dict[str, bool]:
    """By selector, whether dkimpy accepts each signature of the message."""
    real = getattr(dkim, "nacl", None)
    dkim.nacl = NACL
    try:
        return _verdicts(message, records)
    finally:
        if real is None:
            del dkim.nacl
        else:
            dkim.nacl = real


def _verdicts(message: bytes, records: Mapping[str, str]) -> dict[str, bool]:
    def ask(name: bytes, timeout: int = 5) -> bytes:
        return records[name.decode().removesuffix(".")].encode()

    found: dict[str, bool] = {}
    for index in range(message.lower().count(b"\r\ndkim-signature:") + message.lower().startswith(b"dkim-signature:")):
        verifier = dkim.DKIM(message)
        try:
            accepted = verifier.verify(index, dnsfunc=ask)
        except dkim.ValidationError:
            accepted = False
        found[verifier.selector.decode()] = accepted
    return found


def opendkim(message: bytes, records: Mapping[str, str]) -> str:
    """What opendkim finds wrong; empty if a signature holds. Needs root, as it asks the DNS of the system alone."""
    inside = subprocess.run(
        ["unshare", "--net", "--mount", sys.executable, "-m", "tests.signing.verifying"],
        input=message,
        env={**os.environ, "RECORDS": json.dumps(dict(records))},
        capture_output=True,
        timeout=30,
        check=False,
    )
    return (inside.stdout + inside.stderr).decode() or ("" if inside.returncode == 0 else f"exit {inside.returncode}")


def _main() -> int:
    """In a network of its own, whose only name server is this process."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as conf:
        conf.write("nameserver 127.0.0.1\noptions timeout:2 attempts:2\n")
        conf.flush()
        subprocess.run(["mount", "--bind", conf.name, str(Path("/etc/resolv.conf").resolve())], check=True)
        texts = {name: (f"TXT {_strings(text)}",) for name, text in json.loads(os.environ["RECORDS"]).items()}
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 53))
        threading.Thread(target=_answer, args=(server, Zone(records=texts)), daemon=True).start()
        return subprocess.run([OPENDKIM, "-C"], stdin=sys.stdin.buffer, check=False).returncode


def _strings(text: str) -> str:
    return " ".join(f'"{text[start : start + 255]}"' for start in range(0, len(text), 255))


def _answer(server: socket.socket, zone: Zone) -> None:
    while True:
        query, client = server.recvfrom(4096)
        answer = zone.answer(query)
        if answer is not None:
            server.sendto(answer, client)


if __name__ == "__main__":
    sys.exit(_main())
