"""The whole configuration in docs/sealed-mail.md passes `sealpost check` as it stands."""

import re
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.config.bundle import read_bundle
from gateway.config.load import load
from gateway.sandbox.authority import write_secret
from gateway.sealed.keys import new_keyring
from tests.config.certified import certified

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```toml\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def written(folder: Path) -> Path:
    """The example with its files."""
    config = certified(folder)
    blocks = dict(BLOCK.findall((DOCS / "sealed-mail.md").read_text(encoding="utf-8")))
    assert set(blocks) == {"sealpost.toml", "policies/portal.toml"}
    for name in ("sealing.keys", "spool.keys"):
        write_secret(folder / "certs" / name, new_keyring().to_bytes())
    config.write_text(blocks["sealpost.toml"], encoding="utf-8")
    (config.parent / "policies/portal.toml").write_text(blocks["policies/portal.toml"], encoding="utf-8")
    return config


def test_check_accepts_it_and_warns_of_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["sealpost", "check", "--config", str(written(tmp_path))])
    with pytest.raises(SystemExit) as ended:
        main()
    out = capsys.readouterr().out
    assert not ended.value.code, out
    assert "0 problems, 0 warnings" in out


def test_it_has_both_kinds_of_portal_routes(tmp_path: Path) -> None:
    routes = load(read_bundle(written(tmp_path))).settings.routes
    assert {"encrypted", "transfer", "inbound"} <= set(routes)
