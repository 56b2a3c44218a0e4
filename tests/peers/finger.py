"""Reference verdicts on a mail host: Postfix's posttls-finger and `openssl s_client` (RFC 7672, RFC 7671).

posttls-finger asks the system's resolver, so it is given one of its own.
"""

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from tests.peers.resolving import resolving_by
from tests.peers.signed_dns import scratch_folder
from tests.peers.unbound import Unbound

_PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


class Verdict(Enum):
    """How far a program trusts a host; the words are those of Postfix."""

    VERIFIED = "its certificate matches the TLSA records, and signed DNS names the host"
    TRUSTED = "its certificate matches the TLSA records"
    ENCRYPTED = "no TLSA record can be used, so the certificate does not matter"
    PLAIN = "it has no TLS, and nothing demands any"
    NOTHING = "it must not have mail now"


@dataclass(frozen=True, slots=True)
class Said:
    """``output`` is all that the program wrote, to be shown where the verdict is another one than expected."""

    verdict: Verdict
    output: str


def posttls_finger(domain: str, port: int, resolver: Unbound) -> Said:
    """What Postfix makes of a domain at its TLS level ``dane``. Needs root."""
    with scratch_folder("finger") as root:
        main_cf = root / "main.cf"
        main_cf.write_text("compatibility_level = 3.6\ninet_protocols = ipv4\n")
        # Postfix waits for a file that changed in the last two seconds: somebody might still be writing it.
        os.utime(main_cf, (0, 0))
        finger = ["posttls-finger", "-t", "10", "-T", "10", "-L", "verbose,summary,certmatch", "-l", "dane"]
        command = [*resolving_by(resolver.system, root), *finger, f"{domain}:{port}"]
        output = _run(command, {"MAIL_CONFIG": str(root), **_PATH})
    return Said(_of_finger(output), output)


def _of_finger(output: str) -> Verdict:
    matched = "Matched DANE" in output
    applies = "DNSSEC-signed TLSA record" in output and "all TLSA records unusable" not in output
    session = re.search(r"(\w+) TLS connection established", output)
    match session and session[1]:
        case "Verified" if matched:
            return Verdict.VERIFIED
        case "Trusted" if matched:
            return Verdict.TRUSTED
        case "Verified" | "Trusted" | "Untrusted" if not applies:
            return Verdict.ENCRYPTED
        case None if not applies and "Connected to" in output:
            return Verdict.PLAIN
        case _:
            return _nothing(output, "Untrusted TLS", "lookup error", "lookup failed", "Connected to")


def s_client(address: str, port: int, names: Sequence[str], records: Sequence[str]) -> Said:
    """What OpenSSL makes of a host under TLSA records, given the base domain first; it knows nothing of DNS."""
    said = [_s_client(f"{address}:{port}", names[0], name, records) for name in names]
    return next((one for one in said if one.verdict is Verdict.VERIFIED), said[0])


def _s_client(peer: str, sni: str, name: str, records: Sequence[str]) -> Said:
    command = ["openssl", "s_client", "-starttls", "smtp", "-connect", peer, "-servername", sni, "-brief"]
    command += ["-verify_return_error", "-dane_ee_no_namechecks", "-dane_tlsa_domain", name]
    command += [part for record in records for part in ("-dane_tlsa_rrdata", record)]
    output = _run(command, _PATH)
    good = "Verification: OK" in output
    return Said(Verdict.VERIFIED if good else _nothing(output, "verify error:"), output)


def _nothing(output: str, *reasons: str) -> Verdict:
    """A program that did not run has no opinion."""
    if not any(reason in output for reason in reasons):
        raise AssertionError(f"no opinion in: {output}")
    return Verdict.NOTHING


def _run(command: Sequence[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, env=environment, input="QUIT\n", capture_output=True, text=True, timeout=40, errors="replace"
    )
    return done.stdout + done.stderr
