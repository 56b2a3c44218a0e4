"""``[audit]``: where the chains of the audit lie, what signs them, and how long they are kept."""

from pathlib import Path
from typing import Final

from gateway.audit.keys import BadAuditKey, Signer
from gateway.audit.options import MIB, AuditOptions
from gateway.config.page import Page
from gateway.config.secrets import Secrets
from gateway.config.tables import AuditTable
from gateway.config.units import FILE
from gateway.core.audit_chain import UNSIGNED_FOR

_LEAST_SIZE: Final = MIB
"""Smaller files would be many, and each is looked at for every line."""


def read_audit(page: Page, table: AuditTable | None, base: Path, secrets: Secrets) -> AuditOptions | None:
    """None without the table, and for a key that cannot sign."""
    if table is None:
        return None
    if table.anchor >= UNSIGNED_FOR:
        page.problem("audit.anchor", "what nobody signs for a day is a finding of `sealpost audit verify`: 1h is long")
    if table.file_size < _LEAST_SIZE:
        page.problem("audit.file_size", "a file has at least 1MiB")
    if table.legal_hold:
        page.warning("audit.legal_hold", "nothing is removed while this is on, however old it is")
    key = secrets.text(table.key, "audit.key")
    if not key:
        return None
    try:
        Signer(key)
    except BadAuditKey as error:
        name = table.key.removeprefix(FILE)
        page.problem("audit.key", f"the file `{name}` cannot be used: {error}; `sealpost certs audit` makes one")
        return None
    return AuditOptions(
        folder=base / table.folder,
        key=key,
        anchor_every=table.anchor,
        file_size=table.file_size,
        keep=table.keep,
        legal_hold=table.legal_hold,
    )
