"""Routes for `sealpost explain` where no sealpost.toml exists yet, so that a policy can be tried before anything is
wired. Nothing is ever sent by them."""

from pathlib import Path
from typing import Final

from gateway.config.beside import read_beside
from gateway.config.bundle import Bundle
from gateway.config.problems import ConfigError, Problem

BUILT_IN: Final = b"""
hostname = "localhost"
policy = ""

[[listen.smtp]]
address = "127.0.0.1:2525"
allow = [{ networks = ["127.0.0.0/8"] }]

[secrets]
hop = "file:hop"

[spool]
url = "sqlite:spool"

[network]
internal = ["10.0.0.0/8"]

[system]
reports = "internal"
notices = "internal"

[routes.internal]
transport = "smarthost"
host = "10.0.0.1:25"
tls = "encrypt"
protection = "internal"

[routes.opportunistic]
transport = "mx"
tls = "may"

[routes.tls]
transport = "mx"
tls = "encrypt"
give_up_after = "48h"

[routes.secure]
transport = "mx"
tls = "verify"
give_up_after = "48h"

[routes.cjsm]
transport = "smarthost"
host = "cjsm.invalid:25"
tls = "verify"
protection = "sealed"

[routes.encrypted]
transport = "smarthost"
host = "encrypted.invalid:25"
tls = "verify"
protection = "sealed"
max_attachments = "13MiB"

[routes.egress]
transport = "smarthost"
host = "egress.invalid:25"
tls = "verify"
protection = "sealed"

[routes.archive]
transport = "smarthost"
host = "archive.invalid:25"
tls = "verify"
protection = "sealed"
"""


def built_in_bundle(policy: Path) -> Bundle:
    """The built-in routes with this policy.

    Raises:
        ConfigError: the policy cannot be read.
    """
    try:
        policy_bytes = policy.read_bytes()
    except OSError as exc:
        text = f"the file cannot be read: {exc.strerror or exc}"
        raise ConfigError((Problem(file=str(policy), key="", text=text),)) from exc
    return Bundle(
        config=Path("built-in"),
        policy=policy,
        config_bytes=BUILT_IN,
        policy_bytes=policy_bytes,
        beside=read_beside(policy, policy_bytes),
        secrets={"hop": bytes(32)},
    )
