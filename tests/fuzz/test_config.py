"""Whatever stands in the two files, loading them gives a configuration or a list of problems, never anything else."""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.bundle import Bundle
from gateway.config.load import load
from gateway.config.problems import ConfigError
from tests.fixtures.council import HERE, HOP_KEY

VALUE = re.compile(r'"[^"]*"|\b\d+\b|\btrue\b|\bfalse\b|\[[^\[\]\n]*\]|\{[^{}\n]*\}|\b[a-z_]+\b')
LITERALS = [
    '""',
    '"x"',
    '"*"',
    '"a@b"',
    '"file:"',
    '"file:certs/hop.key"',
    '"0.0.0.0/0"',
    '"13MB"',
    '"99999999d"',
    '"\\u0000"',
    '"[::]:99999"',
    '"group:"',
    '"group:cjsm"',
    '"organisation"',
    '"no label"',
    '"internal"',
    '"sealed"',
    '"verify"',
    "0",
    "-1",
    "99999999999999999999",
    "1.5",
    "nan",
    "true",
    "1979-05-27",
    "[]",
    "[[]]",
    "[1]",
    '["a", "a"]',
    '["tls"]',
    "{}",
    "{ a = 1 }",
    '{ at_least = "public" }',
    '{ over = "1B" }',
    "{ not = {} }",
    "{ all = [{}] }",
    "levels",
    "route",
]


@cache
def example(name: str) -> str:
    return (HERE / name).read_text()


@st.composite
def changed(draw: st.DrawFn, name: str) -> bytes:
    """The documented file with a few values, keys or lines replaced, removed or doubled."""
    text = example(name)
    for _ in range(draw(st.integers(0, 3))):
        if draw(st.booleans()):
            spans = [match.span() for match in VALUE.finditer(text)]
            start, end = draw(st.sampled_from(spans))
            text = text[:start] + draw(st.sampled_from(LITERALS)) + text[end:]
        else:
            lines = text.splitlines()
            at = draw(st.integers(0, len(lines) - 1))
            lines[at : at + 1] = [lines[at]] * draw(st.sampled_from([0, 2]))
            text = "\n".join(lines) + "\n"
    return text.encode()


@settings(deadline=None)
@given(changed("sealpost.toml"), changed("policies/council.toml"))
def test_loading_gives_a_configuration_or_its_problems(config: bytes, policy: bytes) -> None:
    secrets = {"certs/hop.key": HOP_KEY, "certs/relay-secret": b"one", "certs/relay-secret-next": b"two"}
    bundle = Bundle(
        config=Path("sealpost.toml"),
        policy=Path("council.toml"),
        config_bytes=config,
        policy_bytes=policy,
        secrets=secrets,
    )
    try:
        loaded = load(bundle)
    except ConfigError as error:
        assert error.problems
        assert all(problem.text for problem in error.problems)
        return
    assert load(replace(bundle)) == loaded
