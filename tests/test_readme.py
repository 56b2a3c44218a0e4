"""What the README shows is what works: its configuration passes `check`, and the targets and files it names exist."""

import re
from pathlib import Path

from gateway.config.bundle import read_bundle
from gateway.config.load import load
from gateway.sandbox.authority import write_secret
from gateway.sandbox.credentials import Credentials
from gateway.sealed.keys import new_keyring

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_first_real_configuration_can_be_used(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n# /etc/sealpost/sealpost.toml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "starter.toml").write_text((ROOT / "policies" / "starter.toml").read_text())
    (tmp_path / "certs").mkdir()
    Credentials(tmp_path / "made").issue("gateway.pem", ("gateway.example.org",)).rename(tmp_path / "certs/gateway.pem")
    write_secret(tmp_path / "certs" / "hop.key", b"k" * 32)
    write_secret(tmp_path / "certs" / "spool.keys", new_keyring().to_bytes())
    write_secret(tmp_path / "certs" / "relay-secret", b"a long enough secret")
    (tmp_path / "sealpost.toml").write_text(block)

    bundle = read_bundle(tmp_path / "sealpost.toml")
    loaded = load(bundle)
    assert loaded.settings.hostname == "gateway.example.org"
    assert set(loaded.settings.routes) == {"internal", "opportunistic", "tls", "secure", "encrypted"}


def test_every_target_and_file_that_it_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`make ([a-z]+)`", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in set(re.findall(r"\]\(([a-zA-Z][\w./-]+)\)", README)):
        assert (ROOT / path).exists(), path
