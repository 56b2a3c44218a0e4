from pathlib import Path

import pytest

from gateway.config import bundle as module
from gateway.config.bundle import Bundle, find_config, read_bundle
from gateway.config.problems import ConfigError
from tests.fixtures.council import HOP_KEY, council


def test_a_bundle_holds_every_byte(tmp_path: Path) -> None:
    config = council(tmp_path)
    bundle = read_bundle(config)
    assert bundle.config_bytes == config.read_bytes()
    assert bundle.policy_bytes == (tmp_path / "policies/council.toml").read_bytes()
    assert bundle.secrets == {
        "certs/hop.key": HOP_KEY,
        "certs/spool.keys": (tmp_path / "certs/spool.keys").read_bytes(),
        "certs/relay-secret": b"first secret\n",
        "certs/relay-secret-next": b"second secret\n",
    }
    assert bundle.unreadable == {}
    assert "secret" not in repr(bundle)


@pytest.mark.parametrize("name", ["sealpost.toml", "policies/council.toml", "certs/relay-secret", "certs/hop.key"])
def test_a_changed_byte_anywhere_changes_the_hash(tmp_path: Path, name: str) -> None:
    config = council(tmp_path)
    before = read_bundle(config).hash
    assert read_bundle(config).hash == before
    with (tmp_path / name).open("ab") as file:
        file.write(b"\n# x")
    assert read_bundle(config).hash != before


def test_bytes_that_move_between_files_change_the_hash() -> None:
    parts = [(b"ab", b"c"), (b"a", b"bc")]
    made = {Bundle(config=Path("c"), policy=Path("p"), config_bytes=one, policy_bytes=two).hash for one, two in parts}
    assert len(made) == 2


def test_a_bundle_crosses_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    council(tmp_path)
    (tmp_path / "certs/relay-secret").unlink()
    monkeypatch.chdir(tmp_path)
    sent = read_bundle(Path("sealpost.toml"), Path("gone.toml"))
    data = sent.to_bytes()
    monkeypatch.chdir("/")
    got = Bundle.from_bytes(data)
    assert got.hash == sent.hash
    assert got.base == tmp_path
    assert (got.policy, got.policy_error) == (tmp_path / "gone.toml", "No such file or directory")
    assert got.unreadable == sent.unreadable == {"certs/relay-secret": "No such file or directory"}


def test_another_policy_can_be_given(tmp_path: Path) -> None:
    config = council(tmp_path)
    other = tmp_path / "other.toml"
    other.write_bytes(b"x = 1")
    bundle = read_bundle(config, other)
    assert (bundle.policy, bundle.policy_bytes) == (other, b"x = 1")


@pytest.mark.parametrize("data", [None, b"a = ", b"a = '\xff'"])
def test_a_configuration_that_cannot_be_read_is_one_problem(tmp_path: Path, data: bytes | None) -> None:
    config = tmp_path / "sealpost.toml"
    if data is not None:
        config.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        read_bundle(config)
    assert [(problem.file, problem.key) for problem in caught.value.problems] == [(str(config), "")]


def test_a_configuration_in_another_encoding_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "sealpost.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(ConfigError, match=r"sealpost\.toml: the file is not UTF-8 text$"):
        read_bundle(tmp_path / "sealpost.toml")


def test_the_first_place_that_exists_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = (tmp_path / "a.toml", tmp_path / "b.toml")
    monkeypatch.setattr(module, "PLACES", places)
    assert find_config(Path("given.toml")) == Path("given.toml")
    with pytest.raises(ConfigError, match="--config"):
        find_config(None)
    places[1].touch()
    assert find_config(None) == places[1]
    places[0].touch()
    assert find_config(None) == places[0]


@pytest.mark.parametrize("line", ['policy = "a\\u0000b"', 'x = "file:a\\u0000b"'])
def test_a_name_that_no_file_can_have_is_a_file_that_is_not_there(tmp_path: Path, line: str) -> None:
    (tmp_path / "sealpost.toml").write_text(line)
    bundle = read_bundle(tmp_path / "sealpost.toml")
    assert bundle.policy_error
    assert "a\0b" in bundle.unreadable or bundle.policy.name == "a\0b"
