"""`sealpost check` beside a Postfix: the lines that it needs, and what its own postconf says."""

from pathlib import Path

import pytest

from gateway.cli.errors import Usage
from gateway.cli.postfix_settings import NO_POSTFIX, examine_postfix, settings_of
from gateway.config.bundle import read_bundle
from gateway.config.load import load
from tests.cli.conftest import Call
from tests.config.certified import certified

SAYS = """#!/bin/sh
echo "$@" > {asked}
echo "postconf: warning: tls_required_enable: unknown parameter" >&2
cat <<END
smtpd_milters = {milters}
non_smtpd_milters =
milter_default_action = accept
smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8892:tls
END
"""


@pytest.fixture
def postconf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that says what the test wants; the file holds what it was asked."""
    folder, asked = tmp_path / "bin", tmp_path / "asked"
    folder.mkdir()
    (folder / "postconf").write_text(SAYS.format(asked=asked, milters="inet:127.0.0.1:8891"))
    (folder / "postconf").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return asked


def with_milter(config: Path, address: str) -> Path:
    """The configuration, with a milter listener there."""
    config.write_text(f'{config.read_text()}\n[[listen.milter]]\naddress = "{address}"\n')
    return config


def test_where_nobody_asks_nothing_is_said(tmp_path: Path, postconf: Path) -> None:
    assert examine_postfix(load(read_bundle(certified(tmp_path))).settings, None) is NO_POSTFIX
    assert not postconf.exists()


def test_a_milter_listener_has_its_lines_and_postfix_is_looked_at(tmp_path: Path, postconf: Path) -> None:
    config = with_milter(certified(tmp_path), "127.0.0.1:8891")
    report = examine_postfix(load(read_bundle(config)).settings, None)
    assert report.lines[:3] == (
        "smtpd_milters = inet:127.0.0.1:8891",
        "non_smtpd_milters = inet:127.0.0.1:8891",
        "milter_default_action = tempfail",
    )
    assert [(warning.file, warning.key) for warning in report.warnings] == [
        ("/etc/postfix/main.cf", "non_smtpd_milters"),
        ("/etc/postfix/main.cf", "milter_default_action"),
    ]
    assert postconf.read_text().startswith("-x smtpd_milters non_smtpd_milters ")


def test_check_prints_the_lines_of_a_milter_listener_without_being_asked(
    tmp_path: Path, postconf: Path, call: Call
) -> None:
    code, out, err = call("check", "--config", with_milter(certified(tmp_path), "[::1]:8891"))
    assert (code, err) == (0, "")
    assert "\n  smtpd_milters = inet:[::1]:8891\n" in out and "\n  milter_default_action = tempfail\n" in out
    assert "warning: /etc/postfix/main.cf: milter_default_action" in out


def test_check_prints_the_lines_and_warns_of_another_folder(tmp_path: Path, postconf: Path, call: Call) -> None:
    code, out, err = call("check", "--config", certified(tmp_path), "--postfix", "/srv/postfix")
    assert (code, err) == (0, "")
    assert "\n  smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8892:tls\n" in out
    assert "milter" not in out
    assert postconf.read_text().startswith("-c /srv/postfix -x smtp_tls_policy_maps ")


def test_without_a_postfix_there_are_the_lines_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    config = with_milter(certified(tmp_path), "unix:/run/milter")
    monkeypatch.setenv("PATH", str(tmp_path))
    report = examine_postfix(load(read_bundle(config)).settings, None)
    assert report.lines[0] == "smtpd_milters = unix:/run/milter"
    assert report.warnings == ()
    code, _, err = call("check", "--config", config, "--postfix", "/etc/postfix")
    assert (code, err) == (2, "sealpost: --postfix: there is no postconf on this machine\n")


def test_a_postconf_that_fails_is_told_only_of_a_folder_that_was_named(
    tmp_path: Path, postconf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "postconf"
    program.write_text("#!/bin/sh\necho 'postconf: fatal: open main.cf: No such file' >&2\nexit 1\n")
    assert settings_of(None, ["milter_protocol"]) is None
    with pytest.raises(Usage, match="--postfix: postconf: fatal: open main"):
        settings_of(Path("/nowhere"), ["milter_protocol"])
    program.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(Usage, match="--postfix: postconf says nothing of it"):
        settings_of(Path("/nowhere"), ["milter_protocol"])
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr("gateway.cli.postfix_settings._WITHIN", 0.1)
    with pytest.raises(Usage, match="cannot be asked"):
        settings_of(None, ["milter_protocol"])


@pytest.mark.peer("postfix")
def test_a_real_postfix_is_read_with_its_references_filled_in(tmp_path: Path) -> None:
    (tmp_path / "main.cf").write_text(
        "compatibility_level = 3.6\nsmtpd_milters = inet:127.0.0.1:8891\nnon_smtpd_milters = $smtpd_milters\n"
    )
    (tmp_path / "master.cf").write_text("")
    found = settings_of(
        tmp_path, ["non_smtpd_milters", "smtp_tls_fingerprint_digest", "smtp_tls_policy_maps", "no_such"]
    )
    assert found == {
        "non_smtpd_milters": "inet:127.0.0.1:8891",
        "smtp_tls_fingerprint_digest": "sha256",
        "smtp_tls_policy_maps": "",
    }
    with pytest.raises(Usage, match="--postfix: "):
        settings_of(tmp_path / "elsewhere", ["milter_protocol"])
