"""Signatures verified by `openssl cms`: every byte of the entity, and what makes them fail."""

from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.sealed.cms.entity import Entity
from gateway.sealed.cms.sign import EntitySigner
from tests.sealed.cms import people
from tests.sealed.cms.people import NOW, Person, authority, person, rsa_key, usage, verified

CA = authority()
ORGANISATION = "secure@council.example"
RSA = person(ORGANISATION, key=rsa_key(), by=CA, extensions=[usage("digital_signature"), people.MAIL])
CURVE = person(ORGANISATION, by=CA, extensions=[usage("digital_signature"), people.MAIL])


def write(folder: Path, who: Person) -> Path:
    path = folder / "organisation.pem"
    path.write_bytes(who.pem + CA.pem + who.key_pem)
    return path


async def signed(signer: EntitySigner, data: bytes) -> bytes:
    async def body() -> AsyncIterator[bytes]:
        yield data

    entity = await Entity(before=b"", body=body, body_size=len(data)).signed(signer, NOW)
    blocks = b"".join([block async for block in entity.blocks()])
    assert len(blocks) == entity.size
    return blocks


@pytest.mark.peer("openssl")
@pytest.mark.parametrize("who", [RSA, CURVE], ids=["RSA", "P-256"])
async def test_openssl_verifies_it(who: Person, tmp_path: Path) -> None:
    data = b"Content-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n.\r\n"
    message = await signed(EntitySigner(write(tmp_path, who), None), data)
    assert data in message
    assert verified(tmp_path, CA, message) == data
    with pytest.raises(AssertionError):
        verified(tmp_path, CA, message.replace(b"Content-Type: text/plain;", b"Content-Type: text/html;"))


LINES = st.lists(
    st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=90), max_size=6
)


@pytest.mark.peer("openssl")
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(lines=LINES)
async def test_the_signature_is_over_every_byte(lines: list[str], tmp_path: Path) -> None:
    data = "\r\n".join(["Content-Type: text/plain", "", *lines, ""]).encode()
    message = await signed(EntitySigner(write(tmp_path, CURVE), None), data)
    assert verified(tmp_path, CA, message) == data


async def test_a_body_without_a_line_end_is_signed_as_it_is(tmp_path: Path) -> None:
    signer = EntitySigner(write(tmp_path, RSA), None)
    digest = sha256(b"X: y\r\n\r\nabc").digest()
    assert digest in signer._signed_data(digest, NOW)
    assert b"\r\nabc\r\n--" in await signed(signer, b"X: y\r\n\r\nabc")


def test_the_key_may_stand_apart_but_has_to_fit(tmp_path: Path) -> None:
    certificate, key = tmp_path / "a.pem", tmp_path / "a.key"
    certificate.write_bytes(RSA.pem)
    key.write_bytes(RSA.key_pem)
    assert EntitySigner(certificate, key).wrapper(bytes(32), NOW)
    key.write_bytes(CURVE.key_pem)
    with pytest.raises(ValueError, match="does not belong"):
        EntitySigner(certificate, key)
    with pytest.raises(ValueError, match="cannot be used") as caught:
        EntitySigner(certificate, None)
    assert "PRIVATE" not in str(caught.value)
    with pytest.raises(ValueError, match="cannot be used"):
        EntitySigner(tmp_path / "none.pem", None)


def test_a_key_that_makes_other_signatures_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pem"
    made = person(key=people.ed25519.Ed25519PrivateKey.generate())
    path.write_bytes(made.pem + made.key_pem)
    with pytest.raises(ValueError, match="neither RSA"):
        EntitySigner(path, None)


def test_the_time_of_signing_is_said(tmp_path: Path) -> None:
    signer = EntitySigner(write(tmp_path, RSA), None)
    assert b"260302093000Z" in signer._signed_data(bytes(32), NOW + timedelta(minutes=30))
