"""Programs that ask the system's resolver, in a mount namespace with a resolv.conf of the test's own; needs root."""

from pathlib import Path

# glibc hands an AD bit on only where it is told to.
_RESOLV_CONF = "nameserver {address}\noptions trust-ad edns0 timeout:5 attempts:2\n"

_MOUNTED = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'


def resolving_by(address: str, folder: Path) -> list[str]:
    """What a command is put behind, so that it asks port 53 of the address; ``folder`` outlives it."""
    resolv_conf = folder / "resolv.conf"
    resolv_conf.write_text(_RESOLV_CONF.format(address=address))
    return ["unshare", "-m", "sh", "-c", _MOUNTED, "sh", str(resolv_conf)]
