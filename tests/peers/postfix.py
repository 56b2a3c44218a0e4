"""A real Postfix of the test's own: own folders, loopback only, each smtpd service on its own port; needs root."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tests.peers.resolving import resolving_by

SBIN = Path("/usr/lib/postfix/sbin")

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {root}/log
maillog_file_prefixes = {root}
myhostname = {hostname}
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
dnssec_probe =
message_size_limit = 209715200
smtputf8_enable = yes
record_destination_recipient_limit = 1
{extra}
"""

MASTER_CF = """\
{services}
pickup    unix  n  -  n  60    1  pickup
cleanup   unix  n  -  n  -     0  cleanup
qmgr      unix  n  -  n  300   1  qmgr
tlsmgr    unix  -  -  n  1000? 1  tlsmgr
tlsproxy  unix  -  -  n  -     0  tlsproxy
rewrite   unix  -  -  n  -     -  trivial-rewrite
bounce    unix  -  -  n  -     0  bounce
defer     unix  -  -  n  -     0  bounce
trace     unix  -  -  n  -     0  bounce
verify    unix  -  -  n  -     1  verify
proxymap  unix  -  -  n  -     -  proxymap
smtp      unix  -  -  n  -     -  smtp
relay     unix  -  -  n  -     -  smtp
error     unix  -  -  n  -     -  error
retry     unix  -  -  n  -     -  error
discard   unix  -  -  n  -     -  discard
anvil     unix  -  -  n  -     1  anvil
scache    unix  -  -  n  -     1  scache
postlog   unix-dgram n - n -   1  postlogd
record    unix  -  n  n  -     1  pipe flags=DORhu user=nobody argv={root}/record ${{sender}} ${{recipient}}
"""

RECORD = """\
#!/bin/sh
umask 022
file=$(mktemp {root}/mail/.XXXXXXXX)
cat > "$file" && mv "$file" "{root}/mail/$(date +%s%N).eml"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One smtpd on its own loopback address and port, with its own options (`name=value`)."""

    port: int
    options: Sequence[str] = ()
    address: str = "127.0.0.1"

    def line(self) -> str:
        """The service's lines in master.cf."""
        options = "".join(f"\n  -o {option}" for option in self.options)
        return f"{self.address}:{self.port} inet n - n - - smtpd{options}"


@dataclass(slots=True)
class Postfix:
    """A running instance; `mail` holds what its `record` transport was given, oldest first."""

    root: Path
    services: tuple[Service, ...]
    master: subprocess.Popen[bytes] = field(repr=False)

    @property
    def pid(self) -> int:
        """The master's process id; every other process is below it."""
        return self.master.pid

    def mail(self) -> list[bytes]:
        """Every message that arrived so far."""
        return [path.read_bytes() for path in sorted((self.root / "mail").glob("*.eml"))]

    def log(self) -> str:
        """The mail log."""
        path = self.root / "log"
        return path.read_text(errors="replace") if path.exists() else ""


FILTER = "{name} unix - n n - - pipe flags=q user=nobody null_sender= argv={root}/{name} ${{sender}} ${{recipient}}\n"


def _write(
    root: Path, hostname: str, services: Sequence[Service], extra: Sequence[str], filters: Mapping[str, str]
) -> None:
    for folder in ("etc", "queue", "data", "mail"):
        (root / folder).mkdir()
    shutil.chown(root / "data", "postfix")
    shutil.chown(root / "mail", "nobody")
    main = MAIN_CF.format(root=root, hostname=hostname, extra="\n".join(extra))
    (root / "etc" / "main.cf").write_text(main)
    # Postfix does not read a file that changed in the last two seconds: somebody might still be writing it.
    os.utime(root / "etc" / "main.cf", (0, 0))
    lines = "\n".join(service.line() for service in services)
    pipes = "".join(FILTER.format(name=name, root=root) for name in filters)
    (root / "etc" / "master.cf").write_text(MASTER_CF.format(root=root, services=lines) + pipes)
    for name in ("dynamicmaps.cf", "postfix-files"):
        shutil.copy(Path("/etc/postfix") / name, root / "etc" / name)
    for name, script in {"record": RECORD.format(root=root), **filters}.items():
        (root / name).write_text(script)
        (root / name).chmod(0o755)


def _wait_for(service: Service, master: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        if master.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection((service.address, service.port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"Postfix did not start: {log.read_text() if log.exists() else 'no log'}")


@contextlib.contextmanager
def postfix(
    hostname: str,
    services: Sequence[Service],
    extra: Sequence[str] = (),
    filters: Mapping[str, str] = MappingProxyType({}),
    resolver: str = "",
) -> Generator[Postfix]:
    """Starts an instance and ends it with all its processes. ``extra`` are lines of main.cf.

    ``resolver`` is the address of a name server for its own lookups, in place of the system's.

    ``filters`` are scripts by the name of their pipe; each gets the sender and the recipients as its arguments.

    The folder is made outside pytest's own because Postfix's user must be able to walk into it.
    """
    root = Path(tempfile.mkdtemp(prefix="sealpost-postfix-"))
    root.chmod(0o755)
    try:
        _write(root, hostname, services, extra, filters)
        subprocess.run(["/usr/sbin/postfix", "-c", root / "etc", "check"], check=True, capture_output=True)
        master = subprocess.Popen(
            [*(resolving_by(resolver, root) if resolver else ()), SBIN / "master", "-c", root / "etc", "-d"],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            for service in services:
                _wait_for(service, master, root / "log")
            yield Postfix(root, tuple(services), master)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(master.pid, 15)
            try:
                master.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(master.pid, 9)
                master.wait(30)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(master.pid, 9)
    finally:
        shutil.rmtree(root, ignore_errors=True)
