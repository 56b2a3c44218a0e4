"""Keys for tests, with the records that belong to them, and a message to sign."""

from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.signing.keys import DkimKey, PrivateKey, load_key
from gateway.signing.record import key_record

RSA = "s2026r"
ED25519 = "s2026e"
DOMAIN = "council.example"

MESSAGE = (
    b"Received: from exchange by gateway;\r\n\tMon, 02 Mar 2026 09:00:00 +0000\r\n"
    b"From: An Officer <officer@council.example>\r\n"
    b"To: gp@tls.example,\r\n\tnurse@tls.example\r\n"
    b"Subject:   the \t planted   subject \r\n"
    b"Date: Mon, 02 Mar 2026 09:00:00 +0000\r\n"
    b"Message-ID: <original@council.example>\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"\r\n"
    b"The  body.\t \r\n.\r\n\r\n second line\r\n\r\n \r\n"
)


def pem(key: PrivateKey) -> bytes:
    """As it stands in a file."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@cache
def rsa_pem(bits: int = 2048) -> bytes:
    """An RSA key, the same at each call."""
    return pem(generate_private_key(public_exponent=65537, key_size=bits))


@cache
def ed25519_pem() -> bytes:
    """An Ed25519 key, the same at each call."""
    return pem(Ed25519PrivateKey.generate())


def dkim_key(selector: str, *domains: str) -> DkimKey:
    """The key of that selector, for `DOMAIN` if none is named."""
    private_key = rsa_pem() if selector == RSA else ed25519_pem()
    return DkimKey(domains=frozenset(domains or (DOMAIN,)), selector=selector, private_key=private_key)


def records(*keys: DkimKey) -> dict[str, str]:
    """What DNS has for the keys, by name."""
    return {
        f"{key.selector}._domainkey.{domain}": key_record(load_key(key.private_key))
        for key in keys
        for domain in key.domains
    }


def both() -> tuple[DkimKey, DkimKey]:
    """Both kinds for one domain."""
    return dkim_key(RSA), dkim_key(ED25519)
