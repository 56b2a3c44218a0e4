"""Fuzz target: the configuration, its policy and the registers beside it, each with its name on a line before it.

What an input does not hold stands as in the documented example.
"""

import re
from functools import cache
from pathlib import Path
from typing import Final

from gateway.config.beside import Beside
from gateway.config.bundle import Bundle
from gateway.config.load import Loaded, load, policy_from
from gateway.config.problems import ConfigError
from tests.fixtures.council import HERE, HOP_KEY
from tests.fuzz.target import Target

_SECTION: Final = re.compile(rb"^=== ([a-z.]{1,40})\r?\n", re.MULTILINE)
_CONFIG, _POLICY = "config", "policy"
_SECRETS: Final = {"certs/hop.key": HOP_KEY, "certs/relay-secret": b"one", "certs/relay-secret-next": b"two"}


def one(data: bytes) -> None:
    """A configuration, or problems that each name the file and say something; the same for the workers' copy."""
    bundle = bundle_of(data)
    try:
        loaded = load(bundle)
    except ConfigError as error:
        hold_problems(error, bundle)
        return
    assert load(Bundle.from_bytes(bundle.to_bytes())).policy == loaded.policy
    _hold_kept(bundle, loaded)


def bundle_of(data: bytes) -> Bundle:
    """The files of an input; what stands before the first name is nothing."""
    _, *rest = _SECTION.split(data)
    files = {name.decode(): text for name, text in zip(rest[::2], rest[1::2], strict=True)}
    config, policy = files.pop(_CONFIG, None), files.pop(_POLICY, None)
    return Bundle(
        config=Path("sealpost.toml"),
        policy=Path("council.toml"),
        config_bytes=example("sealpost.toml") if config is None else config,
        policy_bytes=example("policies/council.toml") if policy is None else policy,
        beside=Beside(files=files),
        secrets=_SECRETS,
    )


@cache
def example(name: str) -> bytes:
    """A file of the documented example."""
    return (HERE / name).read_bytes()


def hold_problems(error: ConfigError, bundle: Bundle) -> None:
    """Each names a file that the user knows, in one line that can be printed."""
    known = {str(bundle.config), str(bundle.policy), *bundle.beside.files}
    assert error.problems
    for problem in error.problems:
        assert problem.file in known
        assert problem.text
        str(problem).encode()


def _hold_kept(bundle: Bundle, loaded: Loaded) -> None:
    """The policy that is kept with mail is the same policy."""
    assert policy_from(bundle.policy_text, loaded.settings).hash == loaded.policy.hash


TARGET: Final = Target(name="config", one=one, longest=8192)
