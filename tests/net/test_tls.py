"""Contexts by their shape, and what a failed handshake proves."""

import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from gateway.core.check import Check
from gateway.core.dane import Tlsa
from gateway.core.grade import DEMANDS
from gateway.core.outcome import Proof
from gateway.core.pin import Pin
from gateway.core.tlsrpt import Result
from gateway.net.tls import ClientCertificate, TlsContexts, certificate_for, failure_of, left_to_judge
from tests.fakes.certificates import write_authority, write_client

PLAIN_CHECK = Check(sni="mx.example")
NAMED = Check(sni="mx.example", names=("mx.example",))
OTHER_NAMES = Check(sni="mx.example", names=("mail.partner.example",))
BY_RECORDS = Check(sni="mx.example", tlsa=(Tlsa(3, 1, 1, bytes(32)),))
BY_KEY = Check(sni="mx.example", pins=frozenset({"00" * 32}))
KEY_AND_NAME = replace(NAMED, pins=BY_KEY.pins)


@pytest.mark.parametrize(
    ("check", "chain", "name", "left"),
    [
        (PLAIN_CHECK, False, False, False),
        (NAMED, True, True, False),
        (OTHER_NAMES, True, False, True),
        (BY_RECORDS, False, False, True),
        (BY_KEY, False, False, True),
        (KEY_AND_NAME, True, True, True),
    ],
)
def test_a_context_verifies_what_openssl_can_and_the_rest_is_left_to_judge(
    check: Check, chain: bool, name: bool, left: bool, tmp_path: Path
) -> None:
    context = TlsContexts(write_authority(tmp_path)).context(check, None)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == (ssl.CERT_REQUIRED if chain else ssl.CERT_NONE)
    assert context.check_hostname is name
    assert not context.hostname_checks_common_name
    assert left_to_judge(check) is left


def test_a_context_is_made_once_for_each_shape(tmp_path: Path) -> None:
    ca = write_authority(tmp_path)
    contexts = TlsContexts(ca)
    own = ClientCertificate(certificate=write_client(tmp_path, "gateway.example"))
    contexts.prepare(own)
    contexts.prepare(own, str(ca))
    partners = [replace(check, authorities=str(ca)) for check in (NAMED, OTHER_NAMES)]
    shapes = [(check, ours) for check in (PLAIN_CHECK, NAMED, OTHER_NAMES) for ours in (None, own)]
    shapes += [(check, own) for check in partners]
    made = [contexts.context(*shape) for shape in shapes]
    contexts.prepare(own, str(ca))
    assert made == [contexts.context(*shape) for shape in shapes]
    assert len({id(context) for context in made}) == 8
    # What verifies nothing believes nobody.
    assert contexts.context(replace(PLAIN_CHECK, authorities=str(ca)), own) is contexts.context(PLAIN_CHECK, own)


def test_only_the_given_authorities_are_trusted(tmp_path: Path) -> None:
    contexts = TlsContexts(write_authority(tmp_path))
    (tmp_path / "partner").mkdir()
    partner = tmp_path / "partner" / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(partner))
    contexts.prepare(None, str(partner))
    (usual,) = contexts.context(NAMED, None).get_ca_certs(binary_form=True)
    (theirs,) = contexts.context(replace(NAMED, authorities=str(partner)), None).get_ca_certs(binary_form=True)
    assert usual != theirs
    assert TlsContexts("system").context(NAMED, None).verify_mode is ssl.CERT_REQUIRED


def test_a_partners_files_are_named_when_they_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"partner\.pem"):
        TlsContexts(write_authority(tmp_path)).prepare(None, str(tmp_path / "partner.pem"))


@pytest.mark.parametrize("key", ["", "key.pem"])
def test_the_certificate_of_a_pin_is_that_of_its_files(key: str) -> None:
    pin = Pin(name="p", domains=("p.example",), requirement=DEMANDS["verified"])
    assert certificate_for(None) is None
    assert certificate_for(pin) is None
    found = certificate_for(replace(pin, certificate="ours.pem", private_key=key))
    assert found == ClientCertificate(certificate=Path("ours.pem"), private_key=Path(key) if key else None)


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


@pytest.mark.parametrize(
    ("code", "result"),
    [
        (9, Result.VALIDATION),
        (10, Result.EXPIRED),
        (18, Result.NOT_TRUSTED),
        (19, Result.NOT_TRUSTED),
        (20, Result.NOT_TRUSTED),
        (21, Result.NOT_TRUSTED),
        (23, Result.VALIDATION),
        (62, Result.HOST_MISMATCH),
        (64, Result.HOST_MISMATCH),
    ],
)
@pytest.mark.parametrize("ours", [True, False])
def test_a_certificate_that_was_refused_is_proof(code: int, result: Result, ours: bool) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "it is not good"
    failure = failure_of(error, ours=ours)
    assert (failure.proof, failure.code) == (Proof.CERTIFICATE, code)
    assert (failure.result, failure.ours) == (result, ours)
