"""The fuzz target of the configuration under the documented example with a few changes."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.config import example, one

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


@st.composite
def changed(draw: st.DrawFn, name: str) -> bytes:
    """The documented file with a few values, keys or lines replaced, removed or doubled."""
    text = example(name).decode()
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
def test_what_must_hold_does_for_the_example_with_changes(config: bytes, policy: bytes) -> None:
    one(b"=== config\n" + config + b"\n=== policy\n" + policy)
