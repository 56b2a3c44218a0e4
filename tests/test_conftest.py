"""The rule about peers: never left out silently, and never left out where they are required."""

import pytest

pytest_plugins = ["pytester"]

SUITE = """
import pytest

@pytest.mark.peer("nowhere")
def test_needs_a_peer():
    pass

def test_needs_none():
    pass
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, request: pytest.FixtureRequest) -> pytest.Pytester:
    source = (request.config.rootpath / "tests" / "conftest.py").read_text()
    pytester.makeconftest(source.replace('"swaks": ', '"nowhere": lambda: False,\n    "swaks": '))
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\nmarkers = peer(name): needs a peer\n")
    pytester.makepyfile(SUITE)
    return pytester


@pytest.mark.parametrize("processes", ["0", "2"])
def test_a_missing_peer_is_named_at_the_end(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, processes: str
) -> None:
    monkeypatch.delenv("SEALPOST_PEERS", raising=False)
    result = suite.runpytest_subprocess("-p", "no:cacheprovider", "-n", processes)
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["1 peer tests not run: nowhere missing*make peers*"])


def test_a_missing_peer_fails_where_peers_are_required(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALPOST_PEERS", "required")
    result = suite.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, errors=1)
