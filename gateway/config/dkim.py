"""``[[dkim]]``: the keys that sign outgoing mail (RFC 6376), and whether verifiers will take them (RFC 8301)."""

from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from gateway.config.page import Page, dotted
from gateway.config.secrets import Secrets
from gateway.config.tables import DkimTable
from gateway.config.units import FILE
from gateway.core.policy import Policy
from gateway.signing.keys import BadKey, DkimKey, load_key

LEAST_BITS: Final = 1024
"""A verifier must not take less (RFC 8301 section 3.2)."""

GOOD_BITS: Final = 2048
"""A signer should not use less (RFC 8301 section 3.2)."""

MOST_BITS: Final = 4096
"""A verifier need not take more (RFC 8301 section 3.2)."""


def read_dkim(page: Page, tables: Sequence[DkimTable], secrets: Secrets) -> tuple[DkimKey, ...]:
    """All of them; two of one selector for one domain are a problem, and so is a key that cannot sign."""
    keys: list[DkimKey] = []
    seen: set[tuple[str, str]] = set()
    with_rsa: set[str] = set()
    for number, table in enumerate(tables):
        key = dotted("dkim", number)
        domains = frozenset(domain.lower() for domain in table.domains)
        if any((table.selector, domain) in seen for domain in domains):
            page.problem(f"{key}.selector", f"the selector {table.selector} has another key for one of these domains")
        seen |= {(table.selector, domain) for domain in domains}
        text = secrets.text(table.key, f"{key}.key")
        if not text or _is_rsa(page, f"{key}.key", table.key.removeprefix(FILE), text):
            with_rsa |= domains
        keys.append(DkimKey(domains=domains, selector=table.selector, private_key=text))
    _warn_of_ed25519_alone(page, {domain for _, domain in seen} - with_rsa)
    return tuple(keys)


def _is_rsa(page: Page, key: str, file: str, text: bytes) -> bool:
    """Whether every verifier knows the kind of key. One that cannot be used is a problem, and enough said of it."""
    try:
        private = load_key(text)
    except BadKey as error:
        page.problem(key, f"the file `{file}` cannot be used: {error}")
        return True
    if not isinstance(private, RSAPrivateKey):
        return False
    bits = private.key_size
    if bits < LEAST_BITS:
        page.problem(key, f"the RSA key in `{file}` has {bits} bits, and verifiers take no less than {LEAST_BITS}")
    elif bits < GOOD_BITS:
        page.warning(key, f"the RSA key in `{file}` has {bits} bits; it should have {GOOD_BITS}")
    elif bits > MOST_BITS:
        page.warning(key, f"the RSA key in `{file}` has {bits} bits; some verifiers take no more than {MOST_BITS}")
    return True


def _warn_of_ed25519_alone(page: Page, domains: set[str]) -> None:
    for domain in sorted(domains):
        page.warning("dkim", f"{domain} has an Ed25519 key alone, which many verifiers do not know: add an RSA key")


def check_signed(page: Page, keys: Sequence[DkimKey], policy: Policy) -> None:
    """Only mail of our own domains is looked at for a signature, so a key for none of them signs nothing."""
    for number, key in enumerate(keys):
        if not any(policy.owns(domain) for domain in key.domains):
            page.warning(dotted("dkim", number, "domains"), "none of these is a domain of the policy's organisation")
