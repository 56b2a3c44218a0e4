"""Whether certificate files can be used: they are loaded as a worker would (OpenSSL through `ssl`), and thrown away.

Only what cannot be loaded is looked at more closely, so nothing is refused that would have worked. Left out on purpose:
names, dates and chains, which a peer judges.
"""

import re
import ssl
from pathlib import Path
from typing import Final

_CERTIFICATE: Final = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----")
_KEY: Final = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----")


def pair_trouble(certificate: Path, private_key: Path | None) -> str | None:
    """Why our own certificate cannot be used, as one sentence; without ``private_key`` the file holds its key too."""
    try:
        # Without a password OpenSSL would ask the terminal for one.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, private_key, password="")
    except OSError as error:  # ssl.SSLError is one
        return _pair_text(certificate, private_key, error)
    return None


def authorities_trouble(file: Path) -> str | None:
    """Why a file of authorities cannot be used, as one sentence."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except OSError as error:
        data = _read(file)
        if isinstance(data, str):
            return data
        return _broken(str(file), error) if _CERTIFICATE.search(data) else _no_certificate(file)
    return None


def _pair_text(certificate: Path, private_key: Path | None, error: OSError) -> str:
    key = private_key or certificate
    chain, secret = _read(certificate), _read(key)
    if isinstance(chain, str):
        return chain
    if isinstance(secret, str):
        return secret
    if not _CERTIFICATE.search(chain):
        return _no_certificate(certificate)
    if not _KEY.search(secret):
        without = "" if private_key else ", and no private_key is named"
        return f"there is no private key in PEM form in {key}{without}"
    if b"ENCRYPTED" in secret:
        return f"the private key in {key} has a passphrase, which nobody could type in"
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return f"the private key in {key} does not belong to the certificate in {certificate}"
    return _broken(" and ".join(dict.fromkeys((str(certificate), str(key)))), error)


def _read(file: Path) -> bytes | str:
    """The file's bytes, or why they cannot be had."""
    try:
        return file.read_bytes()
    except OSError as error:
        return f"the file {file} cannot be read: {error.strerror or error}"


def _no_certificate(file: Path) -> str:
    return f"there is no certificate in PEM form in {file}"


def _broken(files: str, error: OSError) -> str:
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return f"OpenSSL cannot load {files}: {(reason or 'the text is damaged').replace('_', ' ').lower()}"
