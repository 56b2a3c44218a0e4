"""What people type to open a message, and the tokens in links: made, hashed and compared.

Codes and passphrases are kept as Argon2id (RFC 9106) of an HMAC with a secret that is not in the database; tokens have
so much randomness that SHA-256 is enough.
"""

import base64
import hashlib
import hmac
import re
import secrets
import unicodedata
from typing import Final

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

CODE_DIGITS: Final = 8
# 4 MiB and one pass take 2.5 ms, so that two cores check 200 in a second and carry mail. More would not help much: a
# code lives for 15 minutes and five tries, a passphrase has over 60 bits, whoever has the database alone lacks the
# pepper, and whoever has the key that opens the pepper opens every message with it.
_MEMORY: Final = 4 * 1024
_PASSES: Final = 1
_LANES: Final = 1
_LONGEST: Final = 200
# White space, hyphens and dashes of all kinds that a keyboard or a word processor makes of one, and dots.
_BETWEEN: Final = re.compile(r"[\s.\-\u2010-\u2015\u2212]+")


def new_code() -> str:
    """Eight digits, each as likely as the others."""
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"


def normalise(secret: str) -> str:
    """As it is compared: without case, and blanks, hyphens and dots are only what stands between words."""
    folded = unicodedata.normalize("NFKC", secret[:_LONGEST]).casefold()
    words = [word for word in _BETWEEN.split(folded) if word]
    joined = "".join(words)
    return joined if joined.isdecimal() else "-".join(words)


def hash_secret(secret: str, pepper: bytes) -> str:
    """In PHC form with its parameters; takes milliseconds, so call it in a thread."""
    return _argon(secrets.token_bytes(16)).derive_phc_encoded(_peppered(secret, pepper))


def matches(secret: str, hashed: str, pepper: bytes) -> bool:
    """Whether it is the one that was hashed; as long as `hash_secret`."""
    try:
        Argon2id.verify_phc_encoded(_peppered(secret, pepper), hashed)
    except (InvalidKey, ValueError):
        return False
    return True


def token_for(seed: bytes, number: int) -> str:
    """The end of a reader's link: 256 bits, of the package's seed."""
    return base64.urlsafe_b64encode(hmac.digest(seed, f"link/{number}".encode(), "sha256")).decode().rstrip("=")


def token_hash(token: str) -> bytes:
    """What the database knows of it."""
    return hashlib.sha256(token[:_LONGEST].encode("utf-8", "backslashreplace")).digest()


def _peppered(secret: str, pepper: bytes) -> bytes:
    return hmac.digest(pepper, normalise(secret).encode("utf-8", "backslashreplace"), "sha256")


def _argon(salt: bytes) -> Argon2id:
    return Argon2id(salt=salt, length=32, iterations=_PASSES, lanes=_LANES, memory_cost=_MEMORY)
