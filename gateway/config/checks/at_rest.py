"""What lies readable on the disk while it waits, though the policy says that it needs protection on its way."""

from gateway.config.page import Page
from gateway.config.settings import Settings
from gateway.core.policy import Policy
from gateway.core.tls import Protection


def at_rest_warnings(page: Page, settings: Settings, policy: Policy) -> None:
    """A spool without keys, for a policy in which some level has a floor."""
    levels = [level for level, floor in policy.floors.items() if floor > Protection.NONE]
    if levels and not settings.spool_keys:
        text = f"mail that waits lies readable in the spool, and {levels[0]} mail needs protection"
        page.warning("secrets.spool", f"{text}: `sealpost certs init` makes a key")
