"""Contexts by their shape, and what a failed handshake proves."""

import ssl
from pathlib import Path

import pytest

from gateway.core.outcome import Proof
from gateway.net.tls import ClientCertificate, TlsContexts, failure_of
from tests.fakes.certificates import write_authority, write_client


def test_every_context_wants_tls_1_2_and_a_checked_one_wants_the_name(tmp_path: Path) -> None:
    contexts = TlsContexts(write_authority(tmp_path))
    checked, unchecked = (contexts.context(checked=c, own=None) for c in (True, False))
    for context in (checked, unchecked):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert (checked.verify_mode, checked.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert not checked.hostname_checks_common_name
    assert (unchecked.verify_mode, unchecked.check_hostname) == (ssl.CERT_NONE, False)


def test_a_context_is_made_once_for_each_shape(tmp_path: Path) -> None:
    contexts = TlsContexts(write_authority(tmp_path))
    own = ClientCertificate(certificate=write_client(tmp_path, "gateway.example"))
    contexts.prepare(own)
    shapes = [(checked, certificate) for checked in (True, False) for certificate in (None, own)]
    made = [contexts.context(checked=checked, own=certificate) for checked, certificate in shapes]
    assert made == [contexts.context(checked=checked, own=certificate) for checked, certificate in shapes]
    assert len({id(context) for context in made}) == 4


def test_only_the_given_authorities_are_trusted(tmp_path: Path) -> None:
    own = TlsContexts(write_authority(tmp_path)).context(checked=True, own=None)
    assert len(own.get_ca_certs()) == 1
    assert TlsContexts("system").context(checked=True, own=None).verify_mode is ssl.CERT_REQUIRED


def test_files_that_cannot_be_loaded_are_named(tmp_path: Path) -> None:
    missing = tmp_path / "none.pem"
    with pytest.raises(ValueError, match=r"none\.pem"):
        TlsContexts(missing)
    (tmp_path / "odd.pem").write_text("odd")
    with pytest.raises(ValueError, match=r"odd\.pem"):
        TlsContexts(tmp_path / "odd.pem")
    with pytest.raises(ValueError, match=r"none\.pem"):
        TlsContexts(write_authority(tmp_path)).prepare(ClientCertificate(certificate=missing))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "not finished in time"),
        (ConnectionAbortedError("slow"), "not finished in time"),
        (ConnectionResetError(), "connection was lost"),
        (ssl.SSLError(1, "something"), "connection was lost"),
    ],
)
def test_what_the_peer_did_not_say_proves_nothing(error: Exception, words: str) -> None:
    failure = failure_of(error)
    assert failure.proof is None
    assert words in failure.detail


def test_a_certificate_that_was_refused_is_proof() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = 10, "certificate has expired"
    failure = failure_of(error)
    assert (failure.proof, failure.code) == (Proof.CERTIFICATE, 10)
