"""A real validating resolver (Unbound) in front of a name server of the test's own."""

import contextlib
import secrets
import socket
from collections.abc import Generator
from dataclasses import dataclass

from tests.fakes.ports import free_port
from tests.peers.signed_dns import NameServer, answers, daemon, scratch_folder

UNBOUND_CONF = """\
server:
  interface: 127.0.0.1@{port}
  interface: {system}@53
  access-control: 127.0.0.0/8 allow
  do-ip6: no
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{root}"
  pidfile: "{root}/unbound.pid"
  use-syslog: no
  logfile: ""
  num-threads: 1
  so-rcvbuf: 0
  outgoing-range: 64
  num-queries-per-thread: 64
  do-not-query-localhost: no
  trust-anchor-signaling: no
  root-key-sentinel: no
  {anchor}
  {quirks}
remote-control:
  control-enable: no
"""

STUB = """\
stub-zone:
  name: "{name}"
  stub-addr: 127.0.0.1@{port}
"""

# Zones that Unbound answers by itself unless it is told otherwise (RFC 6761).
_OWN = ("test.", "invalid.", "onion.")


@dataclass(frozen=True, slots=True)
class Unbound:
    """Where it listens: ``nameserver`` as ``[dns]`` takes it; ``system`` is an address whose port 53 is also it."""

    nameserver: str
    system: str


@contextlib.contextmanager
def unbound(behind: NameServer, *, anchored: bool = True) -> Generator[Unbound]:
    """Starts it. Not ``anchored``, it believes everything and says AD of nothing. Needs root for its port 53."""
    port = free_port()
    system = _free_system_address()
    anchor = f'trust-anchor: "{behind.anchor}"' if anchored else 'module-config: "iterator"'
    quirks = "\n  ".join(f'local-zone: "{name}" nodefault' for name in _OWN)
    with scratch_folder("unbound") as root:
        config = UNBOUND_CONF.format(port=port, system=system, root=root, anchor=anchor, quirks=quirks)
        stubs = "".join(STUB.format(name=name, port=behind.port) for name in behind.names)
        (root / "unbound.conf").write_text(config + stubs)
        command = ["/usr/sbin/unbound", "-d", "-c", str(root / "unbound.conf")]
        with daemon(command, root / "log", lambda: answers(port)):
            yield Unbound(f"127.0.0.1:{port}", system)


def loopback_network() -> str:
    """The first three numbers of a network on loopback, which hardly anybody else has chosen."""
    return f"127.{64 + secrets.randbelow(150)}.{secrets.randbelow(256)}"


def _free_system_address() -> str:
    """Programs that use the system's resolver know no other port than 53."""
    while True:
        address = f"{loopback_network()}.{1 + secrets.randbelow(250)}"
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((address, 53))
            return address
