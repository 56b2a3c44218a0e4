from pathlib import Path

from gateway.config.bundle import read_bundle
from gateway.config.load import load
from gateway.sealed.keys import Keyring
from tests.cli.conftest import Call
from tests.fixtures.council import change, council


def test_a_new_key_seals_and_the_others_still_open(tmp_path: Path, call: Call) -> None:
    config = council(tmp_path)
    path = tmp_path / "certs" / "spool.keys"
    before = Keyring.parse(path.read_bytes()).keys
    path.chmod(0o600)
    for _ in range(2):
        code, out, err = call("queue", "rotate-key", "--config", config)
        assert (code, err) == (0, "")
        assert out == f"{path} has a new key in front. Restart the gateway to use it.\n"
    after = Keyring.parse(path.read_bytes()).keys
    assert len(after) == 3 and after[2:] == before
    assert path.stat().st_mode & 0o777 == 0o600
    assert load(read_bundle(config)).settings.spool_keys == tuple(key for _, key in after)


def test_what_cannot_be_rotated_is_said_and_stays(tmp_path: Path, call: Call) -> None:
    config = council(tmp_path)
    path = tmp_path / "certs" / "spool.keys"
    path.write_bytes(b"no key\n")
    code, _, err = call("queue", "rotate-key", "--config", config)
    assert code != 0 and str(path) in err and path.read_bytes() == b"no key\n"
    change(config, ('spool = "file:certs/spool.keys"', 'spool = "env:KEYS"'))
    code, _, err = call("queue", "rotate-key", "--config", config)
    assert code != 0 and "a key in a variable is changed where the variable is set" in err
