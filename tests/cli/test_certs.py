"""`sealpost certs` makes what a first start needs, overwrites nothing, and sees when a certificate ends."""

import os
import ssl
import stat
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from cryptography import x509
from typer.testing import CliRunner

from gateway.audit.keys import Signer, Trusted
from gateway.cli import certs
from gateway.cli.errors import Usage
from gateway.config.tables import DkimTable
from gateway.sandbox.authority import Validity, make_authority, self_signed
from gateway.sealed.keys import Keyring
from gateway.signing.keys import load_key
from gateway.signing.record import zone_line

NOW = datetime.now(UTC)


def run(*arguments: str) -> tuple[int, str]:
    """Exit code and output; a Usage error comes out as it is."""
    app = typer.Typer()
    certs.register(app)
    app.command("other")(lambda: None)
    result = CliRunner().invoke(app, ["certs", *arguments], env={"COLUMNS": "200"})
    if isinstance(result.exception, Usage):
        raise result.exception
    return result.exit_code, result.output


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_init_makes_a_pair_that_its_authority_vouches_for(tmp_path: Path) -> None:
    code, output = run(
        "init", "--directory", str(tmp_path / "new"), "--hostname", "a.example", "--hostname", "b.example"
    )
    assert code == 0
    assert all(
        name in output for name in ("ca.key", "ca.pem", "gateway.pem", "hop.key", "a.example, b.example, localhost")
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "new" / "gateway.pem")
    (certificate,) = x509.load_pem_x509_certificates((tmp_path / "new" / "gateway.pem").read_bytes())
    (authority,) = x509.load_pem_x509_certificates((tmp_path / "new" / "ca.pem").read_bytes())
    certificate.verify_directly_issued_by(authority)
    assert certificate.not_valid_after_utc > NOW + timedelta(days=364)


def test_keys_are_for_their_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        run("init", "--directory", str(tmp_path))
    finally:
        os.umask(old)
    assert {path.name: oct(mode(path)) for path in tmp_path.iterdir()} == {
        "ca.key": "0o600",
        "ca.pem": "0o644",
        "gateway.pem": "0o600",
        "hop.key": "0o600",
        "sealing.keys": "0o600",
        "spool.keys": "0o600",
    }
    assert Keyring.parse((tmp_path / "sealing.keys").read_bytes()).keys
    assert len((tmp_path / "hop.key").read_bytes()) == 32


def test_nothing_is_overwritten_without_force_not_even_in_part(tmp_path: Path) -> None:
    (tmp_path / "hop.key").write_bytes(b"precious")
    with pytest.raises(Usage, match=r"hop\.key is there already; --force"):
        run("init", "--directory", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["hop.key"]
    assert (tmp_path / "hop.key").read_bytes() == b"precious"
    assert run("init", "--directory", str(tmp_path), "--force")[0] == 0
    assert (tmp_path / "hop.key").read_bytes() != b"precious"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Usage, match=r"cannot write to .*file.*: "):
        run("init", "--directory", str(tmp_path / "file" / "below"))


def test_show_lists_names_and_days_left_and_is_content_with_a_good_folder(tmp_path: Path) -> None:
    run("init", "--directory", str(tmp_path), "--hostname", "mail.council.example")
    code, output = run("show", "--directory", str(tmp_path))
    assert code == 0
    assert "mail.council.example, localhost" in output
    assert "CN=Sealpost development authority" in output
    assert "364" in output


@pytest.mark.parametrize(
    ("left", "code", "said"),
    [
        (timedelta(days=-1), 1, "has expired"),
        (timedelta(days=13, hours=23), 1, "ends in 13 days"),
        (timedelta(days=15), 0, ""),
    ],
)
def test_show_finds_what_has_expired_or_soon_will(tmp_path: Path, left: timedelta, code: int, said: str) -> None:
    run("init", "--directory", str(tmp_path))
    old = self_signed(("old.example",), Validity(start=NOW - timedelta(days=99), end=NOW + left))
    (tmp_path / "old.pem").write_bytes(old.certificate_pem)
    result, output = run("show", "--directory", str(tmp_path))
    assert result == code
    assert said in output
    assert ("the certificate of old.example" in output) == bool(code)


def test_show_reads_every_certificate_of_a_chain_and_passes_over_keys(tmp_path: Path) -> None:
    first = make_authority("First", Validity.lasting(NOW, timedelta(days=99)))
    second = make_authority("Second", Validity.lasting(NOW, timedelta(days=99)))
    (tmp_path / "chain.pem").write_bytes(first.certificate_pem + second.certificate_pem)
    (tmp_path / "key.pem").write_bytes(first.key_pem)
    code, output = run("show", "--directory", str(tmp_path))
    assert code == 0
    assert "CN=First" in output
    assert "CN=Second" in output
    assert "key.pem" not in output


def test_show_of_an_empty_folder_says_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(Usage, match="`sealpost certs init` makes some"):
        run("show", "--directory", str(tmp_path))


def test_show_names_a_file_that_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "folder.pem").mkdir()
    with pytest.raises(Usage, match=r"cannot read .*folder\.pem: "):
        run("show", "--directory", str(tmp_path))


def test_dkim_makes_both_keys_for_their_owner_alone_and_says_what_dns_and_configuration_need(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    domains = ("--domain", "Council.example", "--domain", "news.example", "--domain", "council.example")
    code, output = run("dkim", *domains, "--selector", "s2026", "--directory", str(folder))
    assert code == 0
    assert {path.name: oct(mode(path)) for path in folder.iterdir()} == {
        "dkim-s2026r.pem": "0o600",
        "dkim-s2026e.pem": "0o600",
    }
    tables = [DkimTable.model_validate(table) for table in tomllib.loads(output[output.index("[[dkim]]") :])["dkim"]]
    assert [table.selector for table in tables] == ["s2026r", "s2026e"]
    for table in tables:
        assert table.domains == ["council.example", "news.example"]
        key = load_key(Path(table.key.removeprefix("file:")).read_bytes())
        assert all(zone_line(table.selector, domain, key) in output.splitlines() for domain in table.domains)
    assert "PRIVATE" not in output


@pytest.mark.parametrize(("kind", "name"), [("rsa", "dkim-s1r.pem"), ("ed25519", "dkim-s1e.pem")])
def test_dkim_makes_one_kind_alone(tmp_path: Path, kind: str, name: str) -> None:
    run("dkim", "--domain", "council.example", "--selector", "s1", "--type", kind, "--directory", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_dkim_replaces_no_key_not_even_in_part(tmp_path: Path) -> None:
    (tmp_path / "dkim-s1e.pem").write_bytes(b"precious")
    command = ("dkim", "--domain", "council.example", "--directory", str(tmp_path), "--selector")
    with pytest.raises(Usage, match=r"dkim-s1e\.pem is there already"):
        run(*command, "s1")
    assert [path.name for path in tmp_path.iterdir()] == ["dkim-s1e.pem"]
    assert (tmp_path / "dkim-s1e.pem").read_bytes() == b"precious"
    assert run(*command, "s2")[0] == 0


@pytest.mark.parametrize(
    ("domain", "selector", "said"),
    [("not a domain", "s1", "--domain `not a domain`"), ("council.example", "../s1", "--selector `../s1r`")],
)
def test_dkim_refuses_names_that_dns_cannot_have(tmp_path: Path, domain: str, selector: str, said: str) -> None:
    with pytest.raises(Usage, match=said):
        run("dkim", "--domain", domain, "--selector", selector, "--directory", str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_dkim_names_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Usage, match=r"cannot write to .*file.*: "):
        run("dkim", "--domain", "council.example", "--selector", "s1", "--directory", str(tmp_path / "file" / "below"))


def test_the_key_of_the_audit_is_made_once_with_its_public_part(tmp_path: Path) -> None:
    code, output = run("audit", "--directory", str(tmp_path / "new"))
    private, public = tmp_path / "new/audit.key", tmp_path / "new/audit.pub"
    assert code == 0 and str(private) in output and str(public) in output
    assert (mode(private), mode(public)) == (0o600, 0o644)
    assert Trusted.of([public.read_bytes()]).keys == (Signer(private.read_bytes()).public,)
    before = private.read_bytes()
    with pytest.raises(Usage, match=r"audit\.key is there already"):
        run("audit", "--directory", str(tmp_path / "new"))
    assert private.read_bytes() == before
    with pytest.raises(Usage, match="cannot write"):
        run("audit", "--directory", str(private))
