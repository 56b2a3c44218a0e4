"""A real directory asked for certificates, and one that is dead, silent, or not the one that it should be."""

import socket
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from gateway.core.address import parse_address
from gateway.sealed.recipients import ldap as ldap_module
from gateway.sealed.recipients.found import Found, LookupFailed
from gateway.sealed.recipients.ldap import LdapDirectory, LdapServer, parse_url
from tests.fakes.certificates import write_authority, write_client
from tests.peers.slapd import ADMIN, BASE, PASSWORD, Directory, slapd
from tests.sealed.cms.people import person

BOB, CAROL, ODD = "bob@partner.example", "carol@partner.example", "*@partner.example"
CERTIFICATES = {address: person(address) for address in (BOB, CAROL, ODD)}
SIGNED = pkcs7.serialize_certificates([CERTIFICATES[CAROL].certificate], Encoding.DER)
PEOPLE = {
    BOB: {"userCertificate;binary": CERTIFICATES[BOB].der},
    CAROL: {"userSMIMECertificate": pkcs7.serialize_certificates([CERTIFICATES[CAROL].certificate], Encoding.DER)},
    ODD: {"userCertificate;binary": CERTIFICATES[ODD].der},
    "dave@partner.example": {"userSMIMECertificate": b"0\x03not a message"},
}
NOWHERE = LdapServer(host="127.0.0.1", port=1, tls=False, base=BASE)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Generator[Directory]:
    folder = tmp_path_factory.mktemp("slapd")
    with slapd(folder, PEOPLE, write_client(folder, "127.0.0.1"), anonymous=False) as at:
        yield at


@pytest.fixture
def server(directory: Directory, tmp_path: Path) -> LdapServer:
    ca = write_authority(tmp_path)
    return LdapServer(
        host="127.0.0.1", port=directory.tls, tls=True, base=BASE, bind_dn=ADMIN, bind_password=PASSWORD, ca=ca
    )


async def find(server: LdapServer, address: str) -> list[bytes]:
    asked = LdapDirectory(server)
    try:
        found = await asked.find(parse_address(address))
        assert all(each == Found(each.der, address, believed=False) for each in found)
        return [each.der for each in found]
    finally:
        asked.close()


@pytest.mark.peer("slapd")
async def test_a_real_directory_gives_the_certificates_of_an_address(server: LdapServer) -> None:
    assert await find(server, BOB) == [CERTIFICATES[BOB].der]
    assert await find(server, "Bob@partner.example") == [CERTIFICATES[BOB].der]
    assert await find(server, CAROL) == [CERTIFICATES[CAROL].der]
    assert await find(server, "dave@partner.example") == []
    assert await find(server, "nobody@partner.example") == []


@pytest.mark.peer("slapd")
async def test_an_address_is_never_a_pattern(server: LdapServer) -> None:
    assert await find(server, ODD) == [CERTIFICATES[ODD].der]
    assert await find(server, '"*)(mail=*"@partner.example') == []


@pytest.mark.peer("slapd")
async def test_a_wrong_password_a_wrong_base_and_a_stranger_tell_nothing(server: LdapServer, tmp_path: Path) -> None:
    wrong = replace(server, bind_password="guessed")
    with pytest.raises(LookupFailed, match="InvalidCredentials") as caught:
        await find(wrong, BOB)
    assert "guessed" not in f"{caught.value}{wrong!r}"
    with pytest.raises(LookupFailed, match="NoSuchObject"):
        await find(replace(server, base="ou=elsewhere,dc=partner,dc=example"), BOB)
    with pytest.raises(LookupFailed, match="LDAPSocketOpenError"):
        await find(replace(server, ca=None), BOB)
    with pytest.raises(LookupFailed, match="LDAPSocketOpenError"):
        await find(replace(server, host="localhost"), BOB)
    with pytest.raises(ValueError, match="no authorities"):
        LdapDirectory(replace(server, ca=tmp_path / "none"))


async def test_a_directory_that_is_dead_tells_nothing() -> None:
    with pytest.raises(LookupFailed, match="directory of certificates failed"):
        await find(NOWHERE, BOB)


async def test_a_directory_that_is_silent_is_waited_for_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ldap_module, "_STEP", 1)
    monkeypatch.setattr(ldap_module, "_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(LookupFailed, match="did not answer in time"):
            await find(replace(NOWHERE, port=silent.getsockname()[1]), BOB)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ldaps://ldap.example/ou=people,dc=example", ("ldap.example", 636, True, "ou=people,dc=example")),
        ("ldap://[::1]:3389/dc=a%20b", ("::1", 3389, False, "dc=a b")),
    ],
)
def test_a_url_names_host_port_and_base(url: str, expected: tuple[str, int, bool, str]) -> None:
    assert parse_url(url) == expected


@pytest.mark.parametrize(
    "url",
    ["", "ldap.example", "https://ldap.example/dc=x", "ldaps://ldap.example", "ldaps:///dc=x",
     "ldaps://me:secret@ldap.example/dc=x", "ldaps://ldap.example/dc=x?mail", "ldaps://ldap.example:x/dc=x"],
)  # fmt: skip
def test_what_is_no_such_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        parse_url(url)
